"""Time labels: what an index says about time, and that it increases within each series."""

from __future__ import annotations

import datetime
import numbers
import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Text labels that are parsed. Other dates as text are refused, since 01/02/03 can be three dates.
ISO_DATE = re.compile(
    r"\d{4}-\d{2}(-\d{2}([T ]\d{2}(:?\d{2}(:?\d{2}([.,]\d+)?)?)?)?)?"
    r"( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?"
)
QUARTER = re.compile(r"\d{4}-?Q[1-4]")
CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?")
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
OTHER_DATE = re.compile(
    rf"\d{{1,4}}[/.\-_]\d{{1,2}}[/.\-_]\d{{1,4}}\b.*"  # 31.12.2024, 1/2/24 10:00
    rf"|\d{{1,2}}[/.\-]\d{{4}}|\d{{4}}[/.]\d{{1,2}}"  # 12/2024
    rf"|\d{{4}}-?W\d{{2}}(-?\d)?"  # 2024-W05
    rf"|.*\b({MONTHS})[a-z]*\b.*\d.*|.*\d.*\b({MONTHS})[a-z]*\b.*"  # Jan 5, 2024
    rf"|\d{{1,4}}[/.\-]({MONTHS})[a-z]*[/.\-]\d{{1,4}}.*",
    re.IGNORECASE,
)

# One message for each kind of disorder.
IN_ORDER = (
    "With lookback > 1 the rows of X must be in time order, oldest first, and each time label must "
    "occur once in a series. "
)
NEWEST_FIRST = IN_ORDER + (
    "Got the newest row first instead ({first}, then {second}){where}; reverse X, y and all other "
    "arrays together, for example X[::-1] and y[::-1]."
)
SHUFFLED = IN_ORDER + (
    "Got a row labelled {label} after a later one instead{where}; if the rows belong to several "
    "series, name the series of each row with groups= or with a MultiIndex (series, time). If they "
    "are one series, sort X and y together by time (sort_index()). Do not shuffle: split with "
    "TimeSeriesSplit instead of shuffled folds."
)
REPEATED = IN_ORDER + (
    "Got the label {label} {count} times instead{where}; if the rows belong to several series, "
    "name the series of each row with groups= or with a MultiIndex (series, time). In "
    "cross-validation, groups reach fit and predict only if they are requested: "
    "set_fit_request(groups=True) and set_score_request(groups=True) with metadata routing. If a "
    "row was recorded twice, keep one of them."
)
CLOCK_CHANGE = IN_ORDER + (
    "Got the label {label} twice instead{where}, in an hour that occurs twice in local time when "
    "summer time ends; do not sort. Record the time in UTC, or give the rows in their original "
    "order a time zone: index.tz_localize(zone, ambiguous='infer')."
)
MISSING = (
    "Every row of X must have a time label. Got {n} missing ({label}, first in row {row}) "
    "instead; fill in the time of these rows or drop them."
)
OTHER_TEXT = (
    "Dates in the index of X that are text must be of the form 2024-01-31 or 2024-01-31 12:00. "
    "Got {label!r} instead; parse the index with pd.to_datetime(index, format=...), and then check "
    "that it increases."
)
SOME_TEXT = (
    "The time labels of X must all be dates or none of them. Got {good!r} and {bad!r} instead; "
    "drop the rows that are not observations, or parse the index with pd.to_datetime."
)
MIXED = (
    "The time labels of X must be of one type. Got {first!r} and {second!r} instead; convert the "
    "index with pd.to_datetime(..., utc=True)."
)
TOO_LONG = (
    "Time deltas in the index of X must be within the range of pandas.Timedelta. Got longer ones "
    "instead ({error}); give the time as numbers, for example in days."
)
TEXT_REPEATED = (
    "With lookback > 1 the labels of the rows of X must be different within a series. Got the "
    "label {label!r} {count} times instead{where}; if the index names the series of each row, pass "
    "it as groups= and put the time into the index."
)


