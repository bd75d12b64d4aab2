"""Large data: batches are read from disk, and nothing is copied as a whole."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn._data import _batches

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


def on_disk(array, path):
    """Return a read-only memory map of an array."""
    np.save(path / "array.npy", array)
    return np.load(path / "array.npy", mmap_mode="r")


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


@pytest.mark.skipif(sys.platform != "linux", reason="reads and limits memory as Linux does")
@pytest.mark.parametrize("cut", [False, True], ids=["rows", "windows"])
def test_a_large_memory_map_is_never_copied_as_a_whole(cut, tmp_path):
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

        def work(X, y, lookback, limit):
            # The plain LSTM: the test measures the memory of the data, not of the network.
            model = AttentionLSTMRegressor(
                attention_mode=None, hidden_size=2, max_epochs=1, batch_size=256, lookback=lookback
            )
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
            model.fit(X, y)
            assert np.isfinite(model.predict(X)).all()
            assert model.n_iter_ == 1

        X = np.lib.format.open_memmap(sys.argv[1], mode="r")
        y = np.arange(len(X)) / len(X)
        if {cut}:
            X, y, _ = make_windows(X, y, lookback=3, horizon="nowcast")
            assert X.nbytes > 2**28
        small = np.random.default_rng(0).normal(size=X[:600].shape)
        unlimited = resource.RLIM_INFINITY
        lookback = None if {cut} else 3
        work(small, y[:600], lookback, unlimited)
        work(X, y, lookback, allocated() + 80 * 2**20)
        """
    n_rows, n_features = 100_000, 256  # 102 MB
    path = tmp_path / "large.npy"
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_rows, n_features))
    generator = np.random.default_rng(0)
    for start in range(0, n_rows, 10_000):
        X[start : start + 10_000] = generator.normal(size=(10_000, n_features))
    del X
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MALLOC_ARENA_MAX": "1"},
    )
    assert done.returncode == 0, done.stderr
