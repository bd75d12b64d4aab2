"""Warnings of missing history: short windows, gaps, and series that are unknown at fit."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_score

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn._data._calendar import Calendar, Steps
from sk_tsattn.attention import ATTENTION_MODES
from sk_tsattn.exceptions import HistoryWarning

# The targets are noise, and two epochs are too few.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

L, N_TRAIN, N = 4, 60, 72
HOURS = pd.date_range("2024-01-01", periods=N, freq="h")
ROWS = np.random.default_rng(0).normal(size=(N, 2))
TARGET = np.random.default_rng(1).normal(size=N)


def quick(**changes):
    options = {"lookback": L, "max_epochs": 2, "hidden_size": 3, "attention": "bahdanau"}
    return AttentionLSTMRegressor(**options | {"random_state": 0} | changes)


def frame(index):
    return pd.DataFrame(ROWS[: len(index)], columns=["u", "v"], index=index)


def fit_start(X, n_rows=N_TRAIN, **changes):
    """Fit on the first rows, without a warning."""
    return quick(**changes).fit(X[:n_rows], TARGET[:n_rows])


def whole(model, X, **options):
    """Return the predictions of a whole frame, which those of its parts should equal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", HistoryWarning)
        return model.predict(X, **options)


X = frame(HOURS)


@pytest.fixture
def model():
    return fit_start(X)


# ------------------------------------------------------------------ short windows


@pytest.mark.parametrize("method", ["predict", "attention_weights", "score"])
def test_short_windows_are_counted_once_a_call_with_the_first_of_them(model, method):
    arguments = (X[:20], TARGET[:20]) if method == "score" else (X[:20],)
    with pytest.warns(HistoryWarning) as caught:
        getattr(model, method)(*arguments)
    (warning,) = caught
    assert warning.filename == __file__
    message = str(warning.message)
    assert message.startswith("3 of 20 rows of X have windows shorter")
    assert f"first: {HOURS[0]}" in message


NEW = X[N_TRAIN:]
CAUSES = {
    "array": (NEW.to_numpy(), r'no time labels.*set context="train_tail"'),
    "index restarted": (NEW.reset_index(drop=True), r"no time labels|not after"),
    "names": (NEW.set_axis([f"row {i}" for i in range(len(NEW))]), r"no time labels"),
    "the training rows": (X[:N_TRAIN], r"begins at 2024-01-01 00:00:00, which is not after"),
    "a gap": (NEW[5:], r"5:00:00|6:00:00 after the last known row .*usual are up to 0 days 01:00"),
}


@pytest.mark.parametrize("case", CAUSES)
def test_the_warning_names_the_cause_of_missing_history(case, model):
    new, message = CAUSES[case]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        with pytest.warns(HistoryWarning, match=rf"3 of \d+ rows .*({message})"):
            model.predict(new)


@pytest.mark.parametrize("context", ["auto", "train_tail"])
def test_rows_after_the_training_rows_are_predicted_without_a_warning(context):
    model = fit_start(X, context=context)
    np.testing.assert_allclose(model.predict(NEW), whole(fit_start(X), X)[N_TRAIN:])


@pytest.mark.parametrize("options", [{"context": "mask"}, {"lookback": 1}])
def test_a_model_trained_on_short_windows_predicts_them_without_a_warning(options):
    model = fit_start(X, **options)
    assert np.isfinite(model.predict(X[:20])).all()


def test_windows_no_shorter_than_those_of_fit_do_not_warn():
    model = fit_start(X, context="mask").set_params(context="auto")
    assert np.isfinite(model.predict(X[:20])).all()


def test_context_later_than_the_new_rows_is_warned_about():
    model = fit_start(X, context="train_tail")
    with pytest.warns(HistoryWarning, match=r'"train_tail" puts .* begins at 2024-01-01 05:00:00'):
        model.predict(X[5:20])
    model.predict(NEW)
    by_number = X.reset_index(drop=True)
    model = fit_start(by_number, context="train_tail")
    model.predict(by_number[N_TRAIN:].reset_index(drop=True))


