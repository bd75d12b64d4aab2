"""Steps of time labels: how far rows are apart, which steps are usual, and which are holes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._time_labels import ordinals

DAY = 86_400_000_000  # in microseconds
# A step is usual if at least this fraction of the steps is as long or longer.
USUAL_FRACTION = 0.05
# Fewer steps than these do not tell whether an index is regular.
MIN_STEPS = 4
# Daily data without weekends: up to this many missing days in a row are public holidays, as long
# as no more than this fraction of the steps has any.
MAX_HOLIDAYS = 3
MAX_HOLIDAY_FRACTION = 0.1


@dataclass(frozen=True)
class Calendar:
    """The unit in which labels are a number of steps apart.

    Parameters
    ----------
    unit : {"elapsed", "wall", "months", "business"}
        Elapsed time (or the numbers themselves), time on the wall clock, calendar months, or time
        without Saturdays and Sundays.
    """

    unit: str

    @classmethod
    def of(cls, times: pd.Index) -> Calendar:
        """Choose the unit in which ``times`` have the most regular steps."""
        if not isinstance(times, pd.DatetimeIndex) or len(times) < 2:
            return cls("elapsed")
        local = times.tz_localize(None)
        days = local.normalize()
        same_time_of_day = len(np.unique(local.asi8 - days.asi8)) == 1
        if same_time_of_day and len(times) > 2:
            distinct = days.unique()
            same_day = distinct.day.nunique() == 1 or bool(distinct.is_month_end.all())
            if same_day and len(distinct) > 2:
                return cls("months")
        spans_weekend = local.max() - local.min() >= pd.Timedelta("7D")
        if spans_weekend and bool((local.day_of_week < 5).all()):
            return cls("business")
        return cls("wall" if same_time_of_day else "elapsed")

    def measure(self, times: pd.Index) -> NDArray[Any]:
        """Return the labels as numbers in this unit; times in microseconds."""
        if isinstance(times, pd.TimedeltaIndex):
            return _microseconds(times)
        if not isinstance(times, pd.DatetimeIndex):
            return ordinals(times)
        if self.unit == "elapsed":
            return _microseconds(times)
        local = times.tz_localize(None)
        if self.unit == "wall":
            return _microseconds(local)
        if self.unit == "months":
            return np.asarray(local.year * 12 + local.month - 1, dtype=np.int64)
        days = local.normalize()
        workdays = np.busday_count("1970-01-01", days.to_numpy().astype("M8[D]"))
        return np.asarray(workdays * DAY + (_microseconds(local) - _microseconds(days)))

    def format(self, step: float, times: pd.Index) -> str:
        """Describe a step between labels such as ``times``."""
        if isinstance(times, pd.DatetimeIndex | pd.TimedeltaIndex):
            if self.unit == "months":
                return f"{step:g} month(s)"
            return str(pd.Timedelta(int(step), unit="us"))
        return f"{step:g}"


def _microseconds(times: pd.DatetimeIndex | pd.TimedeltaIndex) -> NDArray[Any]:
    """Return times as int64 microseconds; nanoseconds become fractions."""
    if times.unit == "ns":
        rest = times.asi8 % 1000
        whole = times.asi8 // 1000
        return whole + rest / 1000 if rest.any() else whole
    return np.asarray(times.as_unit("us").asi8)


@dataclass(frozen=True)
class Steps:
    """The steps between the labels of one series.

    Parameters
    ----------
    base : float or None
        The step of a regular index: the smallest step, if it is the most frequent one and all
        others are multiples of it. None if the index is irregular.

    longest : float
        A longer step is a hole. The base step; for daily data without weekends also that across
        public holidays; infinite if the index is irregular.

    usual : float
        The longest usual step: one after which a series goes on.
    """

    base: float | None
    longest: float
    usual: float

    @classmethod
    def of(cls, measured: NDArray[Any], calendar: Calendar) -> Steps | None:
        """Analyse the labels of a series, as :meth:`Calendar.measure` returns them."""
        steps = np.diff(measured)
        if not len(steps) or not (steps > 0).all():
            return None
        smallest = float(steps.min())
        ratios = steps / smallest
        multiples = np.round(ratios)
        tolerance = 1e-3 if steps.dtype.kind == "f" else 0.0
        regular = bool((np.abs(ratios - multiples) <= tolerance).all())
        if regular:
            _, counts = np.unique(multiples, return_counts=True)
            regular = bool(counts[0] == counts.max())
        if not regular:
            return cls(None, np.inf, float(steps.max()))
        n_steps = len(steps)
        longer = np.sort(multiples)[::-1]
        n_usual = max(2, int(np.ceil(USUAL_FRACTION * n_steps)))
        usual = smallest * (longer[n_usual - 1] if n_steps >= n_usual else 1.0)
        longest = smallest
        if calendar.unit == "business" and smallest == DAY:
            rare = np.mean(multiples > 1) <= MAX_HOLIDAY_FRACTION
            if rare or n_steps < 1 / MAX_HOLIDAY_FRACTION:
                longest = smallest * (1 + MAX_HOLIDAYS)
        return cls(smallest, longest, max(usual, longest))

    def is_hole(self, steps: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which steps are longer than the index of the series usually allows."""
        return np.asarray(steps > self.longest * (1 + 1e-3))

    def goes_on(self, step: float) -> bool:
        """Return whether a label this far after the last one continues the series."""
        return bool(0 < step <= self.usual * (1 + 1e-3)) or step == 0
