"""Training: weights, the validation part, the best epoch, going on, and what is on record.

Of mechanisms whose gates have no price; how those are trained is in ``test_bottleneck.py``.
"""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skorch
import skorch.callbacks
import torch
from sklearn.metrics import mean_squared_error, r2_score

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn import _training as training
from sk_tsattn._data._batches import WindowDataset
from sk_tsattn._data._windows import Windows
from sk_tsattn._training._net import RESERVED
from sk_tsattn.attention import ATTENTION_MODES
from sk_tsattn.datasets import load_gas_furnace, make_fixed_cells

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
ROWS = rng.normal(size=(N, F))
TARGET = WINDOWS[:, 2, 1] + 0.1 * rng.normal(size=N)
MODES = pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])


def quick(**changes):
    options = {"attention": "bahdanau", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMRegressor(**options | {"early_stopping": False} | changes)


@pytest.fixture
def seen(monkeypatch):
    """Record the sets that each training is given, with their windows written out."""
    calls = []
    train = training.train

    def spy(net, training_set, validation_set, **options):
        sets = [written_out(s) for s in (training_set, validation_set)]
        calls.append({"training": sets[0], "validation": sets[1], **options})
        return train(net, training_set, validation_set, **options)

    monkeypatch.setattr(training, "train", spy)
    return calls


def written_out(dataset):
    """Undo the scaling of X, so that the rows can be told by their values."""
    if dataset is None:
        return None
    X = dataset.batch(torch.arange(len(dataset)))["X"].double().cpu().numpy()
    return X * dataset.scale + dataset.center


def numbered(n_rows):
    """Rows that tell their number in one feature and are noise in the other."""
    noise = np.random.default_rng(0).normal(size=n_rows)
    return np.column_stack([np.arange(n_rows, dtype=float), noise])


# ------------------------------------------------------------------------------ sample weights


@MODES
@pytest.mark.parametrize("standardize", [True, False])
def test_a_weight_of_k_equals_k_copies(mode, standardize):
    copies = rng.integers(0, 4, size=N)
    options = {"attention_mode": mode, "standardize": standardize, "batch_size": 4 * N}
    weighted = quick(**options).fit(WINDOWS, TARGET, sample_weight=copies)
    repeated = quick(**options).fit(np.repeat(WINDOWS, copies, axis=0), np.repeat(TARGET, copies))
    np.testing.assert_allclose(weighted.predict(WINDOWS), repeated.predict(WINDOWS), rtol=1e-6)
    np.testing.assert_allclose(
        weighted.history_.train_loss, repeated.history_.train_loss, rtol=1e-6
    )
    for name in vars(repeated):
        if name.endswith("attention_"):
            np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-6)


def test_a_weight_of_zero_is_a_removal():
    keep = rng.random(N) < 0.6
    y = np.where(keep, TARGET, 1e9)
    X = np.where(keep[:, None, None], WINDOWS, 1e6)
    weighted = quick(batch_size=8).fit(X, y, sample_weight=keep.astype(float))
    removed = quick(batch_size=8).fit(WINDOWS[keep], TARGET[keep])
    np.testing.assert_allclose(weighted.predict(WINDOWS), removed.predict(WINDOWS), rtol=1e-9)


def test_a_row_of_weight_zero_is_still_history():
    weight = np.r_[np.zeros(30), np.ones(30)]
    model = quick(lookback=4).fit(ROWS, TARGET, sample_weight=weight)
    X, y, _ = make_windows(ROWS, TARGET, lookback=4, horizon="nowcast")
    windows = quick().fit(X[-30:], y[-30:])
    np.testing.assert_allclose(model.predict(ROWS)[3:], windows.predict(X), rtol=1e-9)


def test_only_the_ratio_of_weights_matters():
    weight = rng.uniform(0.1, 2, size=N)
    one = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=weight)
    other = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=1000 * weight)
    np.testing.assert_allclose(one.predict(WINDOWS), other.predict(WINDOWS), rtol=1e-6)
    plain = quick(batch_size=16).fit(WINDOWS, TARGET)
    equal = quick(batch_size=16).fit(WINDOWS, TARGET, sample_weight=np.full(N, 7))
    np.testing.assert_allclose(plain.predict(WINDOWS), equal.predict(WINDOWS), rtol=1e-9)


