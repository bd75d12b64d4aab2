"""Large data: they are read block by block, and nothing is copied as a whole."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor
from sk_tsattn._data import _batches, _blocks, _stored
from sk_tsattn._data._blocks import BlockedWindows
from sk_tsattn._data._stored import StoredArray
from sk_tsattn._data._windows import Windows

pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

N = 30
rng = np.random.default_rng(0)
WINDOWS = rng.integers(-50, 50, size=(N, 5, 3)).astype(np.float64)
ROWS = rng.integers(-50, 50, size=(N, 3)).astype(np.float64)
TARGET = rng.integers(-50, 50, size=N).astype(np.float64)


def quick(**changes):
    return AttentionLSTMRegressor(
        **{"hidden_size": 4, "max_epochs": 2, "random_state": 0} | changes
    )


def new_path(path):
    return path / f"{len(list(path.iterdir()))}.npy"


def on_disk(array, path):
    """Return a read-only memory map of an array."""
    path = new_path(path)
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def test_training_from_disk_equals_training_from_memory(tmp_path, monkeypatch):
    for array, lookback in [(ROWS, 4), (WINDOWS, None)]:
        expected = quick(lookback=lookback).fit(array, TARGET)
        with monkeypatch.context() as small:
            small.setattr(_batches, "RESIDENT_BYTES", 100)
            streamed = quick(lookback=lookback).fit(on_disk(array, tmp_path), TARGET)
            prediction = streamed.predict(array)
        np.testing.assert_array_equal(prediction, expected.predict(array))
        np.testing.assert_array_equal(streamed.attention_, expected.attention_)
        np.testing.assert_array_equal(streamed.history_.train_loss, expected.history_.train_loss)


def test_interleaved_series_are_cut_from_disk_as_from_memory(monkeypatch):
    groups = np.random.default_rng(0).integers(0, 2, size=N)
    options = {"lookback": 4, "context": "mask", "early_stopping": True}
    expected = quick(**options).fit(ROWS, TARGET, groups=groups).predict(ROWS, groups=groups)
    monkeypatch.setattr(_batches, "RESIDENT_BYTES", 100)
    streamed = quick(**options).fit(ROWS, TARGET, groups=groups).predict(ROWS, groups=groups)
    np.testing.assert_array_equal(streamed, expected)


class Slices:
    """The least that an array on disk can do: it has a shape and a dtype, and is cut in slices."""

    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.reads = []

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        read = self.array[rows]
        self.reads.append((rows.start, rows.start + len(read)))
        return read


def as_slices(array, path):
    return Slices(array)


def as_hdf5(array, path):
    h5py = pytest.importorskip("h5py")
    return h5py.File(new_path(path), "w").create_dataset("X", data=array)


def as_zarr(array, path):
    zarr = pytest.importorskip("zarr")
    return zarr.create_array(new_path(path), data=array, chunks=(8, *array.shape[1:]))


def as_dask(array, path):
    return pytest.importorskip("dask.array").from_array(array, chunks=7)


STORES = [on_disk, as_slices, as_hdf5, as_zarr, as_dask]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("size", ["resident", "blocks"])
def test_an_array_on_disk_trains_and_predicts_as_one_in_memory(store, size, tmp_path, monkeypatch):
    for array, lookback in [(ROWS, 4), (WINDOWS, None)]:
        options = {"lookback": lookback, "early_stopping": True, "context": "train_tail"}
        expected = quick(**options).fit(array, TARGET)
        weights = expected.attention_weights(array)
        with monkeypatch.context() as small:
            if size == "blocks":
                small.setattr(_batches, "RESIDENT_BYTES", 100)
                small.setattr(_stored, "BLOCK_BYTES", 8 * array[0].size * 8)
            stored, target = store(array, tmp_path), store(TARGET, tmp_path)
            fitted = quick(**options).fit(stored, target)
            np.testing.assert_array_equal(fitted.predict(stored), expected.predict(array))
            np.testing.assert_array_equal(fitted.attention_weights(stored).cell, weights.cell)
        np.testing.assert_array_equal(fitted.history_.train_loss, expected.history_.train_loss)


def test_no_read_is_larger_than_a_block(monkeypatch):
    monkeypatch.setattr(_batches, "RESIDENT_BYTES", 100)
    monkeypatch.setattr(_stored, "BLOCK_BYTES", 8 * 3 * 5)  # five rows
    X = Slices(ROWS)
    quick(lookback=2).fit(X, TARGET).predict(X)
    assert max(stop - start for start, stop in X.reads) == 5


def test_classes_may_be_on_disk():
    label = (TARGET > 0).astype(int)
    model = AttentionLSTMClassifier(lookback=3, hidden_size=4, max_epochs=2, random_state=0)
    expected = model.fit(ROWS, label).predict_proba(ROWS)
    np.testing.assert_array_equal(
        model.fit(Slices(ROWS), Slices(label)).predict_proba(ROWS), expected
    )


def test_missing_cells_on_disk_are_missing(monkeypatch):
    holes = np.where(ROWS > 30, np.nan, ROWS)
    expected = quick(lookback=4).fit(holes, TARGET).predict(holes)
    monkeypatch.setattr(_batches, "RESIDENT_BYTES", 100)
    streamed = quick(lookback=4).fit(Slices(holes), TARGET).predict(Slices(holes))
    np.testing.assert_array_equal(streamed, expected)


def test_an_infinite_cell_on_disk_is_refused_by_its_row_and_column(monkeypatch):
    monkeypatch.setattr(_stored, "BLOCK_BYTES", 8 * 3 * 5)
    wrong = ROWS.copy()
    wrong[17, 2] = np.inf
    with pytest.raises(ValueError, match=r"the column 2, in 1 of 5 rows from row 15 on \(17\)"):
        quick(lookback=4).fit(Slices(wrong), TARGET)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (ROWS.astype(str), "must hold numbers"),
        (ROWS[:, 0], "Expected 2D array"),
        (ROWS[:0], "0 sample"),
        (ROWS.astype(np.longdouble), "at most 64 bits"),
        (ROWS + 1j, "Complex data not supported"),
    ],
    ids=["text", "vector", "empty", "longdouble", "complex"],
)
def test_an_array_on_disk_is_checked_as_one_in_memory(array, message):
    class Whole(Slices):
        def __array__(self, dtype=None, copy=None):
            return self.array

    with pytest.raises(ValueError, match=message):
        quick(lookback=4).fit(Whole(array), TARGET[: len(array)])


def test_a_stored_array_is_indexed_as_an_array(monkeypatch):
    monkeypatch.setattr(_stored, "BLOCK_BYTES", 8 * 3 * 5)
    array = np.concatenate([ROWS[:7], ROWS])
    stored = StoredArray(Slices(ROWS), before=ROWS[:7])
    some = np.random.default_rng(1).integers(-37, 37, size=(6, 4))
    for index in [slice(None), slice(3, 12), slice(20, 4), slice(30, 2, -3), some, array[:, 0] > 0]:
        np.testing.assert_array_equal(stored[index], array[index])
    windows = StoredArray(Slices(WINDOWS)).newest_steps(2)
    np.testing.assert_array_equal(windows[[9, 1]], WINDOWS[[9, 1], -2:])
    with pytest.raises(TypeError, match="read in parts"):
        np.asarray(stored)


def test_rows_far_apart_are_read_by_themselves_and_close_ones_together(monkeypatch):
    monkeypatch.setattr(_stored, "BLOCK_BYTES", 8 * 10)  # ten rows
    monkeypatch.setattr(_stored, "MAX_GAP_BYTES", 8 * 3)
    source = Slices(np.arange(100.0)[:, None])
    rows = np.array([70, 3, 6, 8, 50, 11, 14, 17])
    np.testing.assert_array_equal(StoredArray(source)[rows][:, 0], rows)
    assert source.reads == [(3, 12), (14, 18), (50, 51), (70, 71)]


def layouts():
    groups = np.random.default_rng(0).integers(0, 3, size=N)
    return {
        "one series": Windows.of_rows(ROWS, 4),
        "series in a row": Windows.of_rows(ROWS, 4, np.sort(groups)),
        "interleaved series": Windows.of_rows(ROWS, 4, groups),
        "windows": Windows.of_windows(WINDOWS),
        "some windows": Windows.of_rows(ROWS, 4).select(np.array([29, 3, 8, 9, 10])),
    }


@pytest.mark.parametrize("n_held", [1, 2, 16])
@pytest.mark.parametrize("layout", layouts())
def test_windows_cut_from_blocks_are_those_cut_from_memory(layout, n_held, monkeypatch):
    monkeypatch.setattr(_blocks, "N_HELD", n_held)
    windows, offsets = layouts()[layout], np.arange(-3, 1)
    blocked = BlockedWindows(
        windows, lambda values, rows: torch.from_numpy(values), 1, torch.empty(0).double()
    )
    draw = np.random.default_rng(2)
    for n in [1, 2, 5, 60, 3]:
        which = draw.integers(0, len(windows), size=n)
        X, mask = blocked.take(which, offsets)
        expected, expected_mask = windows.take(which, offsets)
        np.testing.assert_array_equal(X, expected)
        np.testing.assert_array_equal(mask, expected_mask)


def test_fewer_blocks_are_held_of_long_windows():
    held = 2**16
    for lookback, n_features in [(2, 1), (200, 1), (200, 10), (200, 100)]:
        windows = Windows.of_rows(np.zeros((20_000, n_features)), lookback)
        blocked = BlockedWindows(windows, None, held, torch.empty(0).double())
        n_bytes = blocked.held.numel() * 8
        few = len(blocked.held) == _blocks.MIN_HELD
        assert n_bytes <= held or few
        assert blocked.n_rows >= 4 * (lookback - 1)


def test_windows_are_shuffled_within_the_blocks_that_are_held(monkeypatch):
    monkeypatch.setattr(_blocks, "N_HELD", 3)
    windows = Windows.of_rows(np.zeros((1000, 1)), 2).select(slice(1, None))
    blocked = BlockedWindows(windows, None, 3 * 41 * 8, torch.empty(0).double())
    orders = [blocked.shuffled(torch.Generator().manual_seed(seed)).numpy() for seed in (0, 1)]
    assert not np.array_equal(*orders)
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(999))
        blocks = (order + 1) // 40
        changes = np.flatnonzero(np.diff(order) != 1)
        assert len(changes) > 900
        held = [set(part) for part in np.split(blocks, np.cumsum([len(p) for p in turns(blocks)]))]
        assert all(len(part) <= 3 for part in held)


def turns(blocks):
    """Split an order where a block comes that is none of the three before it."""
    parts, present = [[]], set()
    for block in blocks:
        if block not in present and len(present) == 3:
            parts.append([])
            present = set()
        present.add(block)
        parts[-1].append(block)
    assert sum(len(set(part)) for part in parts) == len(set(blocks))  # none comes back
    return parts


@pytest.mark.skipif(sys.platform != "linux", reason="reads and limits memory as Linux does")
@pytest.mark.parametrize("kind", ["rows", "windows", "hdf5"])
def test_a_large_array_on_disk_is_never_in_memory_as_a_whole(kind, tmp_path):
    # In a process of its own, whose data segment (what is allocated, not what is mapped from
    # disk) may not grow by as much as the array, let alone by its windows.
    program = f"""
        import resource, sys
        import numpy as np, torch
        torch.set_num_threads(1)
        from sk_tsattn import AttentionLSTMRegressor, make_windows
        from sk_tsattn._data import _batches
        _batches.RESIDENT_BYTES = 2**20

        def allocated():
            with open("/proc/self/status") as status:
                return next(int(l.split()[1]) * 1024 for l in status if l.startswith("VmData"))

        def is_copied(X):
            try:
                return X[:].copy() is not None
            except MemoryError:
                return False

        def work(X, y, lookback, limit):
            # The plain LSTM: the test measures the memory of the data, not of the network.
            model = AttentionLSTMRegressor(
                attention_mode=None, hidden_size=2, max_epochs=1, batch_size=256, lookback=lookback
            )
            resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))
            assert is_copied(X) == (len(X) == 600), "the limit must forbid a copy of the data"
            model.fit(X, y)
            assert np.isfinite(model.predict(X)).all()
            assert model.n_iter_ == 1

        if {kind == "hdf5"}:
            import h5py
            X = h5py.File(sys.argv[1])["X"]
        else:
            X = np.lib.format.open_memmap(sys.argv[1], mode="r")
        y = np.arange(len(X)) / len(X)
        if {kind == "windows"}:
            X, y, _ = make_windows(X, y, lookback=3, horizon="nowcast")
            assert X.nbytes > 2**27
        small = np.random.default_rng(0).normal(size=X[:600].shape)
        lookback = None if {kind == "windows"} else 3
        work(small, y[:600], lookback, resource.RLIM_INFINITY)
        work(X, y, lookback, allocated() + 55 * 2**20)
        """
    n_rows, n_features = 70_000, 256  # 72 MB
    path = tmp_path / "large"
    shape = (n_rows, n_features)
    if kind == "hdf5":
        file = pytest.importorskip("h5py").File(path, "w")
        X = file.create_dataset("X", dtype=np.float32, shape=shape, chunks=(1000, n_features))
    else:
        X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    generator = np.random.default_rng(0)
    for start in range(0, n_rows, 10_000):
        X[start : start + 10_000] = generator.normal(size=(10_000, n_features))
    if kind == "hdf5":
        file.close()
    del X
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