def to_times(index: pd.Index) -> pd.Index | None:
    """Return labels that can be compared and subtracted, or None if they do not tell time.

    Parameters
    ----------
    index : pandas.Index
        One label for each row: time stamps, periods, time deltas, numbers, dates as objects, or
        text of these (dates in ISO 8601).

    Returns
    -------
    times : DatetimeIndex, PeriodIndex, TimedeltaIndex, numeric Index or None
        None for labels that are no times, such as names.

    Raises
    ------
    ValueError
        If a label is missing, if labels are of several types, or if they are text that is a date
        of ambiguous form.
    """
    if isinstance(index, pd.MultiIndex):
        return None
    if isinstance(index, pd.IntervalIndex):
        index = index.left
    if isinstance(index.dtype, pd.CategoricalDtype):
        index = pd.Index(index.to_numpy())
    missing = np.asarray(index.isna())
    if index.dtype.kind == "f":
        missing |= ~np.isfinite(index.to_numpy())
    if missing.any():
        row = int(missing.argmax())
        raise ValueError(MISSING.format(n=int(missing.sum()), label=index[row], row=row))
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex):
        return index
    if pd.api.types.is_bool_dtype(index.dtype):
        return None
    if pd.api.types.is_numeric_dtype(index.dtype):
        return _numbers(index)
    values = index.to_numpy(dtype=object)
    if not len(values):
        return None
    if all(isinstance(value, str) for value in values):
        return _text(values)
    return _objects(values)


def _numbers(index: pd.Index) -> pd.Index | None:
    """Return numbers, as dates where all are dates such as 20240131."""
    if index.dtype.kind not in "iuf":  # extension arrays, complex numbers
        if np.iscomplexobj(index.to_numpy()):
            return None
        integral = pd.api.types.is_integer_dtype(index.dtype)
        index = pd.Index(index.to_numpy(dtype=np.int64 if integral else np.float64))
    if index.dtype.kind == "u":
        if not len(index) or index.max() > np.iinfo(np.int64).max:
            return index.astype(np.uint64)
        index = index.astype(np.int64)
    if index.dtype.kind == "f" and index.dtype != np.float64:
        index = index.astype(np.float64)
    if index.dtype.kind == "i":
        index = index if isinstance(index, pd.RangeIndex) else index.astype(np.int64)
        if len(index) and index.min() >= 19000101 and index.max() <= 21991231:
            dates = pd.to_datetime(index.astype(str), format="%Y%m%d", errors="coerce")
            if not dates.isna().any():
                return dates
    return index


def _text(values: NDArray[np.object_]) -> pd.Index | None:
    """Parse text that is a number, a date in ISO 8601, a quarter or a time of day."""
    text = [str(value).strip() for value in values]
    numbers = pd.to_numeric(pd.Series(text), errors="coerce")
    if np.isfinite(numbers).all():
        return _numbers(pd.Index(numbers))
    if all(QUARTER.fullmatch(t) for t in text):
        return pd.PeriodIndex([t.replace("-", "") for t in text], freq="Q")
    if all(CLOCK.fullmatch(t) for t in text):
        return pd.to_timedelta([t if t.count(":") == 2 else t + ":00" for t in text])
    is_iso = np.array([ISO_DATE.fullmatch(t) is not None for t in text])
    if is_iso.all():
        has_zone = np.array(
            [
                t[10:].endswith(("Z", "UTC")) or bool(re.search(r"[+-]\d{2}(:?\d{2})?$", t[10:]))
                for t in text
            ]
        )
        if has_zone.any() and not has_zone.all():
            raise ValueError(
                MIXED.format(first=text[has_zone.argmax()], second=text[has_zone.argmin()])
            )
        try:
            return pd.DatetimeIndex(
                pd.to_datetime(text, format="ISO8601", utc=bool(has_zone.any()))
            )
        except ValueError as error:  # 2024-13-45
            raise ValueError(OTHER_TEXT.format(label=text[0])) from error
    is_date = is_iso | np.array([OTHER_DATE.fullmatch(t) is not None for t in text])
    if is_date.all():
        raise ValueError(OTHER_TEXT.format(label=text[int(is_iso.argmin())]))
    if is_date.mean() > 0.5:
        raise ValueError(SOME_TEXT.format(good=text[is_date.argmax()], bad=text[is_date.argmin()]))
    return None


