"""The validation set: the newest windows of each series, or X_val and y_val."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_squared_error

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn import _training as training
from sk_tsattn.attention import ATTENTION_MODES

N, T, F = 60, 5, 3
rng = np.random.default_rng(0)
WINDOWS = rng.normal(size=(N, T, F))
ROWS = rng.normal(size=(N, F))
TARGET = WINDOWS[:, 2, 1] + 0.1 * rng.normal(size=N)
MODES = pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])

# The first rows have short windows; that is intended.
SHORT_WINDOWS = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")


def quick(**changes):
    options = {"attention": "bahdanau", "hidden_size": 4, "max_epochs": 3, "random_state": 0}
    return AttentionLSTMRegressor(**options | {"early_stopping": False} | changes)


@pytest.fixture
def fitted_sets(monkeypatch):
    """Record the training and validation sets of each fit, as arrays of windows."""
    calls = []
    train = training.train

    def spy(net, training_set, validation_set, **options):
        sets = [unscaled_windows(s) for s in (training_set, validation_set)]
        calls.append({"training": sets[0], "validation": sets[1], **options})
        return train(net, training_set, validation_set, **options)

    monkeypatch.setattr(training, "train", spy)
    return calls


def unscaled_windows(dataset):
    """Return the windows without scaling, so that their values identify the rows."""
    if dataset is None:
        return None
    X = dataset.batch(torch.arange(len(dataset)))["X"].double().cpu().numpy()
    return X * dataset.scaler.scale + dataset.scaler.mean


def numbered_rows(n_rows):
    """Return rows whose first feature is the row number and whose second is noise."""
    noise = np.random.default_rng(0).normal(size=n_rows)
    return np.column_stack([np.arange(n_rows, dtype=float), noise])


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("n_series", [1, 2])
def test_the_last_rows_of_each_series_are_held_out(fitted_sets, fraction, n_series):
    lookback, n_rows = 4, 40
    X = numbered_rows(n_series * n_rows)
    groups = np.repeat(np.arange(n_series), n_rows)
    quick(lookback=lookback, early_stopping=True, validation_fraction=fraction).fit(
        X, X[:, 1], groups=groups
    )
    last_rows = np.sort(np.rint(fitted_sets[0]["validation"][:, -1, 0]))
    n_held = int(np.ceil(fraction * (n_rows - lookback + 1)))
    expected = np.concatenate(
        [np.arange(n_rows - n_held, n_rows) + n_rows * i for i in range(n_series)]
    )
    np.testing.assert_array_equal(last_rows, expected)
    trained = np.rint(fitted_sets[0]["training"][:, :, 0])
    assert len(trained) == n_series * (n_rows - lookback + 1 - n_held)
    for i in range(n_series):  # no training window overlaps the validation set
        of_series = trained[
            (trained >= i * n_rows).all(axis=1) & (trained < (i + 1) * n_rows).all(1)
        ]
        assert of_series.max() < n_rows * (i + 1) - n_held


@pytest.mark.parametrize(("stride", "n_dropped"), [(1, 5), (3, 1), (6, 0), (9, 0)])
@pytest.mark.parametrize("n_series", [1, 2])
def test_only_windows_that_overlap_the_validation_set_are_dropped(
    fitted_sets, stride, n_dropped, n_series
):
    lookback, n_windows = 6, 20
    series = numbered_rows(n_series * (lookback + stride * n_windows))
    starts = np.concatenate(
        [
            i * (lookback + stride * n_windows) + stride * np.arange(n_windows)
            for i in range(n_series)
        ]
    )
    X = np.stack([series[s : s + lookback] for s in starts])
    groups = np.repeat(np.arange(n_series), n_windows)
    quick(early_stopping=True, validation_fraction=0.2).fit(X, X[:, 0, 1], groups=groups)
    held = np.rint(fitted_sets[0]["validation"][:, :, 0])
    trained = np.rint(fitted_sets[0]["training"][:, :, 0])
    assert len(held) == 4 * n_series
    assert len(trained) == (16 - n_dropped) * n_series
    assert not set(held.ravel()) & set(trained.ravel())
    for i in range(n_series):
        oldest_held = starts[i * n_windows + 16]
        np.testing.assert_array_equal(
            np.sort(held[:, 0])[4 * i : 4 * i + 4], oldest_held + stride * np.arange(4)
        )


def test_windows_that_do_not_overlap_are_all_used(fitted_sets):
    quick(early_stopping=True).fit(WINDOWS, TARGET)
    np.testing.assert_allclose(fitted_sets[0]["training"], WINDOWS[:54], atol=1e-12)
    np.testing.assert_allclose(fitted_sets[0]["validation"], WINDOWS[54:], atol=1e-12)


def test_windows_of_weight_zero_are_not_held_out(fitted_sets):
    weight = np.r_[np.ones(40), np.zeros(20)]
    quick(early_stopping=True).fit(WINDOWS, TARGET, sample_weight=weight)
    np.testing.assert_allclose(fitted_sets[0]["validation"], WINDOWS[36:40], atol=1e-12)


def test_auto_holds_out_a_validation_set_from_500_windows(fitted_sets):
    X, y, _ = make_windows(numbered_rows(501), np.arange(501), lookback=2, horizon="nowcast")
    model = quick(early_stopping="auto", max_epochs=1, batch_size=500)
    model.fit(X[:499], y[:499])
    model.fit(X[:500], y[:500])
    model.fit(X[:60], y[:60], X_val=X[100:120], y_val=y[100:120])
    assert [call["validation"] is not None for call in fitted_sets] == [False, True, True]
    assert [call["stopping"] for call in fitted_sets] == [False, True, True]
    assert len(fitted_sets[1]["validation"]) == 50


def test_X_val_replaces_the_held_out_validation_set(fitted_sets):
    X_val, y_val = rng.normal(size=(9, T, F)), rng.normal(size=9)
    weight = np.r_[0.0, np.arange(1, 9)]
    model = quick(early_stopping=True, max_epochs=1).fit(
        WINDOWS, TARGET, X_val=X_val, y_val=y_val, sample_weight_val=weight
    )
    np.testing.assert_allclose(fitted_sets[0]["training"], WINDOWS, atol=1e-12)
    np.testing.assert_allclose(fitted_sets[0]["validation"], X_val[1:], atol=1e-12)
    error = mean_squared_error(y_val, model.predict(X_val), sample_weight=weight)
    assert model.history_.valid_loss[0] == pytest.approx(error / TARGET.var(), rel=1e-6)


def test_without_early_stopping_the_validation_loss_is_only_recorded():
    X_val, y_val = WINDOWS[:10], -100 * TARGET[:10]  # gets worse with every epoch
    validated = quick(max_epochs=15, lr=0.05).fit(WINDOWS, TARGET, X_val=X_val, y_val=y_val)
    alone = quick(max_epochs=15, lr=0.05).fit(WINDOWS, TARGET)
    assert validated.n_iter_ == len(validated.history_) == 15
    assert validated.history_.valid_loss.idxmin() != 14
    np.testing.assert_array_equal(validated.predict(WINDOWS), alone.predict(WINDOWS))


@SHORT_WINDOWS
def test_validation_rows_after_the_training_rows_have_these_as_history():
    times = pd.date_range("2020", periods=N, freq="h")
    frame = pd.DataFrame(ROWS, columns=list("abc"), index=times)
    model = quick(lookback=4, max_epochs=1).fit(
        frame[:50], TARGET[:50], X_val=frame[50:], y_val=TARGET[50:]
    )
    error = mean_squared_error(TARGET[50:], model.predict(frame)[50:])
    assert model.history_.valid_loss[0] == pytest.approx(error / TARGET[3:50].var(), rel=1e-6)


@SHORT_WINDOWS
def test_validation_rows_of_several_series_have_the_history_of_their_own_series():
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
def test_fewer_than_two_windows_to_split_are_an_error_with_advice(X, fitted_sets):
    if len(X) == 2:
        quick(early_stopping=True).fit(X, TARGET[:2])
        assert len(fitted_sets[0]["training"]) == len(fitted_sets[0]["validation"]) == 1
        return
    with pytest.raises(ValueError, match=r"at least 2 windows.*Got 1 instead; give X_val"):
        quick(early_stopping=True).fit(X, TARGET[:1])


def test_training_windows_that_all_overlap_the_validation_set_are_an_error(fitted_sets):
    X, y, _ = make_windows(numbered_rows(12), np.arange(12), lookback=8, horizon="nowcast")
    with pytest.raises(ValueError, match=r"do not overlap the validation set.*Got 5 windows of 8"):
        quick(early_stopping=True).fit(X, y)
    assert not fitted_sets