def test_heavy_samples_are_learnt_better():
    y = np.where(np.arange(N) % 2, 1.0, -1.0)
    X = np.ones((N, 2, 1))  # nothing to tell them apart by: the prediction is a weighted mean
    weight = np.where(np.arange(N) % 2, 3.0, 1.0)
    model = quick(max_epochs=60, lr=0.05).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict(X), 0.5, atol=0.05)


# ------------------------------------------------------------------------------ standardisation


def poisoned_end(array):
    """Replace what becomes the validation part (the newest 10 %) by something absurd."""
    array = array.copy()
    array[-N // 10 :] = 1e4
    return array


def test_statistics_are_those_of_the_training_part_alone():
    options = {"early_stopping": True, "validation_fraction": 0.1}
    clean = quick(**options, max_epochs=1).fit(WINDOWS, TARGET)
    poisoned = quick(**options, max_epochs=1).fit(poisoned_end(WINDOWS), poisoned_end(TARGET))
    np.testing.assert_array_equal(clean.predict(WINDOWS), poisoned.predict(WINDOWS))
    assert clean.history_.train_loss[0] == poisoned.history_.train_loss[0]
    assert clean.history_.valid_loss[0] != poisoned.history_.valid_loss[0]


def test_statistics_of_rows_are_those_of_the_training_part_alone():
    options = {"early_stopping": True, "max_epochs": 1, "lookback": 4, "validation_fraction": 0.1}
    clean = quick(**options).fit(ROWS, TARGET)
    poisoned = quick(**options).fit(poisoned_end(ROWS), poisoned_end(TARGET))
    np.testing.assert_array_equal(clean.predict(ROWS), poisoned.predict(ROWS))


@pytest.mark.parametrize("n_rows", [30, 5000])
def test_constant_columns_survive(n_rows):
    X = rng.normal(size=(n_rows, 2, 2))
    constant = np.concatenate([X, np.full((n_rows, 2, 1), 0.1)], axis=2)
    y = np.column_stack([X[:, 0, 0], np.full(n_rows, 1 / 3)])
    model = quick(max_epochs=2, batch_size=512).fit(constant, y)
    prediction = model.predict(constant)
    assert np.isfinite(prediction).all()
    np.testing.assert_allclose(prediction[:, 1], 1 / 3, atol=0.5)
    # A little change of what was constant stays a little change.
    moved = constant.copy()
    moved[..., 2] += 1e-9
    np.testing.assert_allclose(model.predict(moved), prediction, atol=1e-6)


def test_statistics_respect_weights():
    X, y = WINDOWS.copy(), TARGET.copy()
    X[:30], y[:30] = X[:30] + 100, y[:30] + 100
    weight = np.r_[np.full(30, 1e-12), np.ones(30)]
    model = quick(max_epochs=1, lr=1e-12).fit(X, y, sample_weight=weight)
    only = quick(max_epochs=1, lr=1e-12).fit(X[30:], y[30:])
    np.testing.assert_allclose(model.predict(X[30:]), only.predict(X[30:]), rtol=1e-6)


def test_standardize_can_be_turned_off():
    X, y = 5 + WINDOWS, 5 + TARGET
    quick(standardize=False).fit(X, y)
    raw = quick(standardize=False, max_epochs=1, lr=1e-12).fit(X, y)
    error = mean_squared_error(y, raw.predict(X))
    assert raw.history_.train_loss[0] == pytest.approx(error, rel=1e-6)
    assert error > 10  # the mean of y is not given


# ------------------------------------------------------------------------------ validation part


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("n_series", [1, 2])
def test_the_last_rows_of_each_series_are_held_out(seen, fraction, n_series):
    lookback, n_rows = 4, 40
    X = numbered(n_series * n_rows)
    groups = np.repeat(np.arange(n_series), n_rows)
    quick(lookback=lookback, early_stopping=True, validation_fraction=fraction).fit(
        X, X[:, 1], groups=groups
    )
    newest_held = np.sort(np.rint(seen[0]["validation"][:, -1, 0]))
    n_held = int(np.ceil(fraction * (n_rows - lookback + 1)))
    expected = np.concatenate(
        [np.arange(n_rows - n_held, n_rows) + n_rows * i for i in range(n_series)]
    )
    np.testing.assert_array_equal(newest_held, expected)
    learnt = np.rint(seen[0]["training"][:, :, 0])
    assert len(learnt) == n_series * (n_rows - lookback + 1 - n_held)
    for i in range(n_series):  # no training window reaches into the last block
        of_series = learnt[(learnt >= i * n_rows).all(axis=1) & (learnt < (i + 1) * n_rows).all(1)]
        assert of_series.max() < n_rows * (i + 1) - n_held


@pytest.mark.parametrize(("stride", "n_dropped"), [(1, 5), (3, 1), (6, 0), (9, 0)])
@pytest.mark.parametrize("n_series", [1, 2])
def test_cut_windows_that_reach_into_the_last_block_are_dropped_and_no_others(
    seen, stride, n_dropped, n_series
):
    lookback, n_windows = 6, 20
    series = numbered(n_series * (lookback + stride * n_windows))
    starts = np.concatenate(
        [
            i * (lookback + stride * n_windows) + stride * np.arange(n_windows)
            for i in range(n_series)
        ]
    )
    X = np.stack([series[s : s + lookback] for s in starts])
    groups = np.repeat(np.arange(n_series), n_windows)
    quick(early_stopping=True, validation_fraction=0.2).fit(X, X[:, 0, 1], groups=groups)
    held = np.rint(seen[0]["validation"][:, :, 0])
    learnt = np.rint(seen[0]["training"][:, :, 0])
    assert len(held) == 4 * n_series
    assert len(learnt) == (16 - n_dropped) * n_series
    assert not set(held.ravel()) & set(learnt.ravel())
    for i in range(n_series):
        oldest_held = starts[i * n_windows + 16]
        np.testing.assert_array_equal(
            np.sort(held[:, 0])[4 * i : 4 * i + 4], oldest_held + stride * np.arange(4)
        )


def test_independent_windows_are_all_used(seen):
    quick(early_stopping=True).fit(WINDOWS, TARGET)
    np.testing.assert_allclose(seen[0]["training"], WINDOWS[:54], atol=1e-12)
    np.testing.assert_allclose(seen[0]["validation"], WINDOWS[54:], atol=1e-12)


def test_windows_without_weight_are_not_held_out(seen):
    weight = np.r_[np.ones(40), np.zeros(20)]
    quick(early_stopping=True).fit(WINDOWS, TARGET, sample_weight=weight)
    np.testing.assert_allclose(seen[0]["validation"], WINDOWS[36:40], atol=1e-12)


def test_auto_holds_out_from_500_windows_on(seen):
    X, y, _ = make_windows(numbered(501), np.arange(501), lookback=2, horizon="nowcast")
    model = quick(early_stopping="auto", max_epochs=1, batch_size=500)
    model.fit(X[:499], y[:499])
    model.fit(X[:500], y[:500])
    model.fit(X[:60], y[:60], X_val=X[100:120], y_val=y[100:120])
    assert [call["validation"] is not None for call in seen] == [False, True, True]
    assert [call["stopping"] for call in seen] == [False, True, True]
    assert len(seen[1]["validation"]) == 50


def test_a_validation_part_of_ones_own_is_used_instead(seen):
    X_val, y_val = rng.normal(size=(9, T, F)), rng.normal(size=9)
    weight = np.r_[0.0, np.arange(1, 9)]
    model = quick(early_stopping=True, max_epochs=1).fit(
        WINDOWS, TARGET, X_val=X_val, y_val=y_val, sample_weight_val=weight
    )
    np.testing.assert_allclose(seen[0]["training"], WINDOWS, atol=1e-12)
    np.testing.assert_allclose(seen[0]["validation"], X_val[1:], atol=1e-12)
    error = mean_squared_error(y_val, model.predict(X_val), sample_weight=weight)
    assert model.history_.valid_loss[0] == pytest.approx(error / TARGET.var(), rel=1e-6)


def test_without_early_stopping_the_validation_part_is_recorded_alone():
    X_val, y_val = WINDOWS[:10], -100 * TARGET[:10]  # gets worse with every epoch
    watched = quick(max_epochs=15, lr=0.05).fit(WINDOWS, TARGET, X_val=X_val, y_val=y_val)
    alone = quick(max_epochs=15, lr=0.05).fit(WINDOWS, TARGET)
    assert watched.n_iter_ == len(watched.history_) == 15
    assert watched.history_.valid_loss.idxmin() != 14
    np.testing.assert_array_equal(watched.predict(WINDOWS), alone.predict(WINDOWS))


def test_validation_rows_that_continue_have_the_history_of_the_training_rows():
    times = pd.date_range("2020", periods=N, freq="h")
    frame = pd.DataFrame(ROWS, columns=list("abc"), index=times)
    model = quick(lookback=4, max_epochs=1).fit(
        frame[:50], TARGET[:50], X_val=frame[50:], y_val=TARGET[50:]
    )
    error = mean_squared_error(TARGET[50:], model.predict(frame)[50:])
    assert model.history_.valid_loss[0] == pytest.approx(error / TARGET[3:50].var(), rel=1e-6)


def test_validation_rows_of_several_series_keep_to_their_series():
    index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2020", periods=30, freq="h")])
    frame = pd.DataFrame(ROWS, columns=list("xyz"), index=index)
    y = pd.Series(TARGET, index)
    new = frame.index.get_level_values(1) >= pd.Timestamp("2020-01-01 20:00")
    model = quick(lookback=4, max_epochs=1).fit(
        frame[~new], y[~new], X_val=frame[new], y_val=y[new]
    )
    error = mean_squared_error(y[new], model.predict(frame)[new])
    complete = frame[~new].groupby(level=0).cumcount() >= 3
    assert model.history_.valid_loss[0] == pytest.approx(
        error / y[~new][complete].var(ddof=0), rel=1e-6
    )


@pytest.mark.parametrize("X", [WINDOWS[:1], WINDOWS[:2]])
def test_too_few_windows_to_hold_one_out_are_told(X, seen):
    if len(X) == 2:
        quick(early_stopping=True).fit(X, TARGET[:2])
        assert len(seen[0]["training"]) == len(seen[0]["validation"]) == 1
        return
    with pytest.raises(ValueError, match=r"at least 2 windows.*Got 1 instead; give X_val"):
        quick(early_stopping=True).fit(X, TARGET[:1])


def test_windows_that_all_overlap_the_last_block_are_told(seen):
    X, y, _ = make_windows(numbered(12), np.arange(12), lookback=8, horizon="nowcast")
    with pytest.raises(ValueError, match=r"do not overlap the validation part.*Got 5 windows of 8"):
        quick(early_stopping=True).fit(X, y)
    assert not seen


# ------------------------------------------------------------------------------ best epoch


def overfitting(**changes):
    """Learn a little and then noise, so that the best epoch is neither the first nor the last."""
    noise = np.random.default_rng(1)
    X = noise.normal(size=(60, 4, 3))
    y = X[:, -1, 0] + noise.normal(size=60)
    options = {"early_stopping": True, "hidden_size": 16, "lr": 0.02, "max_epochs": 60}
    model = quick(**options | {"validation_fraction": 0.2} | changes)
    return model.fit(X, y), X, y


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_best_epoch_is_restored(dropout):
    model, X, y = overfitting(dropout=dropout)
    losses = model.history_.valid_loss
    best = losses.idxmin()
    assert 0 < best < len(losses) - 1
    assert model.n_iter_ == model.history_.epoch[best] == best + 1
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(losses[best], rel=1e-6)
    assert model.net_.module_.training is False


def test_training_stops_n_iter_no_change_epochs_after_the_best():
    for patience in (3, 8):
        model, _, _ = overfitting(n_iter_no_change=patience, max_epochs=200)
        assert len(model.history_) == model.n_iter_ + patience


def test_attention_is_that_of_the_restored_epoch():
    model, X, _ = overfitting()
    np.testing.assert_allclose(model.attention_, model.attention_weights(X[:48]).cell.mean(axis=0))


def test_without_early_stopping_the_last_epoch_stands():
    model = quick(max_epochs=7).fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 7
    assert "valid_loss" not in model.history_


def test_fit_writes_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    model, X, _ = overfitting(verbose=2, max_epochs=5)
    model.predict(X)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ history_


def test_history_has_a_row_per_epoch():
    model, _, _ = overfitting(max_epochs=6, n_iter_no_change=50, lr=0.003)
    history = model.history_
    assert list(history.columns) == ["epoch", "train_loss", "valid_loss", "lr", "seconds"]
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6]
    assert (history.lr == 0.003).all()
    assert (history.seconds > 0).all()
    assert np.isfinite(history.to_numpy()).all()


