"""Rows and windows with targets ahead, and inputs known in advance."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sk_tsattn import AttentionLSTMRegressor, backtest, make_rows, make_windows
from sk_tsattn.exceptions import HistoryWarning

N = 60
HOURS = pd.date_range("2024-03-01", periods=N, freq="h", name="hour")
OFFSETS = st.one_of(st.integers(1, 4), st.lists(st.integers(1, 9), min_size=1, unique=True))
CUTS = {
    "windows": lambda frame, **options: make_windows(frame, "load", lookback=4, **options)[:2],
    "rows": lambda frame, **options: make_rows(frame, "load", **options),
}
both_ways = pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"load": rng.normal(size=N), "wind": rng.normal(size=N), "price": 100.0 + np.arange(N)},
        index=HOURS,
    )


@pytest.fixture
def panel(frame):
    """Return two series of different lengths, whose rows are interleaved."""
    blocks = {"north": frame, "south": 1000 + frame[:30]}
    return pd.concat(blocks, names=["place"]).sort_index(level="hour", kind="stable")


def offsets_of(horizon):
    return sorted(horizon) if isinstance(horizon, list) else list(range(1, horizon + 1))


# ------------------------------------------------------------------------------ horizons


@settings(max_examples=30)
@given(n_rows=st.integers(1, 20), lookback=st.integers(1, 5), horizon=OFFSETS)
def test_a_list_of_horizons_predicts_these_rows_and_no_others(n_rows, lookback, horizon):
    offsets = offsets_of(horizon)
    assume(n_rows >= lookback + offsets[-1])
    horizon = offsets if isinstance(horizon, list) else horizon
    series = np.arange(float(n_rows))
    X, y, index = make_windows(series, series, lookback=lookback, horizon=horizon)
    expected = index[:, None] + offsets
    np.testing.assert_array_equal(y.reshape(len(y), -1), expected)
    np.testing.assert_array_equal(X[:, -1, 0], index)
    assert len(X) == n_rows - lookback - offsets[-1] + 1
    assert y.ndim == (1 if horizon == 1 else 2)

    frame = pd.DataFrame({"a": series}, index=pd.date_range("2024", periods=n_rows))
    X, y = make_rows(frame, "a", horizon=horizon)
    assert X.index.equals(frame.index[: n_rows - offsets[-1]])
    if horizon == 1:
        np.testing.assert_array_equal(y, X["a"] + 1)
    else:
        assert y.columns.tolist() == offsets
        assert y.columns.name == "horizon"
        np.testing.assert_array_equal(y, X[["a"]].to_numpy() + offsets)


def test_several_outputs_of_several_horizons_are_labelled_by_both(frame):
    _, y, _ = make_windows(frame, ["load", "wind"], lookback=3, horizon=[2, 5])
    _, rows = make_rows(frame, ["load", "wind"], horizon=[2, 5])
    np.testing.assert_array_equal(y, rows[2:])
    assert rows.columns.tolist() == [(2, "load"), (2, "wind"), (5, "load"), (5, "wind")]
    pd.testing.assert_series_equal(
        rows[5, "wind"], frame["wind"].shift(-5).dropna(), check_names=False, check_freq=False
    )


def test_a_target_after_a_gap_is_labelled_by_its_distance(frame):
    assert make_rows(frame, "load", gap=5)[1].columns.tolist() == [6]
    assert make_rows(frame, "load", gap=2, horizon=2)[1].columns.tolist() == [3, 4]


def test_the_target_of_a_nowcast_is_that_of_the_row_itself(frame):
    X, y = make_rows(frame[["wind"]], frame["load"], horizon="nowcast")
    pd.testing.assert_series_equal(y, frame["load"], check_freq=False)
    pd.testing.assert_frame_equal(X, frame[["wind"]])


# ------------------------------------------------------------------------------ known in advance


@given(
    n_rows=st.integers(4, 20),
    lookback=st.integers(1, 5),
    horizon=st.integers(1, 4),
    gap=st.integers(0, 3),
)
def test_a_step_holds_the_known_columns_of_the_last_target_as_seen_from_it(
    n_rows, lookback, horizon, gap
):
    ahead = gap + horizon
    assume(n_rows >= lookback + ahead)
    series = np.arange(n_rows)[:, None] + np.array([0.0, 100.0, 200.0])
    X, y, index = make_windows(
        series, series[:, 0], lookback=lookback, horizon=horizon, gap=gap, known=[2]
    )
    steps = index[:, None] + np.arange(1 - lookback, 1)
    np.testing.assert_array_equal(X[:, :, 0], steps)
    np.testing.assert_array_equal(X[:, :, 1], 100 + steps)
    np.testing.assert_array_equal(X[:, :, 2], 200 + steps + ahead)
    np.testing.assert_array_equal(X[:, -1, 2] - 200, y.reshape(len(y), -1)[:, -1])


def test_rows_and_windows_are_the_same(frame):
    for horizon in (1, 3, [2, 6]):
        options = {"horizon": horizon, "known": ["price"]}
        rows, y = make_rows(frame, "load", **options)
        by_rows, targets, index = make_windows(rows, y.to_numpy(), lookback=4, horizon="nowcast")
        X, expected, labels = make_windows(frame, "load", lookback=4, **options)
        np.testing.assert_array_equal(by_rows, X)
        np.testing.assert_array_equal(targets, expected)
        pd.testing.assert_index_equal(index, labels)


@both_ways
def test_no_column_but_the_known_ones_looks_ahead(frame, cut):
    options = {"horizon": [1, 6], "known": ["price"]}
    before, targets = map(np.asarray, cut(frame, **options))
    for t in (10, 30, N - 8):
        changed = frame.copy()
        changed.iloc[t + 1 :, :2] += 1000.0
        after, changed_targets = map(np.asarray, cut(changed, **options))
        seen = t + 1 - (N - 6 - len(before))  # rows (windows) made up to t
        np.testing.assert_array_equal(after[:seen], before[:seen])
        assert (after[seen:] != before[seen:]).any(axis=tuple(range(1, after.ndim))).all()
        assert (changed_targets[seen - 1] != targets[seen - 1]).all()  # ahead of row t
        # The future of a known column is seen, as far as the last target.
        changed = frame.copy()
        changed.iloc[t + 7 :, 2] += 1000.0
        after = np.asarray(cut(changed, **options)[0])
        np.testing.assert_array_equal(after[:seen], before[:seen])
        assert (after[seen] != before[seen]).any()


@both_ways
def test_future_rows_give_known_columns_alone(frame, cut):
    ahead = 6
    future = frame.copy()
    future.iloc[-ahead:, :2] = np.nan
    X, y = cut(future, horizon=[1, ahead], known=["price"])
    expected, targets = cut(frame[:-ahead], horizon=[1, ahead], known=["price"])
    np.testing.assert_array_equal(X, expected)
    np.testing.assert_array_equal(y, targets)


def test_the_newest_row_is_predicted_from_as_many_future_rows_as_the_target_is_ahead(frame):
    future = frame.copy()
    future.iloc[-6:, :2] = np.nan
    options = {"horizon": 6, "known": ["price"]}
    X, _ = make_rows(future, **options)
    assert X.index[-1] == HOURS[-7]
    assert X["price"].iloc[-1] == frame["price"].iloc[-1]
    assert X["load"].iloc[-1] == frame["load"].iloc[-7]
    windows, _, index = make_windows(future, lookback=4, **options)
    np.testing.assert_array_equal(windows[-1], X[-4:])
    assert index[-1] == HOURS[-7]
    X, _ = make_rows(future, horizon=3, known=["price"])  # fewer are needed
    assert X.index[-1] == HOURS[-7]
    assert X["price"].iloc[-1] == frame["price"].iloc[-4]


def test_series_of_a_panel_are_paired_within_each(panel):
    X, y = make_rows(panel, "load", horizon=[1, 6], known=["price"])
    for place, n_rows in (("north", N), ("south", 30)):
        expected, targets = make_rows(panel.xs(place), "load", horizon=[1, 6], known=["price"])
        assert len(expected) == n_rows - 6
        pd.testing.assert_frame_equal(X.xs(place), expected, check_freq=False)
        pd.testing.assert_frame_equal(y.xs(place), targets, check_freq=False)
    # The rows stay in their order.
    assert X.index.equals(panel.index[panel.index.isin(X.index)])


def test_future_rows_of_a_panel_are_those_of_each_series(panel):
    for place in ("north", "south"):
        last = panel.loc[[place]].index[-6:]
        panel.loc[last, ["load", "wind"]] = np.nan
    X, _ = make_rows(panel, horizon=6, known=["price"])
    assert X.loc["north"].index[-1] == HOURS[-7]
    assert X.loc["south"].index[-1] == HOURS[30 - 7]
    assert X.notna().all(axis=None)


def test_types_and_names_of_columns_are_kept_also_of_text(frame):
    frame["kind"] = pd.Categorical(["a", "b"] * (N // 2))
    frame["holiday"] = np.arange(N) % 7 == 0
    X, _ = make_rows(frame, "load", horizon=[3], known=["kind", "holiday"])
    pd.testing.assert_series_equal(X.dtypes, frame.dtypes)
    assert X["kind"].tolist() == frame["kind"].tolist()[3:]
    assert X["holiday"].tolist() == frame["holiday"].tolist()[3:]


def test_the_frame_is_left_as_it_was(frame):
    before = frame.copy()
    X, _ = make_rows(frame, "load", known=["price"])
    X["wind"] = 0.0
    make_windows(frame, "load", lookback=3, known=["price"])
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"known": "price"}, r"known must be a list of columns\. Got 'price' instead"),
        ({"known": ["tide"]}, r"known must name columns .*'load', 'wind', 'price'\. Got 'tide'"),
        ({"known": ["load"]}, r"A target is not known in advance.*'load'; leave it out"),
        ({"horizon": []}, r"must hold increasing ints >= 1\. Got \[\]"),
        ({"horizon": [6, 1]}, r"must hold increasing ints >= 1\. Got \[6, 1\]"),
        ({"horizon": [1, 1]}, r"must hold increasing ints >= 1\. Got \[1, 1\]"),
        ({"horizon": [0, 1]}, r"must hold increasing ints >= 1"),
        ({"horizon": [1, 2], "gap": 3}, r"Got gap=3 instead; write horizon=\[4, 5\]"),
        ({"horizon": N}, r"rows.*shorten"),
    ],
)
@both_ways
def test_a_wrong_option_is_an_error(frame, cut, options, message):
    with pytest.raises(ValueError, match=message):
        cut(frame, **options)


def test_rows_need_a_frame(frame):
    with pytest.raises(ValueError, match=r"series must be a DataFrame\. Got ndarray.*make_windows"):
        make_rows(frame.to_numpy(), horizon=2)


def test_steps_to_the_target_across_missing_rows_are_a_warning(frame):
    with pytest.warns(HistoryWarning, match="3 of 50 windows of series"):
        make_rows(frame.drop(HOURS[20:30]), "load", horizon=3)
    with pytest.raises(ValueError, match="oldest first"):
        make_rows(frame[::-1], "load")


# ------------------------------------------------------------------------------ the estimator


def signal(n_rows=400):
    """Return a load that equals the price of its own hour: unpredictable without it."""
    hours = pd.date_range("2024-03-01", periods=n_rows, freq="h", name="hour")
    price = np.random.default_rng(0).normal(size=n_rows)
    noise = np.random.default_rng(1).normal(size=n_rows)
    return pd.DataFrame({"load": price, "noise": noise, "price": price}, index=hours)


def test_the_estimator_predicts_from_what_is_known_and_names_it():
    frame = signal()
    model = AttentionLSTMRegressor(
        lookback=4, hidden_size=8, max_epochs=40, batch_size=16, lr=0.01, random_state=0
    )
    X, y = make_rows(frame, "load", horizon=[3], known=["price"])
    model.fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.9
    attention = dict(zip(model.feature_names_in_, model.feature_attention_, strict=True))
    assert max(attention, key=attention.get) == "price"


def test_a_backtest_of_known_inputs_does_not_see_the_future_of_the_others(frame):
    model = AttentionLSTMRegressor(
        lookback=4, attention_mode=None, hidden_size=4, max_epochs=2, random_state=0
    )

    def forecasts(frame):
        X, y = make_rows(frame, "load", horizon=[1, 3], known=["price"])
        return backtest(model, X, y, cv=3).predictions["y_pred"]

    before = forecasts(frame)
    changed = frame.copy()
    changed.loc[HOURS[41] :, ["load", "wind"]] += 100.0
    after = forecasts(changed)
    is_past = before.index < HOURS[41]
    np.testing.assert_allclose(after[is_past], before[is_past], rtol=1e-9)
    assert (after[~is_past] != before[~is_past]).all()