def test_windows_as_input_never_miss_history():
    cut, y, _ = make_windows(X, TARGET, lookback=L)
    model = quick(lookback=None).fit(cut[:40], y[:40])
    assert model.predict(cut[40:]).shape == (len(y) - 40,)


@pytest.mark.parametrize("other", ["zone", "number", "period"])
def test_labels_of_another_type_than_in_fit_are_an_error_that_shows_both(other, model):
    index = {
        "zone": NEW.index.tz_localize("UTC"),
        "number": pd.RangeIndex(N_TRAIN, N),
        "period": NEW.index.to_period("h"),
    }[other]
    message = r"time stamps without a time zone \(2024-01-03 11:00:00\)\. Got "
    with pytest.raises(ValueError, match=rf"{message}.*\({re.escape(str(index[0]))}\)"):
        model.predict(NEW.set_axis(index))


# ------------------------------------------------------------------ which label comes next

BUSINESS = pd.bdate_range("2024-01-01", periods=N + 3)
CONTINUING = {
    "a holiday before": BUSINESS.delete(10)[:N],
    "a holiday after the end": BUSINESS.delete(N_TRAIN)[:N],
    "two holidays after the end": BUSINESS.delete([N_TRAIN, N_TRAIN + 1])[:N],
    "months with days of the end": pd.date_range("2010-01-31", periods=N, freq="ME"),
    "quarters": pd.date_range("2000-01-01", periods=N, freq="QS"),
    "years": pd.date_range("1950-01-01", periods=N, freq="YS"),
    "weeks": pd.date_range("2020-01-05", periods=N, freq="W"),
    "days over a clock change": pd.date_range(
        pd.Timestamp("2024-03-31", tz="Europe/Berlin") - (N_TRAIN - 1) * pd.offsets.Day(),
        periods=N,
        freq="D",
    ),
    "irregular events": pd.DatetimeIndex(
        pd.Timestamp("2024-01-01")
        + pd.to_timedelta(np.cumsum(1 + np.arange(N) % 7 + (np.arange(N) % 5) / 3), unit="min")
    ),
    "dates": pd.Index(list(pd.date_range("2024-01-01", periods=N).date)),
    "text": pd.date_range("2024-01-01", periods=N).strftime("%Y-%m-%d"),
    "YYYYMMDD": pd.Index(pd.date_range("2024-01-01", periods=N).strftime("%Y%m%d").astype(int)),
    "before 1678": pd.date_range("1500-01-01", periods=N, freq="D", unit="s"),
}


@pytest.mark.parametrize("case", CONTINUING)
def test_a_series_continues_after_its_usual_step(case):
    series = frame(CONTINUING[case])
    model = fit_start(series)
    expected = whole(model, series)
    np.testing.assert_allclose(model.predict(series[N_TRAIN:]), expected[N_TRAIN:])
    (one,) = model.predict(series[N_TRAIN : N_TRAIN + 1])
    assert one == pytest.approx(expected[N_TRAIN])