def test_a_loss_of_one_is_that_of_predicting_the_mean():
    # Hardly a step is taken, and the head's output is small before training.
    y = rng.normal(100, 5, size=(N, 2))
    model = quick(max_epochs=1, lr=1e-12, attention_mode=None).fit(WINDOWS, y)
    error = ((model.predict(WINDOWS) - y) ** 2).mean(axis=0) / y.var(axis=0)
    assert model.history_.train_loss[0] == pytest.approx(error.mean(), rel=1e-5)
    assert model.history_.train_loss[0] == pytest.approx(1, abs=0.4)


def test_the_learning_rate_of_a_schedule_is_on_record():
    halved = skorch.callbacks.LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = quick(callbacks=[halved], lr=0.08).fit(WINDOWS, TARGET)
    np.testing.assert_allclose(model.history_.lr, [0.08, 0.04, 0.02])


def test_the_mean_loss_of_an_epoch_counts_every_window_alike():
    # 60 windows in batches of 25: the last batch has 10.
    model = quick(batch_size=25, lr=1e-12, max_epochs=1).fit(WINDOWS, TARGET)
    error = mean_squared_error(TARGET, model.predict(WINDOWS)) / TARGET.var()
    assert model.history_.train_loss[0] == pytest.approx(error, rel=1e-6)


