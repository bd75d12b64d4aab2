"""Labels of rows: the series and the time of each, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .._data._holes import describe_holes
from .._data._rows import Rows, check_same_labels
from .._data._time_labels import check_increasing, ordinals

Positions = NDArray[np.intp]
DATES = (pd.DatetimeIndex, pd.PeriodIndex)


@dataclass(frozen=True)
class Labels:
    """The series and the time label of each row.

    Parameters
    ----------
    index : pandas.Index
        Label of each row in the predictions.

    times : pandas.Index
        The distinct time labels, in order.

    time : ndarray of shape (n_rows,)
        Position of each row's label in ``times``.

    series : ndarray of shape (n_rows,)
        Position of each row's series in ``names``.

    names : pandas.Index
        The series.

    comparable : pandas.Index or None
        Time label of each row as a date or a number; None if the labels do not tell time.
    """

    index: pd.Index
    times: pd.Index
    time: Positions
    series: Positions
    names: pd.Index
    comparable: pd.Index | None

    def rows(self, times: Positions) -> Positions:
        """Return the rows that have one of these time labels."""
        return np.flatnonzero(np.isin(self.time, times))

    def describe_holes(self, used: NDArray[np.bool_], lookback: int) -> str:
        """Describe the windows of used rows that reach across missing time stamps."""
        several = isinstance(self.index, pd.MultiIndex)
        rows = Rows(
            values=np.empty((len(used), 0)),
            codes=self.series if several else None,
            series=self.names,
            labels=self.index.get_level_values(-1),
            times=self.comparable,
            columns=[],
        )
        return describe_holes(rows, used, lookback - 1, "X")


def label_rows(X: Any, y: Any, groups: ArrayLike | None, n_rows: int) -> Labels:
    """Return the labels of the rows: those of ``X``, else of ``y`` or ``groups``, else numbers.

    Raises
    ------
    ValueError
        If the labels differ, or rows are not in time order.
    """
    return _label_rows(_index_of(X, y, groups, n_rows), groups)


def _index_of(X: Any, y: Any, groups: Any, n_rows: int) -> pd.Index:
    """Return the index of ``X``, else of ``y`` or ``groups``, else row numbers."""
    if isinstance(X, pd.DataFrame):
        for name, other in (("y", y), ("groups", groups)):
            check_same_labels(X.index, other, name)
    for part in (X, y, groups):
        if isinstance(part, pd.DataFrame | pd.Series) and not _is_default(part.index):
            return part.index
    return pd.RangeIndex(n_rows)


def _is_default(index: pd.Index) -> bool:
    """Return whether an index numbers the rows, as pandas does by itself."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _label_rows(index: pd.Index, groups: ArrayLike | None) -> Labels:
    """Find the series and the time label of each row, and check that rows are in time order."""
    name, times = None, index
    if isinstance(index, pd.MultiIndex):
        if groups is not None or index.nlevels != 2:
            raise ValueError(
                "The index must be (series, time), without groups, or time labels with groups. "
                f"Got a MultiIndex of {index.nlevels} levels and groups={groups!r:.30} instead."
            )
        if isinstance(index.levels[0], DATES) and not isinstance(index.levels[1], DATES):
            raise ValueError(
                "A MultiIndex must have the levels (series, time). Got (time, series) instead; "
                "use frame.swaplevel().sort_index()."
            )
        name, times = index.names[0], index.get_level_values(1)
        groups = index.get_level_values(0)
    if groups is None:
        comparable = check_increasing(index)
        position = np.arange(len(index))
        return Labels(index, index, position, np.zeros_like(position), pd.Index([0]), comparable)
    if np.shape(groups) != (len(index),):
        raise ValueError(
            f"groups must have shape ({len(index)},), the series of each row. Got an array of "
            f"shape {np.shape(groups)} instead."
        )
    codes, names = pd.factorize(np.asarray(groups), sort=True)
    if (codes < 0).any():
        raise ValueError(
            "Every row must belong to a series. Got rows whose series is missing (NaN or None) "
            "instead; name their series or drop them."
        )
    if _is_default(times):
        sizes = np.bincount(codes)
        if sizes.min() != sizes.max():
            raise ValueError(
                "Series of different lengths must have time labels, to be cut at the same time. "
                f"Got row numbers and series of {sizes.min()} to {sizes.max()} rows instead; give "
                "X as a DataFrame with a time index."
            )
        times = pd.Index(pd.Series(codes).groupby(codes).cumcount())
    comparable = check_increasing(times, codes, pd.Index(names))
    if comparable is None:
        raise ValueError(
            "The time labels of several series must be dates, periods or numbers. Got "
            f"{times[0]!r} instead; convert them, for example with pd.to_datetime."
        )
    _, first, time = np.unique(ordinals(comparable), return_index=True, return_inverse=True)
    labels = pd.MultiIndex.from_arrays([pd.Index(names)[codes], times], names=[name, times.name])
    return Labels(labels, times[first], time, codes, pd.Index(names), comparable)