@given(
    step=st.sampled_from(["7s", "15min", "h", "D", "B", "W", "MS", "ME", "QS", "YS"]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin"]),
    n_missing=st.integers(1, 40),
    split=st.integers(10, 60),
)
def test_the_next_label_of_a_regular_index_is_usual_and_a_later_one_is_not(
    step, zone, n_missing, split
):
    index = pd.date_range("2024-01-31", periods=120, freq=step, tz=zone)
    calendar = Calendar.of(index[:split])
    measured = calendar.measure(index)
    steps = Steps.of(measured[:split], calendar)
    assert steps.base is not None
    assert steps.goes_on(measured[split] - measured[split - 1])
    gap = measured[split + n_missing] - measured[split - 1]
    n_allowed = 3 if calendar.unit == "business" and step == "B" else 0
    if n_missing > n_allowed and not (step == "D" and split < 12):
        assert not steps.goes_on(gap)


# ------------------------------------------------------------------ holes


def test_windows_across_a_gap_are_counted_in_fit_and_predict():
    holed = X.drop(X.index[[20, 21]])
    y = np.delete(TARGET, [20, 21])
    message = (
        rf"^3 of 58 windows of X .*first: {HOURS[22]}\).*step of the index is 0 days 01:00:00, "
        rf"but 1 are longer, the first from {HOURS[19]} to {HOURS[22]}"
    )
    with pytest.warns(HistoryWarning, match=message) as caught:
        model = quick().fit(holed[:58], y[:58])
    assert len(caught) == 1
    message = r"windows of X reach across.*shorter than any"
    with pytest.warns(HistoryWarning, match=message) as caught:
        model.predict(holed)
    assert len(caught) == 1
    with pytest.warns(HistoryWarning, match=r"windows of series reach across missing time stamps"):
        make_windows(holed, lookback=L)
    with pytest.warns(HistoryWarning, match=r"windows of X_val reach across"):
        fit_start(X).fit(X, TARGET, X_val=holed, y_val=y)


def test_a_target_across_a_gap_is_counted_by_make_windows():
    holed = X.drop(X.index[20])
    with pytest.warns(HistoryWarning, match=r"^1 of "):
        make_windows(holed, lookback=2)
    with pytest.warns(HistoryWarning, match=r"^4 of "):
        make_windows(holed, np.delete(TARGET, 20), lookback=2, horizon=3)
    make_windows(holed, lookback=1)


def test_rows_of_weight_zero_across_a_gap_do_not_warn():
    holed = X[:N_TRAIN].drop(X.index[20])
    weight = np.ones(len(holed))
    weight[20 : 20 + L - 1] = 0
    quick().fit(holed, np.delete(TARGET[:N_TRAIN], 20), weight)


def test_each_series_has_its_own_step():
    index = pd.MultiIndex.from_arrays(
        [
            np.repeat(["day", "hour"], [36, 36]),
            pd.date_range("2024-01-01", periods=36).append(HOURS[:36]),
        ]
    )
    panel = frame(index)
    quick().fit(panel, TARGET)
    message = "^3 of 71 windows.*series hour.*step of the index is 0 days 01:00"
    with pytest.warns(HistoryWarning, match=message):
        quick().fit(panel.drop(index[50]), np.delete(TARGET, 50))


def test_shuffled_folds_and_gaps_are_reported_and_time_series_splits_are_not():
    options = {"error_score": "raise"}
    cross_val_score(quick(), X, TARGET, cv=TimeSeriesSplit(3), **options)
    with pytest.warns(HistoryWarning, match="reach across missing time stamps.*TimeSeriesSplit"):
        cross_val_score(quick(), X, TARGET, cv=KFold(3, shuffle=True, random_state=0), **options)
    with pytest.warns(HistoryWarning, match=r"after the last known row.*usual are up to"):
        cross_val_score(quick(), X, TARGET, cv=TimeSeriesSplit(3, gap=5), **options)
    with pytest.warns(HistoryWarning) as caught:
        cross_val_score(quick(), X, TARGET, cv=3, **options)
    text = " ".join(str(warning.message) for warning in caught)
    assert "is not after the last known row" in text
    assert "reach across missing time stamps" in text


# ------------------------------------------------------------------ several series

GROUPS = np.tile(["x", "y", "z"], N // 3)
PANEL = frame(pd.MultiIndex.from_arrays([GROUPS, HOURS.repeat(3)[:N]], names=["shop", "hour"]))


def test_a_model_of_several_series_requires_groups_in_every_method():
    model = quick().fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN], groups=GROUPS[:N_TRAIN])
    message = r"fitted on several series \('x', 'y', 'z'\).*give groups"
    for call in (
        lambda: model.predict(ROWS[N_TRAIN:]),
        lambda: model.score(ROWS[N_TRAIN:], TARGET[N_TRAIN:]),
        lambda: model.attention_weights(ROWS[N_TRAIN:]),
        lambda: model.update_context(ROWS[N_TRAIN:]),
        lambda: model.partial_fit(ROWS[N_TRAIN:], TARGET[N_TRAIN:]),
        lambda: quick().fit(ROWS, TARGET, groups=GROUPS, X_val=ROWS, y_val=TARGET),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_missing_groups_are_an_error_before_the_order_of_rows_is_checked():
    times = HOURS.repeat(3)[:N]  # each time occurs three times, once in each series
    panel = pd.DataFrame(ROWS, index=times)
    model = quick().fit(panel[:N_TRAIN], TARGET[:N_TRAIN], groups=GROUPS[:N_TRAIN])
    with pytest.raises(ValueError, match=r"fitted on several series .*give groups"):
        model.predict(panel[N_TRAIN:])


def test_groups_val_are_the_series_of_the_validation_rows():
    options = {"groups": GROUPS[:N_TRAIN], "X_val": ROWS[N_TRAIN:], "y_val": TARGET[N_TRAIN:]}
    by_groups = quick(context="train_tail").fit(
        ROWS[:N_TRAIN], TARGET[:N_TRAIN], groups_val=GROUPS[N_TRAIN:], **options
    )
    by_index = quick().fit(
        PANEL[:N_TRAIN], TARGET[:N_TRAIN], X_val=PANEL[N_TRAIN:], y_val=TARGET[N_TRAIN:]
    )
    np.testing.assert_allclose(by_groups.history_.valid_loss, by_index.history_.valid_loss)
    with pytest.raises(ValueError, match="groups_val need X_val"):
        quick().fit(ROWS, TARGET, groups=GROUPS, groups_val=GROUPS)


def test_a_model_of_one_series_refuses_groups(model):
    with pytest.raises(ValueError, match=r"fitted on one series.*Got rows of the series 'x'"):
        model.predict(NEW, groups=["x"] * len(NEW))


def test_ids_of_another_type_are_an_error_that_shows_both():
    model = quick().fit(PANEL[:N_TRAIN], TARGET[:N_TRAIN])
    with pytest.raises(ValueError, match=r"such as 'x' \(str\)\. Got 0 \(int\) instead"):
        model.predict(PANEL.droplevel(0)[N_TRAIN:], groups=np.arange(N - N_TRAIN) % 3)


def test_a_new_series_is_accepted_and_has_no_history():
    model = quick().fit(PANEL[:N_TRAIN], TARGET[:N_TRAIN])
    new = PANEL[N_TRAIN:].rename(index={"z": "new"}, level=0)
    message = r"^3 of 12 rows .* of series new\).*'new' has no known"
    with pytest.warns(HistoryWarning, match=message):
        prediction = model.predict(new)
    is_new = new.index.get_level_values(0) == "new"
    np.testing.assert_allclose(prediction[~is_new], model.predict(PANEL[N_TRAIN:])[~is_new])


def test_groups_beside_a_MultiIndex_name_the_same_series():
    quick().fit(PANEL, TARGET, groups=GROUPS)
    with pytest.raises(ValueError, match=r"must name the same series.*leave groups out"):
        quick().fit(PANEL, TARGET, groups=GROUPS[::-1])


# ------------------------------------------------------------------ one new row at a time


@pytest.mark.parametrize("mode", [None, *ATTENTION_MODES])
@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_new_rows_in_several_calls_are_predicted_as_in_one_frame(mode, n_rows):
    model = fit_start(X, attention_mode=mode)
    expected = whole(model, X)[N_TRAIN:]
    found = []
    for i in range(N_TRAIN, N, n_rows):
        found.extend(model.predict(X[i : i + n_rows]))
        assert model.update_context(X[i : i + n_rows]) is model
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    pd.testing.assert_frame_equal(model.context_, X[-(L - 1) :], check_freq=False)


def test_new_rows_of_several_series_extend_the_context_of_each_series():
    model = quick().fit(PANEL[:N_TRAIN], TARGET[:N_TRAIN])
    expected = whole(model, PANEL)[N_TRAIN:]
    found = []
    for i in range(N_TRAIN, N):
        found.extend(model.predict(PANEL[i : i + 1]))
        model.update_context(PANEL[i : i + 1])
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    new = PANEL[:6].rename(index={"z": "new"}, level=0).loc[["new"]]
    model.update_context(new)
    assert len(model.context_.loc["new"]) == 2


def test_arrays_extend_the_context_in_the_order_of_the_calls():
    model = quick(context="train_tail").fit(ROWS[:N_TRAIN], TARGET[:N_TRAIN])
    expected = whole(fit_start(X), X)[N_TRAIN:]
    found = []
    for row in ROWS[N_TRAIN:]:
        found.extend(model.predict(row[None]))
        model.update_context(row[None])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_only_later_rows_extend_the_context(model):
    before = model.context_
    with pytest.raises(ValueError, match=r"must come after .*last known row is 2024-01-03 11:00"):
        model.update_context(X[N_TRAIN - 1 :])
    with pytest.raises(ValueError, match=r"labels of the type that they had in fit: time stamps"):
        model.update_context(pd.DataFrame(ROWS[:2], columns=["u", "v"]))
    with pytest.raises(ValueError, match=r"needs the rows of a series"):
        model.update_context(np.zeros((1, L, 2)))
    assert model.context_ is before
    with pytest.warns(HistoryWarning, match="reach across missing time stamps"):
        model.update_context(NEW[3:])


def test_partial_fit_uses_the_context_as_history(model):
    model.partial_fit(X[N_TRAIN : N_TRAIN + 1], TARGET[N_TRAIN : N_TRAIN + 1])
    pd.testing.assert_frame_equal(
        model.context_, X[N_TRAIN - L + 2 : N_TRAIN + 1], check_freq=False
    )
    model.partial_fit(X[10:30], TARGET[10:30])
    assert model.context_.index[-1] == HOURS[N_TRAIN]
    expected = whole(model, X)[N_TRAIN + 1 :]
    np.testing.assert_allclose(model.predict(X[N_TRAIN + 1 :]), expected)


def test_partial_fit_trains_on_the_window_that_ends_in_a_single_new_row():
    one = fit_start(X).partial_fit(NEW[:1], TARGET[N_TRAIN : N_TRAIN + 1])
    weight = np.r_[np.zeros(L - 1), 1]
    rows = slice(N_TRAIN - L + 1, N_TRAIN + 1)
    other = fit_start(X)
    other._history = quick().fit(X[:20], TARGET[:20])._history
    other.partial_fit(X[rows], TARGET[rows], weight)
    np.testing.assert_allclose(whole(one, X), whole(other, X))


# ------------------------------------------------------------------ any rows after any fit


@given(
    first=st.integers(0, N - 2),
    n_rows=st.integers(1, 12),
    shift=st.sampled_from(["0h", "1h", "30min", "2D"]),
    zone=st.sampled_from([None, "UTC"]),
    kind=st.sampled_from(["frame", "array", "numbers", "text", "dropped"]),
)
def test_rows_after_fit_have_the_right_value_or_a_warning_or_an_error_of_this_package(
    fitted, first, n_rows, shift, zone, kind
):
    model = fitted
    block = X[first : first + n_rows]
    index = (block.index + pd.Timedelta(shift)).tz_localize(zone)
    new = block.set_axis(index)
    if kind == "array":
        new = new.to_numpy()
    elif kind == "numbers":
        new = new.reset_index(drop=True)
    elif kind == "text":
        new = new.set_axis(index.strftime("%Y-%m-%d %H:%M%z"))
    elif kind == "dropped" and n_rows > 2:
        new = new.drop(index[1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if zone is not None and kind in ("frame", "text", "dropped"):
            with pytest.raises(ValueError, match="labels of the type that they had in fit"):
                model.predict(new)
            return
        found = model.predict(new)
    if not any(issubclass(w.category, HistoryWarning) for w in caught):
        in_one_frame = pd.concat([X[:N_TRAIN], block.set_axis(index)])
        np.testing.assert_allclose(found, whole(model, in_one_frame)[N_TRAIN:])


@pytest.fixture(scope="module")
def fitted():
    return fit_start(X)