# ------------------------------------------------------------------------------ going on


def test_partial_fit_trains_one_more_epoch():
    model = quick()
    for n_calls in (1, 2, 3):
        before = None if n_calls == 1 else model.predict(WINDOWS)
        assert model.partial_fit(WINDOWS, TARGET) is model
        assert model.n_iter_ == len(model.history_) == n_calls
        assert model.history_.epoch.tolist() == list(range(1, n_calls + 1))
        assert before is None or not np.array_equal(before, model.predict(WINDOWS))
    assert model.history_.train_loss.is_monotonic_decreasing


def test_partial_fit_keeps_the_first_scaling_and_takes_new_data():
    model = quick().partial_fit(WINDOWS, TARGET)
    X, y = 3 + WINDOWS[:7], 100 + TARGET[:7]
    model.partial_fit(X, y, sample_weight=np.ones(7))
    assert model.n_iter_ == 2
    assert model.history_.train_loss[1] > 1000  # 100 standard deviations off
    frame = pd.DataFrame(ROWS, columns=list("abc"))
    rows = quick(lookback=4).partial_fit(frame[:30], TARGET[:30])
    rows.partial_fit(frame[30:], TARGET[30:])
    pd.testing.assert_frame_equal(rows.context_, frame[-3:])


def test_partial_fit_goes_on_behind_fit():
    model = quick(max_epochs=4).fit(WINDOWS, TARGET)
    model.partial_fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 5
    assert model.history_.train_loss[4] < model.history_.train_loss[3]