def _objects(values: NDArray[np.object_]) -> pd.Index | None:
    """Convert dates, periods, time deltas, times of day or numbers that are Python objects."""
    dates = (datetime.date, np.datetime64)  # datetime and Timestamp are dates too
    first = values[0]
    for types, convert in (
        (dates, _dates),
        (pd.Period, lambda v: pd.PeriodIndex(v)),
        ((datetime.timedelta, np.timedelta64), _time_deltas),
        (datetime.time, lambda v: pd.to_timedelta([str(t) for t in v])),
        (numbers.Number, _number_objects),
    ):
        matches = [isinstance(value, types) and not isinstance(value, bool) for value in values]
        if all(matches):
            return convert(values)
        if any(matches) and types is not numbers.Number:
            other = values[matches.index(False)]
            first = values[matches.index(True)]
            raise ValueError(MIXED.format(first=first, second=other))
    return None


def _number_objects(values: NDArray[np.object_]) -> pd.Index | None:
    """Convert numbers; integers keep all their digits."""
    if any(isinstance(value, numbers.Complex) and value.imag for value in values):
        return None
    whole = all(isinstance(value, numbers.Integral) for value in values)
    return _numbers(pd.Index(list(values)) if whole else pd.Index(values.astype(np.float64)))


def _dates(values: NDArray[np.object_]) -> pd.Index:
    zones = {getattr(value, "tzinfo", None) is not None for value in values}
    if len(zones) > 1:
        has_zone = [getattr(value, "tzinfo", None) is not None for value in values]
        raise ValueError(
            MIXED.format(
                first=str(values[has_zone.index(True)]), second=str(values[has_zone.index(False)])
            )
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return pd.DatetimeIndex(values)
        except pd.errors.OutOfBoundsDatetime:  # pandas 2 takes nanoseconds: years 1677 to 2262
            dtype = "datetime64[us, UTC]" if True in zones else "datetime64[us]"
            return pd.DatetimeIndex(values, dtype=dtype)
        except (ValueError, TypeError):  # several zones
            return pd.DatetimeIndex(pd.to_datetime(pd.Index(values), utc=True))


def _time_deltas(values: NDArray[np.object_]) -> pd.Index:
    try:
        return pd.TimedeltaIndex(values)
    except pd.errors.OutOfBoundsTimedelta as error:
        raise ValueError(TOO_LONG.format(error=error)) from error


def ordinals(times: pd.Index) -> NDArray[Any]:
    """Return the labels as int64 or float64 numbers that increase with time."""
    if isinstance(times, pd.DatetimeIndex | pd.TimedeltaIndex | pd.PeriodIndex):
        return np.asarray(times.asi8)
    return np.asarray(times.to_numpy())


def kind_of(times: pd.Index | None) -> str:
    """Describe the type of labels: two blocks of rows can follow each other if it is the same."""
    if times is None:
        return "no time labels"
    if isinstance(times, pd.DatetimeIndex):
        return "time stamps without a time zone" if times.tz is None else "time stamps with a zone"
    if isinstance(times, pd.PeriodIndex):
        return f"periods of frequency {times.freqstr}"
    if isinstance(times, pd.TimedeltaIndex):
        return "time deltas"
    return "numbers"


def check_increasing(
    index: pd.Index, codes: NDArray[np.intp] | None = None, series: pd.Index | None = None
) -> pd.Index | None:
    """Check that the labels of each series increase strictly.

    Parameters
    ----------
    index : pandas.Index
        One label for each row.

    codes : int ndarray of shape (n_rows,) or None, default=None
        Series of each row; None if there is one.

    series : pandas.Index or None, default=None
        Label of each series.

    Returns
    -------
    times : pandas.Index or None
        See :func:`to_times`.

    Raises
    ------
    ValueError
        With the advice that fits the cause.
    """
    times = to_times(index)
    n_rows = len(index)
    order = np.arange(n_rows) if codes is None else np.argsort(codes, kind="stable")
    of_row = np.zeros(n_rows, dtype=np.intp) if codes is None else codes[order]
    within = np.diff(of_row) == 0

    def where(row: int) -> str:
        return "" if codes is None or series is None else f" (series {series[codes[row]]!r})"

    if times is None:
        if not isinstance(index, pd.MultiIndex):
            _check_different(index, codes, where)
        return None
    values = ordinals(times)[order]
    steps = np.diff(values) if values.dtype.kind == "f" else _signed_steps(values)
    wrong = within & ~(steps > 0)
    if not wrong.any():
        return times
    at = int(np.flatnonzero(wrong)[0])
    row = int(order[at + 1])
    if (steps[within] < 0).all():
        first, second = _show(index[order[at]]), _show(index[row])
        raise ValueError(NEWEST_FIRST.format(first=first, second=second, where=where(row)))
    keys = pd.MultiIndex.from_arrays([of_row, values])
    repeated = keys.duplicated(keep=False)
    if not repeated.any():
        raise ValueError(SHUFFLED.format(label=_show(index[row]), where=where(row)))
    at = int(np.flatnonzero(repeated)[0])
    row = int(order[at])
    count = int((keys == keys[at]).sum())
    message = REPEATED
    if _is_clock_change(times[order[repeated]], of_row[repeated], n_rows):
        message = CLOCK_CHANGE
    raise ValueError(message.format(label=_show(index[row]), count=count, where=where(row)))


def _signed_steps(values: NDArray[Any]) -> NDArray[np.int8]:
    """Return the signs of the differences, which cannot overflow."""
    return (values[1:] > values[:-1]).astype(np.int8) - (values[1:] < values[:-1])


def _check_different(index: pd.Index, codes: NDArray[np.intp] | None, where: Any) -> None:
    """Raise if a label that is no time occurs twice in a series."""
    try:
        of_row = np.zeros(len(index), dtype=np.intp) if codes is None else codes
        frame = pd.DataFrame({"series": of_row, "label": index.to_numpy()})
        repeated = frame.duplicated(keep=False).to_numpy()
    except TypeError:  # labels without a hash
        return
    if repeated.any():
        row = int(repeated.argmax())
        same = (frame["series"] == frame["series"][row]) & (frame["label"] == frame["label"][row])
        raise ValueError(
            TEXT_REPEATED.format(label=index[row], count=int(same.sum()), where=where(row))
        )


def _is_clock_change(repeated: pd.Index, codes: NDArray[np.intp], n_rows: int) -> bool:
    """Return whether the repeated labels are those of hours in which summer time ends.

    Clocks are set back by one hour in the night to a Sunday, once a year.
    """
    if not isinstance(repeated, pd.DatetimeIndex) or repeated.tz is not None:
        return False
    counts = pd.Series(repeated).groupby([codes, np.asarray(repeated)]).size()
    nights = repeated.normalize().unique().sort_values()
    once_a_year = len(nights) < 2 or bool((np.diff(nights) > np.timedelta64(300, "D")).all())
    return (
        once_a_year
        and 2 * len(repeated) <= n_rows
        and bool((counts == 2).all())
        and bool((repeated.hour <= 3).all())
        and bool((nights.day_of_week == 6).all())
        and all(np.ptp(repeated[repeated.normalize() == n].asi8) < _hour(repeated) for n in nights)
    )


def _hour(times: pd.DatetimeIndex) -> int:
    """Return one hour in the unit of the labels' integers."""
    return (
        int(pd.Timedelta("1h").as_unit(times.unit).value)
        if times.unit == "ns"
        else int(pd.Timedelta("1h") / pd.Timedelta(1, unit=times.unit))
    )


def _show(label: Any) -> str:
    return str(label)
