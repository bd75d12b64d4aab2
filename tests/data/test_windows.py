"""Windows and targets against an explicit loop."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn._data._split import last_block, reaches_into
from sk_tsattn._data._windows import Windows

codes_of_rows = hnp.arrays(np.int64, st.integers(1, 25), elements=st.integers(0, 3))


def series_of(n_rows, n_features=2):
    """Return distinct rows: row i is (i, 1000 + i, 2000 + i, ...)."""
    return np.arange(n_rows)[:, None] + 1000.0 * np.arange(n_features)


def history_of(codes, row):
    """Return the rows of the same series up to a row, by brute force."""
    return [other for other in range(row + 1) if codes[other] == codes[row]]


# ------------------------------------------------------------------------------ make_windows


@given(
    n_rows=st.integers(1, 30),
    n_features=st.integers(1, 3),
    n_outputs=st.integers(0, 3),  # 0: a vector
    lookback=st.integers(1, 8),
    horizon=st.integers(1, 4),
    gap=st.integers(0, 4),
)
def test_a_target_is_gap_plus_one_rows_after_its_window(
    n_rows, n_features, n_outputs, lookback, horizon, gap
):
    assume(n_rows >= lookback + gap + horizon)
    series = series_of(n_rows, n_features)
    target = 0.5 + series_of(n_rows, max(n_outputs, 1))
    target = target if n_outputs else target[:, 0]
    X, y, index = make_windows(series, target, lookback=lookback, horizon=horizon, gap=gap)
    n_windows = n_rows - lookback - gap - horizon + 1
    assert X.shape == (n_windows, lookback, n_features)
    assert len(y) == len(index) == n_windows
    vector = n_outputs == 0 and horizon == 1
    n_columns = max(n_outputs, 1) * horizon
    assert y.shape == ((n_windows,) if vector else (n_windows, n_columns))
    for i in range(n_windows):
        newest = i + lookback - 1
        assert index[i] == newest
        np.testing.assert_array_equal(X[i], series[i : i + lookback])
        expected = target[newest + 1 + gap : newest + 1 + gap + horizon]
        np.testing.assert_array_equal(np.ravel(y[i]), expected.ravel())


def test_the_target_of_a_vector_one_step_ahead_is_a_vector():
    X, y, _ = make_windows(series_of(6), np.arange(6), lookback=2)
    assert X.shape == (4, 2, 2)
    np.testing.assert_array_equal(y, [2, 3, 4, 5])


def test_several_horizons_are_columns_nearest_first():
    _, y, _ = make_windows(series_of(7), np.arange(7), lookback=3, horizon=3)
    np.testing.assert_array_equal(y, [[3, 4, 5], [4, 5, 6]])


def test_several_outputs_are_adjacent_columns_within_each_horizon():
    target = np.column_stack([np.arange(6), 10 + np.arange(6)])
    _, y, _ = make_windows(series_of(6), target, lookback=3, horizon=2)
    np.testing.assert_array_equal(y, [[3, 13, 4, 14], [4, 14, 5, 15]])
    _, y, _ = make_windows(series_of(6), target, lookback=3)
    np.testing.assert_array_equal(y, [[3, 13], [4, 14], [5, 15]])


def test_the_newest_row_is_the_target_only_with_horizon_nowcast():
    series = series_of(6)
    _, y, index = make_windows(series, series[:, 0], lookback=3, horizon="nowcast")
    np.testing.assert_array_equal(y, index)
    np.testing.assert_array_equal(index, [2, 3, 4, 5])
    for horizon in (0, -1, None, True, 1.0, "now"):
        with pytest.raises(ValueError, match=r"an int >= 1, a list of them, or 'nowcast'\. Got"):
            make_windows(series, series[:, 0], lookback=3, horizon=horizon)
    with pytest.raises(ValueError, match=r"gap must be 0 with horizon='nowcast'.*Got gap=1"):
        make_windows(series, series[:, 0], lookback=3, horizon="nowcast", gap=1)


def test_no_target_is_inside_or_before_its_window():
    series = np.arange(40.0)
    for horizon, gap in [(1, 0), (3, 0), (1, 2), (4, 3)]:
        X, y, _ = make_windows(series, series, lookback=5, horizon=horizon, gap=gap)
        newest_input, oldest_target = X.max(axis=(1, 2)), y.reshape(len(y), -1).min(axis=1)
        np.testing.assert_array_equal(oldest_target - newest_input, gap + 1)


def test_the_target_may_be_columns_by_name():
    times = pd.date_range("2020", periods=6, freq="D")
    frame = pd.DataFrame(series_of(6), columns=["a", "b"], index=times)
    X, y, index = make_windows(frame, "b", lookback=3)
    np.testing.assert_array_equal(y, [1003, 1004, 1005])
    pd.testing.assert_index_equal(index, times[2:5])
    _, y, _ = make_windows(frame, ["b", "a"], lookback=3)
    np.testing.assert_array_equal(y, [[1003, 3], [1004, 4], [1005, 5]])
    _, y, _ = make_windows(frame[["a"]], frame["b"], lookback=3)
    np.testing.assert_array_equal(y, [1003, 1004, 1005])
    assert X.shape == (3, 3, 2)


def test_windows_and_targets_are_views():
    series, target = series_of(10), np.arange(10.0)
    X, y, _ = make_windows(series, target, lookback=4, horizon=2)
    assert np.shares_memory(X, series)
    assert np.shares_memory(y, target)
    assert not X.flags.writeable
    X, y, _ = make_windows(series, target, lookback=4)
    assert np.shares_memory(y, target)


def test_without_a_target_all_complete_windows_are_returned():
    X, y, index = make_windows(series_of(6), lookback=6)
    assert X.shape == (1, 6, 2)
    assert y is None
    np.testing.assert_array_equal(index, [5])


def test_a_vector_is_a_series_of_one_feature():
    X, _, _ = make_windows(pd.Series([1, 2, 3], index=[7, 8, 9]), lookback=2)
    np.testing.assert_array_equal(X, [[[1], [2]], [[2], [3]]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lookback": 0}, r"lookback must be an int >= 1\. Got 0 instead"),
        ({"lookback": 2.0}, r"lookback must be an int >= 1\. Got 2\.0 instead"),
        ({"lookback": True}, r"lookback must be an int >= 1\. Got True instead"),
        ({"lookback": 2, "gap": -1}, r"gap must be an int >= 0\. Got -1 instead"),
        (
            {"lookback": 6},
            r"at least 7 rows for lookback=6, horizon=1 and gap=0\. Got 6 instead; shorten",
        ),
        (
            {"lookback": 3, "horizon": 3, "gap": 2},
            r"at least 8 rows for lookback=3, horizon=3 and gap=2\. Got 6 instead",
        ),
        ({"lookback": 2, "y": np.arange(5)}, r"y must have shape \(6,\).*\(5,\) instead; give the"),
        ({"lookback": 2, "y": "a"}, r"y='a' names a column.*Got ndarray instead; give the target"),
        ({"lookback": 2, "series": np.zeros((6, 2, 1))}, r"\(6, 2, 1\) instead; windows that are"),
    ],
)
def test_an_invalid_argument_is_an_error_with_advice(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_windows(**({"series": series_of(6), "y": np.arange(6)} | arguments))


def test_a_panel_is_not_cut_as_one_series():
    index = pd.MultiIndex.from_product([["a", "b"], range(3)])
    with pytest.raises(ValueError, match=r"must be one series.*call make_windows for each"):
        make_windows(pd.DataFrame({"x": range(6)}, index=index), "x", lookback=2)


# ------------------------------------------------------------------------------ Windows


@given(codes=codes_of_rows, lookback=st.integers(1, 6), data=st.data())
def test_windows_of_interleaved_series_are_those_of_a_loop(codes, lookback, data):
    values = series_of(len(codes))
    windows = Windows.of_rows(values, lookback, codes)
    which = np.array(data.draw(st.lists(st.integers(0, len(codes) - 1), min_size=1)))
    X, mask = windows.take(which, np.arange(1 - lookback, 1))
    complete = windows.complete()
    for i, row in enumerate(which):
        history = history_of(codes, row)[-lookback:]
        n_missing = lookback - len(history)
        np.testing.assert_array_equal(X[i, n_missing:], values[history])
        assert complete[row] == (n_missing == 0)
        if mask is None:
            assert n_missing == 0
        else:
            np.testing.assert_array_equal(mask[i], np.arange(lookback) >= n_missing)
        # A missing step is filled with a row of the same series.
        assert set(codes[X[i, :, 0].astype(int)]) == {codes[row]}


@given(n_rows=st.integers(1, 12), lookback=st.integers(1, 6))
def test_one_series_needs_no_codes(n_rows, lookback):
    values = series_of(n_rows)
    which, offsets = np.arange(n_rows), np.arange(1 - lookback, 1)
    X, mask = Windows.of_rows(values, lookback).take(which, offsets)
    X_coded, mask_coded = Windows.of_rows(values, lookback, np.zeros(n_rows, int)).take(
        which, offsets
    )
    np.testing.assert_array_equal(X, X_coded)
    np.testing.assert_array_equal(mask, mask_coded)
    assert (mask is None) == (lookback == 1)


@given(codes=codes_of_rows, lookback=st.integers(1, 6), data=st.data())
def test_a_row_is_counted_as_often_as_it_occurs_in_explicit_windows(codes, lookback, data):
    n_rows = len(codes)
    weight = data.draw(hnp.arrays(np.float64, n_rows, elements=st.integers(0, 3)))
    chosen = data.draw(hnp.arrays(bool, n_rows))
    expected = np.zeros(n_rows)
    for row in np.flatnonzero(chosen):
        expected[history_of(codes, row)[-lookback:]] += weight[row]
    windows = Windows.of_rows(series_of(n_rows), lookback, codes).select(chosen)
    np.testing.assert_allclose(windows.n_uses(weight[chosen]), expected, atol=1e-12)


def test_a_row_of_no_window_is_counted_zero_times():
    windows = Windows.of_rows(series_of(40), 3).select(np.arange(2, 20))
    assert (windows.n_uses(np.full(18, 0.1))[20:] == 0).all()


def test_tensors_are_cut_like_arrays():
    codes = np.array([1, 0, 1, 1, 0, 1])
    windows = Windows.of_rows(series_of(6), 3, codes)
    tensors = windows.convert(torch.as_tensor(windows.values), torch.as_tensor)
    X, mask = windows.take(np.arange(6), np.arange(-2, 1))
    X_tensor, mask_tensor = tensors.take(torch.arange(6), torch.arange(-2, 1))
    np.testing.assert_array_equal(X_tensor.numpy(), X)
    np.testing.assert_array_equal(mask_tensor.numpy(), mask)


# ------------------------------------------------------------------------------ last_block


@given(codes=codes_of_rows, fraction=st.floats(0.01, 0.99))
def test_the_last_block_is_the_newest_fraction_of_each_series(codes, fraction):
    is_last = last_block(codes, fraction)
    for code in np.unique(codes):
        members = is_last[codes == code]
        assert (np.diff(members.astype(int)) >= 0).all()  # nothing after the block
        assert not members[0]  # at least one window is left for training
        n_last = members.sum()
        assert n_last == min(np.ceil(fraction * len(members)), len(members) - 1)


@given(
    n_rows=st.integers(6, 40),
    lookback=st.integers(1, 8),
    stride=st.integers(1, 10),
    fraction=st.floats(0.05, 0.9),
    n_series=st.integers(1, 2),
)
def test_windows_reach_into_the_last_block_if_and_only_if_they_have_rows_in_common_with_it(
    n_rows, lookback, stride, fraction, n_series
):
    starts = np.arange(0, n_rows - lookback + 1, stride)
    assume(len(starts) >= 2)
    rng = np.random.default_rng(0)
    blocks = [rng.normal(size=(n_rows, 2)) for _ in range(n_series)]
    cut = [[block[s : s + lookback] for s in starts] for block in blocks]
    values = np.concatenate(cut)
    series = np.repeat(np.arange(n_series), len(starts))
    is_last = last_block(series, fraction)
    reaches = reaches_into(Windows.of_windows(values), is_last, series)
    first_held = starts[int(np.argmax(is_last[: len(starts)]))]
    expected = ~is_last & (np.tile(starts, n_series) + lookback - 1 >= first_held)
    np.testing.assert_array_equal(reaches, expected)


# ------------------------------------------------------------------------------ both ways


@pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")
def test_rows_with_lookback_equal_the_windows_of_make_windows():
    rng = np.random.default_rng(0)
    series, target = rng.normal(size=(60, 3)), rng.normal(size=60)
    options = {"hidden_size": 4, "max_epochs": 4, "early_stopping": False, "random_state": 0}
    by_rows = AttentionLSTMRegressor(lookback=6, **options).fit(series, target)
    X, y, index = make_windows(series, target, lookback=6, horizon="nowcast")
    by_windows = AttentionLSTMRegressor(**options).fit(X, y)
    np.testing.assert_allclose(by_windows.predict(X), by_rows.predict(series)[index], rtol=1e-9)
    np.testing.assert_allclose(by_windows.attention_, by_rows.attention_, rtol=1e-9)
    np.testing.assert_allclose(
        by_windows.history_.train_loss, by_rows.history_.train_loss, rtol=1e-9
    )


def test_several_horizons_are_predicted_as_columns():
    series = np.sin(np.arange(80.0))
    X, y, _ = make_windows(series, series, lookback=6, horizon=3)
    options = {"hidden_size": 8, "max_epochs": 60, "lr": 0.02, "random_state": 0}
    prediction = AttentionLSTMRegressor(**options).fit(X[:60], y[:60]).predict(X[60:])
    assert prediction.shape == y[60:].shape == (12, 3)
    for step in range(3):  # each column is its own horizon and no other
        errors = np.abs(prediction[:, [step]] - y[60:]).mean(axis=0)
        assert errors.argmin() == step