def test_fit_starts_anew_without_warm_start():
    fresh = quick().fit(WINDOWS, TARGET)
    used = quick().fit(ROWS, TARGET).partial_fit(ROWS, TARGET).fit(WINDOWS, TARGET)
    assert used.n_iter_ == len(used.history_) == 3
    np.testing.assert_array_equal(used.predict(WINDOWS), fresh.predict(WINDOWS))


def test_warm_start_goes_on_where_fit_stopped():
    whole = quick(max_epochs=10, batch_size=N).fit(WINDOWS, TARGET)
    halves = quick(max_epochs=5, batch_size=N, warm_start=True).fit(WINDOWS, TARGET)
    assert halves.n_iter_ == 5
    halves.fit(WINDOWS, TARGET)
    assert halves.n_iter_ == len(halves.history_) == 10
    np.testing.assert_allclose(halves.history_.train_loss, whole.history_.train_loss, rtol=1e-6)
    np.testing.assert_allclose(halves.predict(WINDOWS), whole.predict(WINDOWS), rtol=1e-6)


def test_warm_start_may_train_for_another_number_of_epochs():
    model = quick(max_epochs=2, warm_start=True).fit(WINDOWS, TARGET)
    model.set_params(max_epochs=6).fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 8


def test_warm_start_draws_batches_in_a_new_order(monkeypatch):
    orders = []
    targets = WindowDataset.targets

    def spy(self, which):
        orders.append(which.tolist())
        return targets(self, which)

    monkeypatch.setattr(WindowDataset, "targets", spy)
    model = quick(max_epochs=1, batch_size=10, warm_start=True)
    for _ in range(2):
        model.fit(WINDOWS, TARGET)
    first, second = np.ravel(orders[:6]), np.ravel(orders[6:12])
    assert sorted(first) == sorted(second) == list(range(N))
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(N))


