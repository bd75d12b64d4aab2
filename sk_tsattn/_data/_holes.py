"""Holes: windows that reach across missing time stamps of a regular index."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

from ..exceptions import HistoryWarning
from ._calendar import MIN_STEPS, Calendar, Steps
from ._checks import warn_user
from ._rows import Rows

HOLES = (
    "{n} of {n_rows} windows of {name} reach across missing time stamps (first: {first}): the step "
    "of the index is {base}, but {n_holes} are longer, the first from {begin} to {end}. A window "
    "is lookback consecutive rows, whatever their labels. Insert the missing rows (asfreq, "
    "reindex), whose cells may be NaN, or name each unbroken part as a series in groups; in "
    "cross-validation use TimeSeriesSplit. If it is meant, ignore HistoryWarning "
    "(sk_tsattn.exceptions)."
)


def warn_history(findings: list[str]) -> None:
    """Warn once of everything found."""
    message = " ".join(filter(None, findings))
    if message:
        warn_user(message, HistoryWarning)


def describe_holes(
    rows: Rows,
    windows: NDArray[np.bool_],
    reach: int,
    name: str,
    calendar: Calendar | None = None,
    known: dict[Hashable, Steps | None] | None = None,
    n_context: int = 0,
) -> str:
    """Describe the windows that reach across missing time stamps; see :meth:`History.holes`.

    Parameters
    ----------
    reach : int
        Number of steps from the oldest to the newest row of a window.

    calendar : Calendar or None, default=None
        Unit of the steps; None chooses it.

    known : dict or None, default=None
        :class:`Steps` of the series that are known.
    """
    if rows.times is None or reach < 1 or not len(rows):
        return ""
    calendar = calendar or Calendar.of(rows.times)
    measured = calendar.measure(rows.times)
    crosses = np.zeros(len(rows), dtype=bool)
    holes: list[tuple[int, int]] = []
    base = 0.0
    for positions in rows.of_each_series():
        label = rows.series[rows.series_codes()[positions[0]]]
        steps = (known or {}).get(label)
        if steps is None and len(positions) > MIN_STEPS:
            steps = Steps.of(measured[positions], calendar)
        if steps is None or steps.base is None:
            continue
        at = np.flatnonzero(steps.is_hole(np.diff(measured[positions]))) + 1
        if not len(at):
            continue
        base = base or steps.base
        holes.extend((int(positions[i - 1]), int(positions[i])) for i in at)
        last_hole = np.full(len(positions), -1)
        last_hole[at] = at
        last_hole = np.maximum.accumulate(last_hole)
        since = np.arange(len(positions)) - last_hole
        crosses[positions] = (last_hole >= 0) & (since < reach)
    crosses &= windows
    crosses[:n_context] = False
    if not crosses.any():
        return ""
    begin, end = min(holes, key=lambda pair: pair[1])
    return HOLES.format(
        n=int(crosses.sum()),
        n_rows=len(rows) - n_context,
        name=name,
        first=rows.label(int(crosses.argmax())),
        base=calendar.format(base, rows.times),
        n_holes=len(holes),
        begin=rows.times[begin],
        end=rows.times[end],
    )
