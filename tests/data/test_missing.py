"""Missing cells: no attention, no influence, no part in any statistic; ragged windows."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from sk_tsattn import AttentionLSTMClassifier, AttentionLSTMRegressor
from sk_tsattn._data import _batches
from sk_tsattn._data._missing import fill_missing
from sk_tsattn._data._scaling import Standardizer, moments
from sk_tsattn.attention import ATTENTION_MECHANISMS
from sk_tsattn.attention._kinds import GATE_ATTRIBUTES
from sk_tsattn.inspection import (
    attention_importance,
    faithfulness,
    permutation_importance,
    uniform_attention_check,
)

polars = pytest.importorskip("polars")

# One epoch may be worse than the null model.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning"),
]

N, T, F = 40, 5, 3
EVERY_ATTENTION = [(name, mode) for name, modes in ATTENTION_MECHANISMS.items() for mode in modes]
rng = np.random.default_rng(0)
ROWS = rng.normal(size=(N, F))
WINDOWS = rng.normal(size=(N, T, F))
TARGET = rng.normal(size=N)


def with_holes(array, fraction=0.3):
    """Return a copy in which cells are missing, and some whole steps and features."""
    draw = np.random.default_rng(1)
    holes = np.where(draw.random(array.shape) < fraction, np.nan, array)
    if array.ndim == 3:
        holes[3] = np.nan  # a window
        holes[4, :3] = np.nan  # the oldest steps
        holes[5, -1] = np.nan  # the newest step
        holes[6, :, 1] = np.nan  # a feature
    return holes


def quick(attention="bahdanau", mode="both", **changes):
    options = {"max_epochs": 2, "hidden_size": 4, "random_state": 0}
    return AttentionLSTMRegressor(attention=attention, attention_mode=mode, **options | changes)


def by_hand(window):
    """Repeat the newest earlier value of each feature; a cell without any is NaN."""
    filled = window.copy()
    for t in range(1, len(window)):
        filled[t] = np.where(np.isnan(window[t]), filled[t - 1], window[t])
    return filled


# ------------------------------------------------------------------------------ one window


def test_a_missing_cell_repeats_the_newest_earlier_value_and_is_0_without_one():
    X = torch.as_tensor(with_holes(WINDOWS))
    filled, _ = fill_missing(X)
    expected = np.nan_to_num(np.stack([by_hand(window) for window in X.numpy()]))
    np.testing.assert_array_equal(filled, expected)


def test_steps_before_the_first_observed_cell_are_padding_but_never_the_newest():
    X = torch.ones(3, 4, 2)
    X[0, :2], X[1], X[2, 2] = torch.nan, torch.nan, torch.nan
    _, mask = fill_missing(X)
    assert mask.tolist() == [[False, False, True, True], [False] * 3 + [True], [True] * 4]


def test_what_a_short_window_lacks_is_no_value():
    X, mask = torch.ones(1, 3, 1), torch.tensor([[False, True, True]])
    X[0, 1] = torch.nan
    filled, begun = fill_missing(X, mask)
    assert filled.flatten().tolist() == [0, 0, 1]
    assert begun.tolist() == [[False, False, True]]


# ------------------------------------------------------------------------------ every mechanism


@pytest.mark.parametrize(("attention", "mode"), EVERY_ATTENTION)
def test_missing_cells_get_no_attention_and_the_others_all_of_it(attention, mode):
    X = with_holes(WINDOWS)
    observed = ~np.isnan(X)
    is_empty = ~observed.any(axis=(1, 2))
    model = quick(attention, mode).fit(X, TARGET)
    weights = model.attention_weights(X)
    seen = {"cell": observed, "time": observed.any(axis=2), "feature": observed.any(axis=1)}
    own = "cell" if mode == "both" else mode
    assert is_empty.sum() == 1
    for kind, values in weights.items():
        assert np.isfinite(values).all()
        assert (values[~seen[own if kind in GATE_ATTRIBUTES else kind]] == 0).all(), kind
        if kind not in GATE_ATTRIBUTES:
            np.testing.assert_allclose(values.reshape(N, -1).sum(axis=1), ~is_empty, atol=1e-12)
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize(("attention", "mode"), [*EVERY_ATTENTION, ("dense", None)])
def test_a_prediction_does_not_depend_on_the_batch(attention, mode):
    X = with_holes(WINDOWS)
    model = quick(attention, mode).fit(X, TARGET)
    together = model.predict(X)
    alone = [model.predict(X[i : i + 1])[0] for i in range(3, 8)]
    np.testing.assert_allclose(alone, together[3:8], rtol=1e-10)
    complete = model.predict(np.concatenate([WINDOWS[:4], X]))
    np.testing.assert_allclose(complete[4:], together, rtol=1e-10)


@pytest.mark.parametrize(("attention", "mode"), [*EVERY_ATTENTION, ("dense", None)])
def test_a_missing_cell_is_read_as_the_value_before_it(attention, mode):
    model = quick(attention, mode).fit(with_holes(WINDOWS), TARGET)
    X = with_holes(WINDOWS, fraction=0.3)
    X[:, 0] = WINDOWS[:, 0]  # every feature has a first value
    filled = np.stack([by_hand(window) for window in X])
    np.testing.assert_allclose(model.predict(X), model.predict(filled), rtol=1e-10)


@pytest.mark.parametrize(("attention", "mode"), [*EVERY_ATTENTION, ("dense", None)])
def test_a_window_without_values_is_predicted_as_one_step_of_means(attention, mode):
    model = quick(attention, mode, standardize=False, max_epochs=1).fit(WINDOWS, TARGET)
    X = np.full((2, T, F), np.nan)
    X[1, -1] = 0
    empty, means = model.predict(X)
    np.testing.assert_allclose(empty, means, rtol=1e-10)


def test_attention_on_a_repeated_value_is_that_of_the_cell_it_comes_from():
    model = quick().fit(WINDOWS, TARGET)
    X = WINDOWS.copy()
    X[:, 2:, 1] = np.nan
    filled = np.stack([by_hand(window) for window in X])
    expected = model.attention_weights(filled).cell
    found = model.attention_weights(X).cell
    np.testing.assert_allclose(found[:, 1, 1], expected[:, 1:, 1].sum(axis=1))
    np.testing.assert_allclose(found[..., [0, 2]], expected[..., [0, 2]])


def test_a_gate_on_a_repeated_value_is_that_of_the_cell_it_comes_from():
    model = quick("bottleneck").fit(WINDOWS, TARGET)
    X = WINDOWS.copy()
    X[:, 2:, 1] = np.nan
    filled = np.stack([by_hand(window) for window in X])
    for kind in GATE_ATTRIBUTES:
        expected = model.attention_weights(filled)[kind]
        found = model.attention_weights(X)[kind]
        np.testing.assert_allclose(found[:, 1, 1], expected[:, 1:, 1].max(axis=1))
        assert not found[:, 2:, 1].any()


# ------------------------------------------------------------------------------ rows


@pytest.mark.parametrize("context", ["auto", "mask"])
def test_rows_with_missing_cells_are_predicted_as_their_windows_are(context):
    rows = with_holes(ROWS)
    rows[7:10] = np.nan
    model = quick(lookback=T, context=context).fit(rows, TARGET)
    windows = np.lib.stride_tricks.sliding_window_view(rows, T, axis=0).transpose(0, 2, 1)
    np.testing.assert_allclose(model.predict(rows)[T - 1 :], model.predict(windows), rtol=1e-10)
    cell = model.attention_weights(rows).cell[T - 1 :]
    assert (cell[np.isnan(windows)] == 0).all()
    np.testing.assert_allclose(cell, model.attention_weights(windows).cell, rtol=1e-10)


@pytest.mark.parametrize("n_padded", range(1, T))
def test_a_short_window_is_one_whose_oldest_steps_are_missing(n_padded):
    rows = with_holes(ROWS)
    model = quick(lookback=T, context="mask").fit(rows, TARGET)
    n = T - n_padded
    window = np.full((1, T, F), np.nan)
    window[0, n_padded:] = rows[:n]
    np.testing.assert_allclose(model.predict(rows[:n])[-1:], model.predict(window), rtol=1e-10)


def test_missing_rows_of_the_known_history_are_missing_in_later_windows():
    frame = pd.DataFrame(
        ROWS, columns=list("abc"), index=pd.date_range("2024", periods=N, freq="h")
    )
    frame.iloc[28:31, 1] = np.nan
    model = quick(lookback=T).fit(frame[:30], TARGET[:30])
    whole = model.predict(frame)[30:]
    np.testing.assert_allclose(model.predict(frame[30:]), whole, rtol=1e-10)


def test_windows_from_disk_are_filled_as_those_in_memory(monkeypatch):
    rows = with_holes(ROWS)
    for X, lookback in [(rows, T), (with_holes(WINDOWS), None)]:
        expected = quick(lookback=lookback).fit(X, TARGET)
        with monkeypatch.context() as small:
            small.setattr(_batches, "RESIDENT_BYTES", 10)
            streamed = quick(lookback=lookback).fit(X, TARGET)
            np.testing.assert_array_equal(streamed.predict(X), expected.predict(X))
            weights = streamed.attention_weights(X).cell
        np.testing.assert_array_equal(weights, expected.attention_weights(X).cell)


# ------------------------------------------------------------------------------ statistics


def test_missing_values_do_not_enter_the_moments(monkeypatch):
    X, weight = with_holes(WINDOWS), rng.uniform(size=N)
    flat = X.reshape(-1, F)
    repeated = np.repeat(weight, T)
    for chunk in (10, 10**6):
        monkeypatch.setattr("sk_tsattn._data._scaling.CHUNK_VALUES", chunk)
        mean, std, _ = moments(X, weight)
        for f in range(F):
            seen = ~np.isnan(flat[:, f])
            expected = np.average(flat[seen, f], weights=repeated[seen])
            variance = np.average((flat[seen, f] - expected) ** 2, weights=repeated[seen])
            np.testing.assert_allclose([mean[f], std[f]], [expected, variance**0.5])


def test_a_constant_column_with_missing_values_is_constant():
    values = np.where(rng.random((50, 1)) < 0.5, np.nan, 0.1)
    mean, std, _ = moments(values, np.ones(50))
    assert std == 0
    np.testing.assert_allclose(mean, 0.1)


def test_a_large_value_is_refused_beside_missing_ones():
    X = with_holes(WINDOWS)
    scaler = Standardizer.for_features(X, np.ones(N), standardize=True, columns=["a", "b", "c"])
    X[8, 2, 2] = 1e30
    with pytest.raises(ValueError, match=r"Got 1e\+30 in column 'c' instead"):
        scaler.transform(X)


@pytest.mark.parametrize("standardize", [True, False])
def test_a_column_without_values_is_warned_about_and_has_no_influence(standardize):
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c"]).assign(b=np.nan)
    model = quick("bottleneck", lookback=T, standardize=standardize)
    with pytest.warns(UserWarning, match=r"NaN throughout in the column 'b' of the training"):
        model.fit(frame, TARGET)
    assert model.feature_attention_[1] == 0
    np.testing.assert_allclose(model.feature_attention_.sum(), 1)
    known = frame.assign(b=ROWS[:, 1])
    np.testing.assert_allclose(model.predict(known), model.predict(frame), rtol=1e-10)
    with pytest.warns(UserWarning, match=r"no influence\. Got other values of 'b' to go on with"):
        model.partial_fit(known, TARGET)


def test_only_the_windows_that_overlap_the_validation_set_are_left_out():
    rows = with_holes(ROWS)
    windows = np.lib.stride_tricks.sliding_window_view(rows, T, axis=0).transpose(0, 2, 1)
    y = TARGET[T - 1 :]
    cut = quick(early_stopping=True, validation_fraction=0.25).fit(windows, y)
    n_left_out = T - 1
    n_held = int(np.ceil(0.25 * len(y)))
    kept = slice(0, len(y) - n_held - n_left_out)
    expected = quick(early_stopping=True)
    expected.fit(windows[kept], y[kept], X_val=windows[-n_held:], y_val=y[-n_held:])
    np.testing.assert_array_equal(cut.predict(windows), expected.predict(windows))


# ------------------------------------------------------------------------------ ragged windows

RAGGED = [window[i % T :] for i, window in enumerate(with_holes(WINDOWS, 0.1))]


def padded(windows, n_timesteps):
    array = np.full((len(windows), n_timesteps, F), np.nan)
    for row, window in zip(array, windows, strict=True):
        row[n_timesteps - len(window) :] = window
    return array


@pytest.mark.parametrize("kind", ["arrays", "frames", "polars", "tensors", "tuple"])
def test_a_list_of_windows_of_unequal_length_is_padded_at_the_oldest_side(kind):
    to = {
        "arrays": np.asarray,
        "frames": lambda window: pd.DataFrame(window, columns=list("abc")),
        "polars": lambda window: polars.DataFrame(window, schema=list("abc")),
        "tensors": torch.as_tensor,
        "tuple": np.asarray,
    }[kind]
    windows = (tuple if kind == "tuple" else list)(to(window) for window in RAGGED)
    model = quick().fit(windows, TARGET)
    expected = quick().fit(padded(RAGGED, T), TARGET)
    assert model.n_timesteps_in_ == T
    np.testing.assert_array_equal(model.predict(windows), expected.predict(padded(RAGGED, T)))
    assert hasattr(model, "feature_names_in_") == (kind in ("frames", "polars"))
    shorter = windows[3:5]  # of other lengths than the longest
    np.testing.assert_allclose(model.predict(shorter), model.predict(windows)[3:5], rtol=1e-10)
    cell = model.attention_weights(windows).cell
    for weights, window in zip(cell, RAGGED, strict=True):
        assert not weights[: T - len(window)].any()


def test_padding_does_not_enter_the_statistics():
    one = quick().fit(RAGGED, TARGET)
    seen = np.concatenate(RAGGED)
    np.testing.assert_allclose(one._x_scaler.mean, np.nanmean(seen, axis=0))


@pytest.mark.parametrize("n_padded", [1, 3, 20])
@pytest.mark.parametrize(("attention", "mode"), EVERY_ATTENTION)
def test_padding_all_windows_changes_no_result_of_a_mechanism(attention, mode, n_padded):
    """Networks of other lengths have other weights; within one, padding is not seen."""
    X = np.full((N, T + n_padded, F), np.nan)
    X[:, n_padded:] = WINDOWS
    model = quick(attention, mode, max_epochs=1).fit(X, TARGET)
    by_list = model.predict(list(WINDOWS))
    np.testing.assert_allclose(by_list, model.predict(X), rtol=1e-10)
    weights = model.attention_weights(list(WINDOWS))
    if "time" in weights:
        assert not weights.time[:, :n_padded].any()


def test_windows_longer_than_those_of_the_fit_are_refused():
    model = quick().fit(RAGGED, TARGET)
    with pytest.raises(ValueError, match=r"must have windows of 5 steps.*Got 7 steps"):
        model.predict([np.zeros((7, F)), np.zeros((2, F))])


def test_windows_with_other_features_are_named():
    with pytest.raises(ValueError, match=r"same features, 3 features\. Got 2 features in window 1"):
        quick().fit([ROWS[:4], ROWS[:3, :2]], [0.0, 1.0])
    frames = [pd.DataFrame(ROWS[:4], columns=list("abc")), pd.DataFrame(ROWS[:3], columns=[*"acb"])]
    with pytest.raises(ValueError, match=r"the columns \['a', 'b', 'c'\]\. Got \['a', 'c', 'b'\]"):
        quick().fit(frames, [0.0, 1.0])


@pytest.mark.parametrize("to", [np.asarray, pd.DataFrame])
def test_series_in_a_list_are_told_from_windows(to):
    series = [to(ROWS[:15]), to(ROWS[15:])]
    with pytest.raises(ValueError, match=r"Got a target for each of their 40 rows.*groups"):
        quick().fit(series, TARGET)
    with pytest.raises(ValueError, match=r"needs lookback=None\. Got lookback=4.*groups"):
        quick(lookback=4).fit(series, TARGET)
    assert quick().fit(series, [0.0, 1.0]).predict(series).shape == (2,)


# ------------------------------------------------------------------------------ inspection


def test_the_inspection_of_windows_with_missing_cells_gives_numbers():
    X = with_holes(WINDOWS)
    X[:, 0, 0] = np.nan  # a cell that is never known
    model = quick("bottleneck").fit(X, TARGET)
    for baseline in ("permute", "mean"):
        result = faithfulness(
            model, X, TARGET, baseline=baseline, n_repeats=1, n_bootstrap=10, random_state=0
        )
        assert np.isfinite(result.areas).all(axis=None)
    importance = permutation_importance(model, X, TARGET, n_repeats=2, random_state=0)
    assert np.isfinite(importance.importances_mean).all()
    assert np.isfinite(uniform_attention_check(model, X, TARGET).difference)


def test_the_inspection_of_a_list_of_windows_is_that_of_the_padded_array():
    model = quick().fit(RAGGED, TARGET)
    array = padded(RAGGED, T)
    options = {"n_repeats": 2, "random_state": 0}
    for inspect in (permutation_importance, attention_importance):
        found, expected = (inspect(model, X, TARGET, **options) for X in (RAGGED, array))
        pd.testing.assert_frame_equal(found.frame, expected.frame)
    found, expected = (
        faithfulness(model, X, TARGET, n_bootstrap=5, **options) for X in (RAGGED, array)
    )
    pd.testing.assert_frame_equal(found.areas, expected.areas)


def test_no_warning_is_given_for_missing_cells():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick().fit(with_holes(WINDOWS), TARGET).predict(with_holes(WINDOWS))


# ------------------------------------------------------------------------------ unknown targets

TARGETS = np.column_stack([WINDOWS[:, -1, 0], WINDOWS[:, -2, 1]])
KNOWN = np.random.default_rng(2).random((N, 2)) < 0.7
KNOWN[3] = False  # a window without a target
LOSSES = {
    "squared_error": {"loss": "squared_error"},
    "huber": {"loss": "huber"},
    "quantile": {"loss": "quantile", "quantiles": [0.1, 0.5, 0.9]},
    "criterion": {"net_params": {"criterion": torch.nn.SmoothL1Loss}},
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("attention", ["bahdanau", "bottleneck"])
@pytest.mark.parametrize("value", [np.nan, 1e6])
def test_unknown_targets_have_no_influence(loss, attention, value):
    options = LOSSES[loss] | {"early_stopping": True}
    unknown = np.where(KNOWN, TARGETS, value)
    model = quick(attention, **options).fit(WINDOWS, unknown, KNOWN)
    expected = quick(attention, **options).fit(WINDOWS, TARGETS, KNOWN)
    np.testing.assert_array_equal(model.predict(WINDOWS), expected.predict(WINDOWS))
    assert np.isfinite(model.history_.valid_loss).all()
    assert model.score(WINDOWS, unknown, KNOWN) == expected.score(WINDOWS, TARGETS, KNOWN)


def test_known_targets_of_one_column_equal_weights_of_rows():
    column, known = TARGETS[:, :1], KNOWN[:, :1]
    model = quick().fit(WINDOWS, column, known)
    expected = quick().fit(WINDOWS, column, known[:, 0])
    np.testing.assert_array_equal(model.predict(WINDOWS), expected.predict(WINDOWS))
    score = model.score(WINDOWS, column, known)
    np.testing.assert_allclose(score, expected.score(WINDOWS, column, known[:, 0]))


def test_a_target_is_learnt_from_the_windows_in_which_it_is_known():
    X = rng.normal(size=(400, 3, 2))
    y = np.column_stack([X[:, -1, 0], X[:, -1, 1]])
    known = np.column_stack([np.arange(400) < 250, np.arange(400) >= 150])
    frame = pd.DataFrame(y).where(known)
    model = quick(max_epochs=60, hidden_size=8, early_stopping=False)
    model.fit(X, frame, sample_weight=frame.notna())
    assert model.score(X, y) > 0.9


def test_every_column_needs_a_known_target():
    known = np.column_stack([np.ones(N, dtype=bool), np.zeros(N, dtype=bool)])
    with pytest.raises(ValueError, match=r"known target in each column.*none in column 1"):
        quick().fit(WINDOWS, TARGETS, known)


def test_weights_of_single_targets_are_booleans_of_the_shape_of_y():
    with pytest.raises(ValueError, match=r"or be a boolean array of the shape of y.*of float64"):
        quick().fit(WINDOWS, TARGETS, KNOWN.astype(float))
    with pytest.raises(ValueError, match=r"shape of y, \(40, 2\)\. Got an array of shape \(40, 1"):
        quick().fit(WINDOWS, TARGETS, KNOWN[:, :1])
    unknown = TARGETS.copy()
    unknown[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"y contains NaN.*column 1, in 1 of 40 rows \(7\)"):
        quick().fit(WINDOWS, unknown, np.ones((N, 2), dtype=bool))
    classifier = AttentionLSTMClassifier(attention="bahdanau")
    with pytest.raises(ValueError, match=r"shape \(40,\), one weight for each row"):
        classifier.fit(WINDOWS, TARGET > 0, KNOWN)