def test_warm_start_with_early_stopping_restores_the_best_epoch_of_the_new_ones():
    model, X, y = overfitting(max_epochs=5, warm_start=True, n_iter_no_change=50)
    model.fit(X, y)
    new = model.history_[5:]
    assert model.n_iter_ == new.epoch[new.valid_loss.idxmin()]
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(new.valid_loss.min(), rel=1e-6)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (WINDOWS[:, 1:], TARGET, "windows of 5 steps"),
        (WINDOWS[..., 1:], TARGET, "2 features"),
        (WINDOWS, np.zeros((N, 2)), "2 outputs|2 and 2|1 outputs"),
        (WINDOWS, TARGET[:, None], "1 dimension"),
    ],
    ids=["steps", "features", "outputs", "axes of y"],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_does_not_go_on_with_other_shapes(method, X, y, message):
    model = quick(warm_start=True).fit(WINDOWS, TARGET)
    before = model.predict(WINDOWS)
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, y)
    np.testing.assert_array_equal(model.predict(WINDOWS), before)


# ------------------------------------------------------------------------------ progress


def test_verbose_1_draws_one_bar_on_stderr(capsys):
    quick(verbose=1).fit(WINDOWS, TARGET)
    out, err = capsys.readouterr()
    assert out == ""
    assert "AttentionLSTMRegressor: 100%" in err
    assert "3/3" in err
    assert "train_loss=" in err
    assert err.count("\n") == 1  # one line, drawn over and over


def test_verbose_1_shows_the_validation_loss(capsys):
    quick(verbose=1, early_stopping=True).fit(WINDOWS, TARGET)
    assert "valid_loss=" in capsys.readouterr().err


@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_0_says_nothing(capsys, early_stopping):
    model = quick(early_stopping=early_stopping, max_epochs=30, n_iter_no_change=2)
    model.fit(WINDOWS, TARGET).predict(WINDOWS)
    assert capsys.readouterr() == ("", "")


