"""Plain forms of pandas objects: arrays, numbers and text, which any version of pandas can read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._calendar import Calendar, Steps
from ._history import History, as_frame
from ._rows import Rows


def history_to_plain(history: History) -> dict[str, Any]:
    """Return the contents of a :class:`History` without its classes."""
    rows, steps, ends = history.rows, history.steps, history.ends
    plain: dict[str, Any] = {
        "values": rows.values,
        "codes": rows.codes,
        "columns": rows.columns,
        "lookback": history.lookback,
        "unit": None if history.calendar is None else history.calendar.unit,
        "steps": [None if s is None else [s.base, s.longest, s.usual] for s in steps.values()],
    }
    indices: dict[str, pd.Index | None] = {
        "series": rows.series,
        "labels": rows.labels,
        "times": rows.times,
        "series_with_steps": _as_index(list(steps)),
        "series_with_ends": _as_index(list(ends)),
        "ends": None if rows.times is None else _as_index(list(ends.values()), rows.times.dtype),
    }
    return plain | {name: index_to_plain(i) for name, i in indices.items() if i is not None}


def history_from_plain(plain: dict[str, Any]) -> History:
    """Return the :class:`History` of a plain form."""
    labels, times, ends = (
        index_from_plain(plain[name]) if name in plain else None
        for name in ("labels", "times", "ends")
    )
    series = index_from_plain(plain["series"])
    rows = Rows(plain["values"], plain["codes"], series, labels, times, plain["columns"])
    steps = [None if values is None else Steps(*values) for values in plain["steps"]]
    return History(
        as_frame(rows),
        rows,
        plain["lookback"],
        None if plain["unit"] is None else Calendar(plain["unit"]),
        dict(zip(index_from_plain(plain["series_with_steps"]), steps, strict=True)),
        dict(
            zip(
                index_from_plain(plain["series_with_ends"]),
                [] if ends is None else ends,
                strict=True,
            )
        ),
    )


def index_to_plain(index: pd.Index) -> dict[str, Any]:
    """Return the labels of an index as arrays; categories become the labels that they stand for."""
    plain: dict[str, Any] = {"names": list(index.names)}
    if isinstance(index, pd.MultiIndex):
        levels = [index.get_level_values(level) for level in range(index.nlevels)]
        return plain | {"levels": [index_to_plain(level) for level in levels]}
    if isinstance(index, pd.RangeIndex):
        return plain | {"range": [index.start, index.stop, index.step]}
    if isinstance(index, pd.IntervalIndex):
        left, right = index_to_plain(index.left), index_to_plain(index.right)
        return plain | {"left": left, "right": right, "closed": index.closed}
    if isinstance(index, pd.PeriodIndex):
        return plain | {"values": index.asi8, "period": index.freqstr}
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        values = index.tz_convert("UTC").tz_localize(None).to_numpy()
        return plain | {"values": values, "zone": _plain_zone(index.tz)}
    return plain | {"values": np.asarray(index)}


def index_from_plain(plain: dict[str, Any]) -> pd.Index:
    """Return the index of a plain form."""
    index: Any
    if "levels" in plain:
        index = pd.MultiIndex.from_arrays([index_from_plain(level) for level in plain["levels"]])
    elif "range" in plain:
        index = pd.RangeIndex(*plain["range"])
    elif "closed" in plain:
        left: Any = index_from_plain(plain["left"])
        right: Any = index_from_plain(plain["right"])
        index = pd.IntervalIndex.from_arrays(left, right, closed=plain["closed"])
    elif "period" in plain:
        periods: Any = pd.PeriodIndex  # its stubs lack from_ordinals
        index = periods.from_ordinals(plain["values"], freq=plain["period"])
    elif "zone" in plain:
        index = pd.DatetimeIndex(plain["values"]).tz_localize("UTC").tz_convert(plain["zone"])
    else:
        index = _as_index(plain["values"])
    named: pd.Index = index.set_names(plain["names"])
    return named


def _as_index(labels: Any, dtype: Any = None) -> pd.Index:
    index: pd.Index = pd.Index(labels, dtype=dtype, tupleize_cols=False)
    return index


def _plain_zone(zone: Any) -> Any:
    """Return the name of a time zone, or the zone itself if pandas does not find it by its name."""
    try:
        found = pd.DatetimeTZDtype(tz=str(zone)).tz == zone
    except (KeyError, TypeError, ValueError):
        found = False
    return str(zone) if found else zone
