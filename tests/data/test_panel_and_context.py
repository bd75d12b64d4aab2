"""Several series, which never mix, and the history of the first rows of new data."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn import AttentionLSTMRegressor
from sk_tsattn import _training as training
from sk_tsattn._data._history import History
from sk_tsattn._data._rows import Rows
from sk_tsattn.attention import ATTENTION_MODES

# Most of these predict from short windows on purpose; tests/data/test_history.py is about the
# warning.
pytestmark = pytest.mark.filterwarnings("ignore::sk_tsattn.exceptions.HistoryWarning")

L, F = 4, 2
N_TRAIN, N_NEW = 40, 10
N = N_TRAIN + N_NEW
rng = np.random.default_rng(0)
ROWS = rng.normal(size=(N, F))
TARGET = rng.normal(size=N)


def quick(**changes):
    return AttentionLSTMRegressor(
        **{"hidden_size": 4, "max_epochs": 3, "lookback": L, "random_state": 0} | changes
    )


def frame_with(index, rows=ROWS):
    return pd.DataFrame(rows, columns=["a", "b"], index=index)


def two_series(interleaved):
    """Return two series as arrays with groups; the rows of each are in time order."""
    groups = np.repeat([7, 3], [N // 2, N - N // 2])
    if interleaved:
        groups = np.random.default_rng(1).permutation(groups)
    return ROWS, TARGET, groups


def as_panel(X, groups):
    """Return a frame in which the rows of each series have their own time stamps."""
    hours = pd.Series(groups).groupby(groups).cumcount()
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(hours, unit="h")
    index = pd.MultiIndex.from_arrays([groups, times], names=["station", "hour"])
    return pd.DataFrame(X, columns=["a", "b"], index=index)


# ------------------------------------------------------------------------------ several series


@pytest.mark.parametrize("interleaved", [False, True])
def test_series_are_predicted_as_each_by_itself(interleaved):
    X, y, groups = two_series(interleaved)
    model = quick(context="mask").fit(X, y, groups=groups)
    together = model.predict(X, groups=groups)
    for series in (3, 7):
        of_series = groups == series
        alone = model.predict(X[of_series], groups=groups[of_series])
        np.testing.assert_allclose(together[groups == series], alone, rtol=1e-9)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_groups_and_a_multi_index_have_the_same_result(interleaved, early_stopping):
    X, y, groups = two_series(interleaved)
    options = {"early_stopping": early_stopping}
    by_groups = quick(**options).fit(X, y, groups=groups)
    panel = as_panel(X, groups)
    by_index = quick(**options).fit(panel, y)
    expected = by_groups.predict(X, groups=groups)
    np.testing.assert_allclose(by_index.predict(panel), expected, rtol=1e-9)
    with pytest.warns(UserWarning, match="valid feature names"):
        np.testing.assert_allclose(by_index.predict(X, groups=groups), expected, rtol=1e-9)
    assert by_groups.score(X, y, groups=groups) == pytest.approx(by_index.score(panel, y))
    np.testing.assert_allclose(
        by_groups.attention_weights(X, groups=groups).cell, by_index.attention_weights(panel).cell
    )


def test_interleaving_series_changes_nothing():
    X, y, groups = two_series(interleaved=True)
    order = np.argsort(groups, kind="stable")
    # One batch and no sampled gates, so that the order of the windows has no effect.
    options = {"batch_size": N, "attention": "bahdanau"}
    interleaved = quick(**options).fit(X, y, groups=groups)
    sorted_ = quick(**options).fit(X[order], y[order], groups=groups[order])
    np.testing.assert_allclose(
        interleaved.predict(X, groups=groups)[order],
        sorted_.predict(X[order], groups=groups[order]),
        rtol=1e-6,
    )


@pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])
def test_no_window_crosses_into_another_series(mode):
    X, y, groups = two_series(interleaved=True)
    model = quick(attention_mode=mode).fit(X, y, groups=groups)
    before = model.predict(X, groups=groups)
    other = X.copy()
    other[groups == 3] += 5
    after = model.predict(other, groups=groups)
    np.testing.assert_array_equal(before[groups == 7], after[groups == 7])
    assert (before[groups == 3] != after[groups == 3]).all()


@pytest.mark.parametrize("interleaved", [False, True])
def test_training_uses_the_complete_windows_of_each_series_and_no_others(interleaved, monkeypatch):
    _, y, groups = two_series(interleaved)
    # The values of a row are its number and its series.
    X = np.column_stack([np.arange(N), groups]).astype(float)
    seen = []
    train = training.train

    def spy(net, training_set, *args, **kwargs):
        batch = training_set.batch(torch.arange(len(training_set)))
        assert "mask" not in batch
        seen.append(batch["X"].cpu().numpy())
        return train(net, training_set, *args, **kwargs)

    monkeypatch.setattr(training, "train", spy)
    quick(standardize=False).fit(X, y, groups=groups)
    (windows,) = seen
    of_series = {code: np.flatnonzero(groups == code) for code in (3, 7)}
    expected = sorted(
        rows[i - L + 1 : i + 1].tolist()
        for rows in of_series.values()
        for i in range(L - 1, len(rows))
    )
    assert sorted(windows[:, :, 0].astype(int).tolist()) == expected
    assert (np.ptp(windows[:, :, 1], axis=1) == 0).all()


def test_a_series_unknown_at_fit_is_predicted():
    X, y, groups = two_series(interleaved=False)
    model = quick().fit(X, y, groups=groups)
    np.testing.assert_allclose(
        model.predict(X, groups=groups),
        model.predict(X, groups=groups + 100),
    )


def test_windows_as_input_may_have_groups():
    X = rng.normal(size=(20, 3, F))
    y = rng.normal(size=20)
    groups = np.repeat([0, 1], 10)
    options = {"lookback": None, "early_stopping": True, "validation_fraction": 0.2}
    model = quick(**options).fit(X, y, groups=groups)
    assert np.isfinite(model.history_.valid_loss).all()
    assert model.predict(X, groups=groups).shape == (20,)
    assert len(model.context_) == 0


# ------------------------------------------------------------------------------ context_


def test_context_is_the_last_lookback_minus_one_rows_unchanged():
    times = pd.date_range("2020-01-01", periods=N_TRAIN, freq="D")
    frame = frame_with(times, ROWS[:N_TRAIN])
    model = quick().fit(frame, TARGET[:N_TRAIN])
    pd.testing.assert_frame_equal(model.context_, frame[-(L - 1) :], check_freq=False)
    model = quick().fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN])
    np.testing.assert_array_equal(model.context_.to_numpy(), ROWS[N_TRAIN - L + 1 : N_TRAIN])


@pytest.mark.parametrize("interleaved", [False, True])
def test_context_holds_the_last_rows_of_every_series(interleaved):
    X, y, groups = two_series(interleaved)
    panel = as_panel(X, groups)
    model = quick().fit(panel, y)
    assert len(model.context_) == 2 * (L - 1)
    for series in (3, 7):
        np.testing.assert_array_equal(
            model.context_.loc[series].to_numpy(), X[groups == series][-(L - 1) :]
        )
        assert (model.context_.loc[series].index == panel.loc[series].index[-(L - 1) :]).all()


def test_context_ends_with_the_last_row_of_the_validation_set():
    model = quick(early_stopping=True).fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN])
    np.testing.assert_array_equal(model.context_.to_numpy(), ROWS[N_TRAIN - L + 1 : N_TRAIN])


@pytest.mark.parametrize("lookback", [None, 1])
def test_without_history_there_is_no_context(lookback):
    model = quick(lookback=lookback).fit(ROWS, TARGET)
    assert model.context_.shape == (0, F)
    assert quick(lookback=None).fit(ROWS[:, None], TARGET).context_.shape == (0, F)


def test_context_is_a_copy():
    X = ROWS.copy()
    model = quick(context="train_tail").fit(X[:N_TRAIN], TARGET[:N_TRAIN])
    before = model.predict(ROWS[N_TRAIN:])
    X[:] = 0
    np.testing.assert_array_equal(model.predict(ROWS[N_TRAIN:]), before)


# ------------------------------------------------------------------------------ context="auto"

START = pd.Timestamp("2020-02-25 00:00")
CONTINUING = {
    "hourly": pd.date_range(START, periods=N, freq="h"),
    "hourly, no frequency": pd.DatetimeIndex(list(pd.date_range(START, periods=N, freq="h"))),
    "9 seconds": pd.date_range(START, periods=N, freq="9s"),
    "daily": pd.date_range(START, periods=N, freq="D"),
    "business days": pd.date_range(START, periods=N, freq="B"),
    "month starts": pd.date_range(START, periods=N, freq="MS"),
    "month ends": pd.date_range(START, periods=N, freq="ME"),
    "quarters": pd.date_range(START, periods=N, freq="QS"),
    "hourly, across a change of clocks": pd.date_range(
        "2024-03-30 00:00", periods=N, freq="h", tz="Europe/Berlin"
    ),
    "daily, across a change of clocks": pd.date_range(
        "2024-03-01", periods=N, freq="D", tz="Europe/Berlin"
    ),
    "daily, up to a change of clocks": pd.date_range(
        pd.Timestamp("2024-03-31", tz="Europe/Berlin") - (N_TRAIN - 1) * pd.offsets.Day(),
        periods=N,
        freq="D",
    ),
    "hourly, UTC": pd.date_range(START, periods=N, freq="h", tz="UTC"),
    "hours as periods": pd.period_range("2020-01-01", periods=N, freq="h"),
    "months as periods": pd.period_range("2020-01", periods=N, freq="M"),
    "time since start": pd.timedelta_range("0s", periods=N, freq="90s"),
    "row numbers": pd.RangeIndex(N),
    "steps of 10": pd.RangeIndex(100, 100 + 10 * N, 10),
    "years": pd.Index(range(1950, 1950 + N)),
    "fractions that are exact": pd.Index(np.arange(N) * 0.25),
    "fractions that are rounded": pd.Index(np.arange(N) / 7),
}


def masked_and_with_history(model, X_new):
    """Predict new rows without history, and as the rows after the training rows."""
    model.set_params(context="mask")
    masked = model.predict(X_new)
    model.set_params(context="train_tail")
    with_history = model.predict(X_new)
    model.set_params(context="auto")
    assert (masked[: L - 1] != with_history[: L - 1]).all()
    np.testing.assert_allclose(masked[L - 1 :], with_history[L - 1 :])
    return masked, with_history


@pytest.mark.parametrize("case", CONTINUING)
@pytest.mark.parametrize("by_number", [False, True], ids=["slices", "row numbers"])
def test_rows_that_continue_the_training_index_have_its_history(case, by_number):
    frame = frame_with(CONTINUING[case])
    train, new = frame.iloc[:N_TRAIN], frame.iloc[N_TRAIN:]
    if by_number:  # as TimeSeriesSplit indexes rows: a DatetimeIndex loses its frequency
        train, new = frame.iloc[np.arange(N_TRAIN)], frame.iloc[np.arange(N_TRAIN, N)]
    model = quick().fit(train, TARGET[:N_TRAIN])
    _, with_history = masked_and_with_history(model, new)
    np.testing.assert_allclose(model.predict(new), with_history)
    # The true rows before them have the same predictions.
    np.testing.assert_allclose(model.predict(new), model.predict(frame)[N_TRAIN:])


@pytest.mark.parametrize("case", ["hourly", "months as periods", "row numbers", "month ends"])
@pytest.mark.parametrize("first", [N_TRAIN - 2, N_TRAIN - 1, N_TRAIN + 1, 0])
def test_rows_inside_before_or_far_after_the_training_index_have_none(case, first):
    frame = frame_with(CONTINUING[case])
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    new = frame[first : first + 8]
    masked, _ = masked_and_with_history(model, new)
    np.testing.assert_array_equal(model.predict(new), masked)


def test_rows_with_another_type_of_index_have_no_history():
    frame = frame_with(CONTINUING["hourly"])
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    new = frame[N_TRAIN:]
    masked, _ = masked_and_with_history(model, new)
    for index in (pd.RangeIndex(N_NEW), pd.Index([f"row {i}" for i in range(N_NEW)])):
        np.testing.assert_array_equal(model.predict(new.set_axis(index)), masked)
    for index, other in [
        (new.index.tz_localize("UTC"), "time stamps with a zone"),
        (pd.RangeIndex(N_TRAIN, N), "numbers"),
        (new.index.to_period("h"), "periods of frequency h"),
    ]:
        with pytest.raises(ValueError, match=rf"time stamps without a time zone.*Got {other}"):
            model.predict(new.set_axis(index))


def test_labels_without_an_order_in_time_define_no_history():
    names = pd.Index([f"row {i}" for i in range(N)])
    frame = frame_with(names)
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    masked, _ = masked_and_with_history(model, frame[N_TRAIN:])
    np.testing.assert_array_equal(model.predict(frame[N_TRAIN:]), masked)


def test_an_index_with_a_gap_continues_in_its_usual_steps():
    times = CONTINUING["hourly"]
    times = times[:20].append(times[20:] + pd.Timedelta("5h"))
    frame = frame_with(times)
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    _, with_history = masked_and_with_history(model, frame[N_TRAIN:])
    np.testing.assert_allclose(model.predict(frame[N_TRAIN:]), with_history)


def test_arrays_have_the_context_as_history_only_with_train_tail():
    model = quick().fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN])
    masked, with_history = masked_and_with_history(model, ROWS[N_TRAIN:])
    np.testing.assert_array_equal(model.predict(ROWS[N_TRAIN:]), masked)
    asked = quick(context="train_tail").fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN])
    np.testing.assert_array_equal(asked.predict(ROWS[N_TRAIN:]), with_history)
    np.testing.assert_allclose(
        asked.predict(ROWS[N_TRAIN:]), model.predict(ROWS)[N_TRAIN:], rtol=1e-9
    )


def test_a_single_new_row_is_predicted_from_its_history():
    frame = frame_with(CONTINUING["hourly"])
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    whole = model.predict(frame)
    one = model.predict(frame[N_TRAIN : N_TRAIN + 1])
    np.testing.assert_allclose(one, whole[[N_TRAIN]])


def test_attention_and_score_use_the_history_too():
    frame = frame_with(CONTINUING["hourly"])
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    whole, new = model.attention_weights(frame), model.attention_weights(frame[N_TRAIN:])
    np.testing.assert_allclose(new.cell, whole.cell[N_TRAIN:])
    assert (new.time > 0).all()


@pytest.mark.parametrize("context", ["auto", "train_tail"])
@pytest.mark.parametrize("interleaved", [False, True])
def test_each_series_has_its_own_history(context, interleaved):
    X, y, groups = two_series(interleaved)
    panel = as_panel(X, groups)
    old = panel.index.get_level_values("hour") < pd.Timestamp("2020-01-01 15:00")
    model = quick(context=context).fit(panel[old], y[old])
    new = panel[~old]
    with_history = model.set_params(context="mask").predict(panel)[~old]
    model.set_params(context=context)
    np.testing.assert_allclose(model.predict(new), with_history)
    by_label = pd.Series(with_history, new.index).sort_index()
    np.testing.assert_allclose(model.predict(new.sort_index()), by_label)
    for series in (3, 7):
        one = new.loc[[series]]
        expected = with_history[new.index.get_level_values(0) == series]
        np.testing.assert_allclose(model.predict(one), expected)


def test_only_series_that_continue_have_history():
    X, y, groups = two_series(interleaved=False)
    panel = as_panel(X, groups)
    old = panel.index.get_level_values("hour") < pd.Timestamp("2020-01-01 15:00")
    model = quick().fit(panel[old], y[old])
    new = panel[~old]
    moved = new.index.map(
        lambda label: (label[0], label[1] + pd.Timedelta("1D") * int(label[0] == 3))
    )
    prediction = pd.Series(model.predict(new.set_axis(moved)), new.index)
    expected = pd.Series(model.predict(new), new.index)
    masked = pd.Series(model.set_params(context="mask").predict(new), new.index)
    np.testing.assert_allclose(prediction[7], expected[7])
    np.testing.assert_allclose(prediction[3], masked[3])
    assert (expected[3][: L - 1] != masked[3][: L - 1]).all()


def test_train_tail_uses_the_history_of_each_group_of_arrays():
    X, y, groups = two_series(interleaved=True)
    model = quick(context="train_tail").fit(X[:N_TRAIN], y[:N_TRAIN], groups=groups[:N_TRAIN])
    new = model.predict(X[N_TRAIN:], groups=groups[N_TRAIN:])
    whole = model.set_params(context="mask").predict(X, groups=groups)
    np.testing.assert_allclose(new, whole[N_TRAIN:])


@given(
    codes=st.lists(st.integers(0, 2), min_size=N, max_size=N),
    split=st.integers(20, N - 1),
)
def test_history_is_the_rows_before_for_any_interleaving_of_series(fitted_tail_model, codes, split):
    model, codes = fitted_tail_model, np.array(codes)
    new, first = codes[split:], codes[:split]
    history = History.of(Rows(ROWS[:split], first, pd.Index(range(3)), None, None, [0, 1]), L)
    np.testing.assert_array_equal(history.context.to_numpy(), tail_of(ROWS[:split], first))
    model._history = history
    prediction = model.set_params(context="train_tail").predict(ROWS[split:], groups=new)
    whole = model.set_params(context="mask").predict(ROWS, groups=codes)
    np.testing.assert_allclose(prediction, whole[split:])


def tail_of(rows, codes):
    """Return the last L - 1 rows of each series, by brute force."""
    return rows[[i for i in range(len(rows)) if (codes[i + 1 :] == codes[i]).sum() < L - 1]]


@pytest.fixture(scope="module")
def fitted_tail_model():
    codes = np.repeat([0, 1], N // 2)
    return quick().fit(ROWS, TARGET, groups=codes)


# ------------------------------------------------------------------------------ short windows


@pytest.mark.parametrize("mode", ATTENTION_MODES)
@pytest.mark.parametrize("context", ["auto", "mask"])
def test_missing_steps_of_a_short_window_receive_no_attention(mode, context):
    model = quick(attention_mode=mode, context=context).fit(ROWS, TARGET)
    weights = model.attention_weights(ROWS)
    observed = np.arange(L) >= L - 1 - np.arange(L)[:, None]
    for axes in {"time", "feature", "cell"} & set(weights):
        np.testing.assert_allclose(weights[axes].reshape(N, -1).sum(axis=1), 1)
    if mode != "feature":
        assert (weights.gate[:L][~observed] == 0).all()
    if "time" in weights:
        assert (weights.time[:L][~observed] == 0).all()
        assert (weights.time[:L][observed] > 0).all()
        assert (weights.time[L:] > 0).all()
    if "cell" in weights:
        assert (weights.cell[:L][~observed] == 0).all()


def test_a_short_window_does_not_depend_on_the_other_rows():
    model = quick().fit(ROWS, TARGET)
    whole = model.predict(ROWS[10:20])
    for n_rows in (1, 2, 3):
        np.testing.assert_allclose(model.predict(ROWS[10 : 10 + n_rows]), whole[:n_rows])


def test_only_context_mask_trains_on_short_windows():
    changed = TARGET.copy()
    changed[: L - 1] = 1e6  # the targets of the short windows
    for context, is_trained_on in [("auto", False), ("train_tail", False), ("mask", True)]:
        original = quick(context=context).fit(ROWS, TARGET)
        other = quick(context=context).fit(ROWS, changed)
        same = np.array_equal(original.predict(ROWS[20:]), other.predict(ROWS[20:]))
        assert same != is_trained_on


def test_context_mask_trains_on_series_shorter_than_lookback():
    model = quick(context="mask").fit(ROWS[: L - 1], TARGET[: L - 1])
    assert model.predict(ROWS).shape == (N,)
    groups = np.repeat([0, 1, 2], [2, 1, N - 3])
    model = quick(context="mask").fit(ROWS, TARGET, groups=groups)
    assert np.isfinite(model.predict(ROWS, groups=groups)).all()


def test_fewer_rows_than_lookback_are_predicted():
    frame = frame_with(CONTINUING["hourly"])
    model = quick(lookback=12).fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    assert model.predict(frame[N_TRAIN : N_TRAIN + 2]).shape == (2,)
    assert model.predict(frame[:1]).shape == (1,)


def test_windows_are_never_out_of_time_order_at_predict():
    frame = frame_with(CONTINUING["hourly"])
    model = quick().fit(frame[:N_TRAIN], TARGET[:N_TRAIN])
    with pytest.raises(ValueError, match=r"in time order.*newest row first"):
        model.predict(frame[::-1])