def test_verbose_2_prints_a_line_per_epoch(capsys):
    quick(verbose=2).fit(WINDOWS, TARGET)
    out, err = capsys.readouterr()
    numbers = [line.split()[0] for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert numbers == ["1", "2", "3"]
    assert "train_loss" in out
    assert "3/3" in err


# ------------------------------------------------------------------------------ skorch's options


class Recorder(skorch.callbacks.Callback):
    """Keep state on itself and mark the net's history."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen = [*self.seen, net.history[-1, "epoch"]]
        net.history.record("recorded", len(self.seen))


def test_callbacks_watch_the_training_and_are_not_changed():
    recorder = Recorder()
    before = copy.deepcopy(vars(recorder))
    callbacks = [recorder]
    model = quick(callbacks=callbacks).fit(WINDOWS, TARGET)
    assert model.net_.history[:, "recorded"] == [1, 2, 3]
    assert vars(recorder) == before
    assert model.callbacks is callbacks
    assert callbacks == [recorder]
    named = quick(callbacks=[("mine", recorder)]).fit(WINDOWS, TARGET)
    assert named.net_.history[:, "recorded"] == [1, 2, 3]


def test_a_callback_may_stop_the_training():
    class Stop(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "epoch"] == 2:
                raise KeyboardInterrupt

    model = quick(callbacks=[Stop()], max_epochs=9).fit(WINDOWS, TARGET)
    assert model.n_iter_ == len(model.history_) == 2


@pytest.mark.parametrize("n_epochs", [1, "best", 30])
def test_the_best_epoch_is_restored_where_a_callback_stops_the_training(n_epochs):
    if n_epochs == "best":
        n_epochs = overfitting()[0].n_iter_
        assert n_epochs > 1

    class Stop(skorch.callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "epoch"] == n_epochs:
                raise KeyboardInterrupt

    model, X, y = overfitting(callbacks=[Stop()], n_iter_no_change=50)
    losses = model.history_.valid_loss
    assert len(losses) == n_epochs
    assert model.n_iter_ == losses.idxmin() + 1
    error = mean_squared_error(y[48:], model.predict(X[48:])) / y[:48].var()
    assert error == pytest.approx(losses.min(), rel=1e-6)


def test_the_optimizer_is_chosen_with_net_params():
    adam = quick().fit(WINDOWS, TARGET)
    sgd = quick(net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}, lr=0.05).fit(
        WINDOWS, TARGET
    )
    assert isinstance(adam.net_.optimizer_, torch.optim.AdamW)
    assert isinstance(sgd.net_.optimizer_, torch.optim.SGD)
    assert sgd.net_.optimizer_.param_groups[0]["momentum"] == 0.9
    assert sgd.net_.optimizer_.param_groups[0]["lr"] == 0.05
    assert not np.allclose(adam.predict(WINDOWS), sgd.predict(WINDOWS))


def test_weight_decay_reaches_the_optimizer_and_defaults_to_none():
    for weight_decay in (0.0, 0.3):
        model = quick(weight_decay=weight_decay).fit(WINDOWS, TARGET)
        assert model.net_.optimizer_.param_groups[0]["weight_decay"] == weight_decay
    heavy, free = (
        quick(weight_decay=w, max_epochs=40, lr=0.02).fit(WINDOWS, TARGET) for w in (5.0, 0.0)
    )
    assert heavy.predict(WINDOWS).std() < 0.5 * free.predict(WINDOWS).std()


def test_the_loss_is_chosen_with_net_params():
    y = TARGET.copy()
    y[0] = 1000  # an outlier, which the squared error chases
    huber = quick(
        net_params={"criterion": torch.nn.HuberLoss, "criterion__delta": 0.01}, max_epochs=1
    ).fit(WINDOWS, y)
    assert huber.history_.train_loss[0] < 0.01 * 10
    squared = quick(max_epochs=1).fit(WINDOWS, y)
    assert squared.history_.train_loss[0] > 0.5


def test_gradients_are_clipped_with_net_params():
    model = quick(
        callbacks=[skorch.callbacks.GradientNormClipping(1e-6)],
        net_params={"optimizer": torch.optim.SGD},
        lr=1.0,
    ).fit(WINDOWS, TARGET)
    loss = model.history_.train_loss
    assert loss[2] == pytest.approx(loss[0], rel=1e-4)  # hardly a step was taken


@pytest.mark.parametrize("option", RESERVED)
def test_options_that_are_parameters_are_told_which(option):
    with pytest.raises(ValueError, match=f"net_params.*{option}") as caught:
        quick(net_params={option: None}).fit(WINDOWS, TARGET)
    for parameter in filter(None, [RESERVED[option]]):
        assert parameter in str(caught.value)


@pytest.mark.parametrize("option", ["learning_rate", "module__hidden_size", "callback"])
def test_unknown_options_of_skorch_are_refused(option):
    with pytest.raises(ValueError, match=f"net_params.*{option}"):
        quick(net_params={option: 1}).fit(WINDOWS, TARGET)


def test_a_skorch_net_is_held_and_can_be_used():
    model = quick(device="cpu").fit(WINDOWS, TARGET)
    assert isinstance(model.net_, skorch.NeuralNet)
    scaled = (WINDOWS - WINDOWS.mean(axis=(0, 1))) / WINDOWS.std(axis=(0, 1))
    with torch.no_grad():
        prediction = model.net_.module_(torch.as_tensor(scaled)).numpy()[:, 0]
    np.testing.assert_allclose(TARGET.mean() + TARGET.std() * prediction, model.predict(WINDOWS))


@pytest.mark.parametrize("lookback", [None, 4], ids=["windows", "rows"])
def test_batches_are_cut_whole_and_never_sample_by_sample(lookback, monkeypatch):
    sizes = []
    take = Windows.take

    def spy(self, which, offsets):
        sizes.append(len(which))
        return take(self, which, offsets)

    monkeypatch.setattr(Windows, "take", spy)
    X = WINDOWS if lookback is None else ROWS
    model = quick(lookback=lookback, batch_size=25, max_epochs=2, attention_mode=None)
    model.fit(X, TARGET)
    n_windows = N if lookback is None else N - lookback + 1
    assert sizes == 2 * [25, 25, n_windows - 50]
    sizes.clear()
    model.predict(np.concatenate([X] * 20))
    assert sizes == [512, 512, 20 * N - 1024]


# ------------------------------------------------------------------------------ what it can learn


@MODES
def test_every_mode_learns_a_fixed_cell(mode):
    X, y, _ = make_fixed_cells(300, n_timesteps=6, n_features=4, random_state=0)
    options = {"hidden_size": 16, "max_epochs": 40, "lr": 0.02, "attention_mode": mode}
    model = quick(**options).fit(X[:250], y[:250])
    assert model.score(X[250:], y[250:]) > 0.7


def test_score_is_r2_with_weights_and_groups():
    model = quick(max_epochs=10).fit(WINDOWS, TARGET)
    weight = rng.uniform(size=N)
    expected = r2_score(TARGET, model.predict(WINDOWS), sample_weight=weight)
    assert model.score(WINDOWS, TARGET, sample_weight=weight) == pytest.approx(expected)
    assert model.score(WINDOWS, TARGET) == pytest.approx(r2_score(TARGET, model.predict(WINDOWS)))
    y = np.column_stack([TARGET, WINDOWS[:, 0, 0]])
    several = quick().fit(WINDOWS, y)
    assert several.score(WINDOWS, y) == pytest.approx(r2_score(y, several.predict(WINDOWS)))


def test_history_of_the_inputs_helps_on_a_real_series():
    X, y = load_gas_furnace(return_X_y=True, as_frame=True)
    X = X[["InputGasRate"]]  # which takes a minute to show in the CO2
    options = {"hidden_size": 8, "max_epochs": 40, "lr": 0.02}
    scores = [
        quick(lookback=lookback, **options).fit(X[:240], y[:240]).score(X[240:], y[240:])
        for lookback in (1, 8)
    ]
    assert scores[1] > scores[0] + 0.2


def test_large_data_are_computed_in_single_precision_and_small_in_double():
    small = quick().fit(WINDOWS, TARGET)
    X = rng.normal(size=(2001, 10, 5))
    large = quick(max_epochs=1, batch_size=2001, early_stopping=False).fit(X, X[:, 0, 0])
    dtypes = [next(m.net_.module_.parameters()).dtype for m in (small, large)]
    assert dtypes == [torch.float64, torch.float32]
    assert large.predict(X[:5]).dtype == np.float64
    np.testing.assert_allclose(large.predict(X)[:5], large.predict(X[:5]), atol=1e-5)


def test_the_device_is_chosen():
    auto = quick().fit(WINDOWS, TARGET)
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert next(auto.net_.module_.parameters()).device.type == expected
    cpu = quick(device="cpu").fit(WINDOWS, TARGET)
    assert next(cpu.net_.module_.parameters()).device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="weights are compacted on CUDA only")
def test_a_copy_on_cuda_predicts_and_trains_on_without_a_warning():  # warnings are errors here
    model = quick(warm_start=True).fit(WINDOWS, TARGET)
    expected = model.predict(WINDOWS)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(copied.predict(WINDOWS), expected, atol=1e-6)
    copy.deepcopy(model).fit(WINDOWS, TARGET)


@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU])
def test_recurrent_weights_are_compacted_before_they_are_used(layer, monkeypatch):
    attention = {torch.nn.LSTM: "bottleneck", torch.nn.GRU: "retain"}[layer]
    model = quick(attention=attention).fit(WINDOWS, TARGET)
    compacted = []
    monkeypatch.setattr(layer, "flatten_parameters", lambda self: compacted.append(self))
    model.predict(WINDOWS)
    assert compacted == [m for m in model.net_.module_.modules() if isinstance(m, layer)]


def test_going_on_takes_the_learning_rate_and_batch_size_of_now():
    model = quick(warm_start=True, max_epochs=2, lr=0.01, batch_size=8).fit(WINDOWS, TARGET)
    model.set_params(lr=0.001, batch_size=len(WINDOWS)).fit(WINDOWS, TARGET)
    assert model.history_.lr.tolist() == [0.01, 0.01, 0.001, 0.001]
    assert model.net_.history[:, "train_batch_count"][0] > 1
    assert model.net_.history[:, "train_batch_count"][-1] == 1
