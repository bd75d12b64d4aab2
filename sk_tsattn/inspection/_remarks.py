"""What differs between attention and importance, in words."""

from __future__ import annotations

import re
from collections.abc import Hashable

import pandas as pd

# Smaller differences of fractions are not mentioned.
MIN_DIFFERENCE = 0.1
IMPORTANT = (
    "{name} has {importance:.0%} of the importance and {attention:.0%} of the attention: few of "
    "its cells may be used, each with a large effect."
)
ATTENDED = (
    "{name} has {attention:.0%} of the attention and {importance:.0%} of the importance: other "
    "inputs may replace it where it is permuted, or its attention may have no effect (see "
    "faithfulness)."
)
CALENDAR = (
    "{names} look like columns of the calendar. They replace or complete one another, so that each "
    "has little importance: permute neighbouring columns together (blocks of "
    "permutation_importance), and add up their attention."
)
CALENDAR_WORDS = {
    "calendar", "day", "dayofweek", "dayofyear", "holiday", "hour", "minute", "month", "quarter",
    "season", "week", "weekday", "weekend", "weekofyear", "workday", "workingday", "year",
    "yearday",
}  # fmt: skip


def remarks_on(frame: pd.DataFrame, over: str) -> list[str]:
    """Describe the greatest differences, and name columns that are to be read together.

    Parameters
    ----------
    frame : DataFrame
        With the columns ``attention``, ``importance_fraction`` and ``difference``.

    over : {"feature", "time"}
        What its rows are.

    Returns
    -------
    remarks : list of str
        The greatest difference first.
    """
    prefix = "Step " if over == "time" else ""
    differing = frame[frame["difference"].abs() >= MIN_DIFFERENCE]
    order = differing["difference"].abs().sort_values(ascending=False, kind="stable").index
    remarks = [
        (ATTENDED if row["difference"] > 0 else IMPORTANT).format(
            name=f"{prefix}{name}",
            attention=row["attention"],
            importance=row["importance_fraction"],
        )
        for name, row in differing.loc[order].iterrows()
    ]
    calendar = [str(name) for name in frame.index if _is_calendar(name)]
    if len(calendar) > 1:
        remarks.append(CALENDAR.format(names=", ".join(calendar)))
    return remarks


def _is_calendar(name: Hashable) -> bool:
    """Return whether a name such as ``hour_sin`` has a word of the calendar."""
    return bool(CALENDAR_WORDS & set(re.split(r"[^a-z]+", str(name).lower())))
