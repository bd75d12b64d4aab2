"""Time labels of a series must increase strictly; every other order is an error with advice."""

import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sk_tsattn import AttentionLSTMRegressor, make_windows
from sk_tsattn._data._time_labels import check_increasing, to_times

N, L = 24, 3
DAYS = pd.date_range("2024-01-01", periods=N, freq="D")
HOURS = pd.date_range("2024-03-01", periods=N, freq="h")

# Labels in time order, of every type that has one.
INDEXES = {
    "time stamps": HOURS,
    "time stamps, seconds": HOURS.as_unit("s"),
    "time zone": HOURS.tz_localize("Europe/Berlin"),
    "clock change with a zone": pd.date_range(
        "2024-10-26 20:00", periods=N, freq="30min", tz="Europe/Berlin"
    ),
    "periods": HOURS.to_period("h"),
    "time deltas": HOURS - HOURS[0],
    "row numbers": pd.RangeIndex(N),
    "steps": pd.RangeIndex(5, 5 + 3 * N, 3),
    "years": pd.Index(range(1990, 1990 + N)),
    "nullable ints": pd.Index(range(N), dtype="Int64"),
    "unsigned": pd.Index(np.arange(N, dtype=np.uint8)),
    "beyond signed integers": pd.Index(np.arange(N, dtype=np.uint64) + 2**63),
    "nanoseconds as objects": pd.Index([2**60 + i for i in range(N)], dtype=object),
    "decimals": pd.Index([decimal.Decimal(i) / 4 for i in range(N)]),
    "floats": pd.Index(np.arange(N) / 7),
    "single precision": pd.Index(np.arange(N, dtype=np.float32)),
    "dates": pd.Index(list(DAYS.date)),
    "dates of any year": pd.Index([datetime.date(1 + 400 * i, 1, 1) for i in range(N)]),
    "datetimes of any year": pd.Index(
        [datetime.datetime(1 + 400 * i, 1, 1, tzinfo=datetime.UTC) for i in range(N)], dtype=object
    ),
    "datetimes": pd.Index([d.to_pydatetime() for d in HOURS], dtype=object),
    "Timestamps": pd.Index(list(HOURS), dtype=object),
    "Timestamps with a zone": pd.Index(list(HOURS.tz_localize("UTC")), dtype=object),
    "Periods": pd.Index(list(HOURS.to_period("h")), dtype=object),
    "times of day": pd.Index([d.time() for d in HOURS]),
    "ints as objects": pd.Index(list(range(N)), dtype=object),
    "ISO dates": pd.Index(DAYS.strftime("%Y-%m-%d")),
    "ISO dates as objects": pd.Index(DAYS.strftime("%Y-%m-%d"), dtype=object),
    "ISO minutes": pd.Index(HOURS.strftime("%Y-%m-%d %H:%M")),
    "ISO with T and Z": pd.Index(HOURS.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "ISO months": pd.Index(pd.date_range("2020-01", periods=N, freq="MS").strftime("%Y-%m")),
    "quarters": pd.Index([f"{2000 + i // 4}Q{1 + i % 4}" for i in range(N)]),
    "clock": pd.Index(HOURS.strftime("%H:%M")),
    "digits": pd.Index([str(i) for i in range(N)]),
    "YYYYMMDD": pd.Index(DAYS.strftime("%Y%m%d").astype(int)),
    "YYYYMMDD as text": pd.Index(DAYS.strftime("%Y%m%d")),
    "categories": pd.CategoricalIndex(DAYS.strftime("%Y-%m-%d")),
    "intervals": pd.interval_range(0.0, float(N)),
}
rng = np.random.default_rng(0)


def frame(index):
    return pd.DataFrame({"a": np.arange(len(index), dtype=float)}, index=index)


@pytest.mark.parametrize("case", INDEXES)
def test_labels_in_time_order_are_accepted_and_compared_as_times(case):
    times = check_increasing(INDEXES[case])
    assert times is not None
    assert times.is_monotonic_increasing
    assert times.is_unique


@pytest.mark.parametrize("case", INDEXES)
def test_the_newest_row_first_is_refused_with_the_advice_to_reverse(case):
    with pytest.raises(ValueError, match=r"newest row first instead .*reverse X, y and all other"):
        check_increasing(INDEXES[case][::-1])


@pytest.mark.parametrize("case", INDEXES)
def test_shuffled_rows_are_an_error_with_both_remedies(case):
    shuffled = INDEXES[case][np.r_[3, 0, 7, 1, 2, 4:7, 8:N]]
    with pytest.raises(ValueError, match=r"several series, name .*groups=.*together by time"):
        check_increasing(shuffled)


@pytest.mark.parametrize("case", INDEXES)
def test_several_series_in_one_table_are_an_error_that_asks_for_groups(case):
    table = INDEXES[case].repeat(3)
    with pytest.raises(
        ValueError, match=r"3 times instead; .*groups=.*MultiIndex.*set_fit_request"
    ):
        check_increasing(table)
    codes = np.tile([0, 1, 2], N)
    assert check_increasing(table, codes, pd.Index(["x", "y", "z"])) is not None


@pytest.mark.parametrize("case", INDEXES)
def test_a_missing_label_is_refused_with_its_row(case):
    labels = pd.Series(list(INDEXES[case]), dtype=object)
    labels[5] = None
    index = pd.Index(labels, dtype=object)
    if case in ("time stamps", "periods", "floats"):
        index = INDEXES[case].astype("float64") if case == "floats" else INDEXES[case]
        index = index.insert(5, None)
    with pytest.raises(ValueError, match=r"must have a time label.*1 missing.*first in row 5"):
        check_increasing(index)


def test_time_deltas_that_pandas_cannot_hold_are_refused():
    labels = pd.Index([datetime.timedelta(0), datetime.timedelta.max], dtype=object)
    with pytest.raises(ValueError, match=r"index of X must be within the range of pandas\.Timede"):
        check_increasing(labels)


def test_an_infinite_label_is_an_error():
    with pytest.raises(ValueError, match=r"1 missing \(inf, first in row 1\)"):
        check_increasing(pd.Index([0.0, np.inf]))


@pytest.mark.parametrize(
    ("labels", "label"),
    [
        (["31.12.2023", "01.01.2024"], "31.12.2023"),
        (["12/31/2023", "1/1/2024"], "12/31/2023"),
        (["Dec 31, 2023", "Jan 1, 2024"], "Dec 31, 2023"),
        (["31-Dec-2023", "1-Jan-2024"], "31-Dec-2023"),
        (["2023/12/31", "2024/01/01"], "2023/12/31"),
        (["2023-W52", "2024-W01"], "2023-W52"),
        (["2023-13-45", "2023-13-46"], "2023-13-45"),
    ],
)
def test_dates_as_text_of_another_format_than_iso_are_an_error_with_advice(labels, label):
    message = rf"Got '{re.escape(label)}' instead; parse the index with pd\.to_datetime"
    with pytest.raises(ValueError, match=message):
        check_increasing(pd.Index(labels))


@pytest.mark.parametrize(
    "labels",
    [
        [pd.Timestamp("2024-01-01"), "2024-01-02"],
        [pd.Timestamp("2024-01-01"), 5],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02", tz="UTC")],
        [pd.Period("2024-01"), datetime.date(2024, 2, 1)],
        ["2024-01-01 00:00", "2024-01-02 00:00Z"],
        ["2024-01-01", "2024-01-02", "total"],
    ],
)
def test_labels_of_several_types_are_refused(labels):
    with pytest.raises(ValueError, match=r"must be of one type|must all be dates"):
        check_increasing(pd.Index(labels, dtype=object))


def test_names_tell_no_time_but_differ():
    assert check_increasing(pd.Index([f"row {i}" for i in range(N)])) is None
    with pytest.raises(ValueError, match=r"'AAPL' 24 times.*pass it as groups="):
        check_increasing(pd.Index(["AAPL"] * N))


CLOCK = pd.date_range("2024-10-26 12:00", periods=80, freq="15min", tz="Europe/Berlin")
AUSTRALIA = pd.date_range("2024-04-06 12:00", periods=40, freq="h", tz="Australia/Sydney")


@pytest.mark.parametrize("index", [CLOCK, CLOCK[::4], AUSTRALIA], ids=["15 min", "1 h", "south"])
@pytest.mark.parametrize("order", ["as recorded", "sorted"])
def test_the_repeated_hour_of_a_clock_change_is_an_error_that_does_not_advise_sorting(index, order):
    local = index.tz_localize(None)
    if order == "sorted":
        local = local.sort_values()
    with pytest.raises(ValueError, match=r"twice.*do not sort.*UTC.*tz_localize\(zone, amb"):
        check_increasing(local)
    assert check_increasing(index) is not None


def test_a_duplicate_row_is_not_taken_for_a_clock_change():
    with pytest.raises(ValueError, match=r"2 times instead.*keep one"):
        check_increasing(HOURS.insert(7, HOURS[6]))


def test_the_advice_for_a_clock_change_works():
    naive = CLOCK.tz_localize(None)
    assert check_increasing(naive.tz_localize("Europe/Berlin", ambiguous="infer")).equals(CLOCK)


# ------------------------------------------------------------------ everything that takes rows

TABLE = frame(HOURS).assign(b=1.0)
TARGET = pd.Series(np.arange(N, dtype=float), index=HOURS)


def quick():
    return AttentionLSTMRegressor(
        lookback=L, max_epochs=1, hidden_size=2, attention="bahdanau", random_state=0
    )


@pytest.fixture(scope="module")
def fitted():
    return quick().fit(TABLE, TARGET)


def calls(model):
    back, y = TABLE[::-1], TARGET[::-1]
    return {
        "fit": lambda: quick().fit(back, y),
        "partial_fit": lambda: quick().partial_fit(back, y),
        "X_val": lambda: quick().fit(TABLE, TARGET, X_val=back, y_val=y),
        "predict": lambda: model.predict(back),
        "score": lambda: model.score(back, y),
        "attention_weights": lambda: model.attention_weights(back),
        "update_context": lambda: model.update_context(back),
        "make_windows": lambda: make_windows(back, y, lookback=L),
        "lost by an array": lambda: quick().fit(back.to_numpy(), y),
    }


@pytest.mark.parametrize("method", calls(None))
def test_every_method_refuses_rows_out_of_order(method, fitted):
    with pytest.raises(ValueError, match=r"in time order, oldest first.*newest row first"):
        calls(fitted)[method]()


@pytest.mark.parametrize("names", [("day", "shop"), (None, None)])
@pytest.mark.parametrize("shops", [["x", "y"], [1, 2]], ids=["text", "numbers"])
def test_swapped_levels_of_a_MultiIndex_are_an_error_that_names_them(names, shops):
    index = pd.MultiIndex.from_product([DAYS, shops], names=names)
    with pytest.raises(ValueError, match=rf"\({names[0]}, {names[1]}\).*swaplevel\(\)\.sort_index"):
        quick().fit(frame(index), np.arange(2 * N))
    quick().fit(frame(index).swaplevel().sort_index(), np.arange(2 * N))


def test_swapped_levels_of_numbers_are_recognised_by_name():
    index = pd.MultiIndex.from_product([range(N), [7, 8]], names=["year", "country"])
    with pytest.raises(ValueError, match=r"\(year, country\).*first level is the time"):
        quick().fit(frame(index), np.arange(2 * N))


# ------------------------------------------------------------------ labels of y and the others

LAG = TARGET.shift(1)
OTHERS = {
    "another order": TARGET.sample(frac=1, random_state=0),
    "dropped at the other end": TARGET.set_axis(HOURS + pd.Timedelta("2h")),
    "a table": TARGET.sample(frac=1, random_state=0).to_frame(),
}


def test_labels_of_another_kind_are_warned_about_and_paired_by_position():
    days = TARGET.set_axis(DAYS)
    with pytest.warns(UserWarning, match="y has other labels than X.*paired by position"):
        model = quick().fit(TABLE, days)
    expected = quick().fit(TABLE, TARGET).time_attention_
    np.testing.assert_array_equal(model.time_attention_, expected)


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.parametrize("name", ["y", "sample_weight", "groups", "y_val", "score", "windows"])
def test_other_labels_than_those_of_X_are_an_error(case, name, fitted):
    other = OTHERS[case] + 1
    if name in ("sample_weight", "groups") and other.ndim == 2:
        other = other["index"] if "index" in other else other.iloc[:, 0]
    with pytest.raises(ValueError, match=r"must have the labels of X, row by row\. Got .*where X"):
        {
            "y": lambda: quick().fit(TABLE, other),
            "sample_weight": lambda: quick().fit(TABLE, TARGET, other),
            "groups": lambda: quick().fit(TABLE, TARGET, groups=other),
            "y_val": lambda: quick().fit(TABLE, TARGET, X_val=TABLE, y_val=other),
            "score": lambda: fitted.score(TABLE, other),
            "windows": lambda: make_windows(TABLE, other, lookback=L),
        }[name]()


@pytest.mark.parametrize(
    "y",
    [TARGET, TARGET.to_numpy(), TARGET.reset_index(drop=True), TARGET.to_frame(), list(TARGET)],
    ids=["Series", "array", "no labels", "frame", "list"],
)
def test_a_target_with_the_labels_of_X_or_without_labels_is_accepted(y):
    assert quick().fit(TABLE, y).n_outputs_ == 1


def test_rows_numbered_from_elsewhere_are_other_rows():
    X, y = TABLE.reset_index(drop=True), TARGET.reset_index(drop=True)
    quick().fit(X[2:], y[2:])
    with pytest.raises(ValueError, match=r"Got 0 in row 0, where X has 2"):
        quick().fit(X[2:], y[:-2])


def test_the_advice_for_rows_in_another_order_works(fitted):
    y = TARGET.sample(frac=1, random_state=0)
    with pytest.raises(ValueError, match=r"y = y\.loc\[X\.index\]"):
        quick().fit(TABLE, y)
    pd.testing.assert_series_equal(y.loc[TABLE.index], TARGET, check_freq=False)


def test_a_target_with_a_MultiIndex_that_X_lacks_is_an_error():
    index = pd.MultiIndex.from_product([["x", "y"], HOURS], names=["series", "time"])
    y = pd.Series(np.arange(2.0 * N), index=index)
    with pytest.raises(ValueError, match=r"array for X and a MultiIndex \(series, time\) in y"):
        quick().fit(np.zeros((2 * N, 1)), y)
    quick().fit(np.zeros((2 * N, 1)), y, groups=index.get_level_values(0))


# ------------------------------------------------------------------ any index at all


@given(
    case=st.sampled_from(sorted(INDEXES)),
    rows=st.lists(st.integers(0, N - 1), min_size=2, max_size=N),
    codes=st.lists(st.integers(0, 2), min_size=N, max_size=N),
    named=st.booleans(),
)
def test_labels_are_accepted_if_and_only_if_they_increase_in_each_series(case, rows, codes, named):
    index, codes = INDEXES[case][rows], np.array(codes[: len(rows)])
    if not named:
        codes[:] = 0
    steps = [np.diff([r for r, c in zip(rows, codes, strict=True) if c == s]) for s in range(3)]
    ordered = all((step > 0).all() for step in steps)
    arguments = (codes.astype(np.intp), pd.Index([0, 1, 2])) if named else ()
    if ordered:
        times = check_increasing(index, *arguments)
        assert times is not None
        assert len(times) == len(rows)
    else:
        with pytest.raises(ValueError, match="in time order, oldest first"):
            check_increasing(index, *arguments)


@given(
    st.lists(
        st.one_of(
            st.integers(),
            st.floats(),
            st.text(max_size=8),
            st.dates(),
            st.datetimes(),
            st.none(),
            st.timedeltas(),
            st.booleans(),
            st.times(),
            st.decimals(allow_nan=False),
            st.binary(max_size=3),
        ),
        max_size=4,
    )
)
def test_labels_of_any_type_are_accepted_or_an_error_of_this_package(labels):
    try:
        times = to_times(pd.Index(labels, dtype=object))
    except ValueError as error:
        assert re.search(r"time label|index of X", str(error))  # noqa: PT017
    else:
        assert times is None or len(times) == len(labels)
