"""Rows of one or several series: which series and which time each row belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ._checks import warn_user
from ._input import check_features
from ._ragged import check_targets_of_windows
from ._time_labels import check_increasing, to_times

# Names of an index level that holds the time.
TIME_NAMES = {
    "date", "datetime", "day", "ds", "hour", "minute", "month", "period", "quarter", "second",
    "step", "time", "timestamp", "week", "year",
}  # fmt: skip
LEVELS = "A DataFrame of several series must have a MultiIndex of two levels, (series, time). "


@dataclass
class Rows:
    """Checked input: a series, several series, or windows.

    Parameters
    ----------
    values : array of shape (n_rows, n_features) or (n_samples, n_timesteps, n_features)
        The numbers as they were given, not copied; a :class:`.StoredArray` is read in parts.

    codes : int ndarray of shape (n_rows,) or None
        Series of each row; None if the series are not named.

    series : pandas.Index
        Label of each series.

    labels : pandas.Index or None
        Label of each row as it was given; None for arrays.

    times : pandas.Index or None
        The labels as times or numbers; None if they do not tell time. See :func:`to_times`.

    columns : list
        Name of each feature, or its number.
    """

    values: Any
    codes: NDArray[np.intp] | None
    series: pd.Index
    labels: pd.Index | None
    times: pd.Index | None
    columns: list[Any]

    def __len__(self) -> int:
        return len(self.values)

    def series_codes(self) -> NDArray[np.intp]:
        """Return the series of each row, also if there is one."""
        return np.zeros(len(self), dtype=np.intp) if self.codes is None else self.codes

    def of_each_series(self) -> list[NDArray[np.intp]]:
        """Return the positions of the rows of each series, in their order."""
        if self.codes is None:
            return [np.arange(len(self))]
        order = np.argsort(self.codes, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(self.codes[order])) + 1)

    def select(self, which: NDArray[Any]) -> Rows:
        """Keep the rows at ``which`` (integers or booleans), and all series."""
        return Rows(
            self.values[which],
            None if self.codes is None else self.codes[which],
            self.series,
            None if self.labels is None else self.labels[which],
            None if self.times is None else self.times[which],
            self.columns,
        )

    def label(self, row: int) -> str:
        """Describe a row in a message."""
        label = f"row {row}" if self.labels is None else str(self.labels[row])
        return label if self.codes is None else f"{label} of series {self.series[self.codes[row]]}"


def check_rows(
    estimator: Any,
    X: Any,
    *,
    lookback: int | None,
    groups: Any,
    reset: bool,
    check_series: Callable[[Rows], None] | None = None,
) -> Rows:
    """Check ``X`` and return its rows or windows.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` and ``feature_names_in_`` are set or compared with.

    X : array-like, DataFrame or tensor
        2-D rows or 3-D windows.

    lookback : int or None
        The estimator's parameter.

    groups : array-like of shape (n_rows,) or None
        Series of each row.

    reset : bool
        True in ``fit``.

    check_series : callable or None, default=None
        Raises an error if the series are not those that ``fit`` knew. It is called before the
        order of the rows is checked: rows whose series are missing are in no order.

    Returns
    -------
    rows : Rows
    """
    values, columns = check_features(estimator, X, lookback=lookback, reset=reset)
    index = X.index if isinstance(X, pd.DataFrame) else None
    has_history = values.ndim == 2 and lookback is not None and lookback > 1
    codes, series, labels = series_of(index, groups, len(values), lookback)
    rows = Rows(values, codes, series, labels, None, columns)
    if check_series is not None:
        check_series(rows)
    if labels is not None and has_history:
        rows.times = check_increasing(labels, codes, series)
    return rows


def series_of(
    index: pd.Index | None, groups: Any, n_rows: int, lookback: int | None
) -> tuple[NDArray[np.intp] | None, pd.Index, pd.Index | None]:
    """Return the series of each row, their labels and the label of each row."""
    panel = index if lookback is not None and isinstance(index, pd.MultiIndex) else None
    labels = index
    if panel is not None:
        _check_levels(panel, lookback)
        labels = panel.get_level_values(1)
    if groups is not None:
        given = _check_groups(groups, index, n_rows)
        if panel is not None:
            _check_groups_are_the_level(given, panel)
    elif panel is not None:
        given = panel.get_level_values(0).to_numpy()
    else:
        return None, pd.Index([0]), labels
    codes, series = pd.factorize(given)
    if (codes < 0).any():
        raise ValueError(
            "Every row must belong to a series. Got rows whose series is missing (NaN or None) "
            "instead; name their series or drop them."
        )
    return codes.astype(np.intp), pd.Index(series), labels


def _check_groups(groups: Any, index: pd.Index | None, n_rows: int) -> NDArray[Any]:
    """Return the series of each row as an array."""
    labels = groups.to_numpy() if hasattr(groups, "to_numpy") else np.asarray(groups)
    if labels.shape != (n_rows,):
        raise ValueError(
            f"groups must have shape ({n_rows},), the series of each row of X. Got an array "
            f"of shape {labels.shape} instead."
        )
    if index is not None:
        check_same_labels(index, groups, "groups")
    return labels


def _check_groups_are_the_level(groups: NDArray[Any], index: pd.Index) -> None:
    """Raise if ``groups`` and the MultiIndex name different series."""
    level = index.get_level_values(0).to_numpy()
    same = groups.astype(object) == level.astype(object)
    if not same.all():
        row = int(np.argmin(same))
        raise ValueError(
            "groups and the first level of the MultiIndex of X must name the same series. Got "
            f"{groups[row]!r} and {level[row]!r} in row {row} instead; leave groups out, or give X "
            "an index of time alone (X.droplevel(0))."
        )


def _check_levels(index: pd.MultiIndex, lookback: int | None) -> None:
    """Raise unless the index has the levels (series, time)."""
    if index.nlevels != 2:
        raise ValueError(
            f"{LEVELS}Got {index.nlevels} levels ({', '.join(map(str, index.names))}) instead; "
            "join the levels that name the series into one."
        )
    if lookback == 1:
        return
    outer, inner = index.levels
    names = [str(name).lower() in TIME_NAMES for name in index.names]
    dates = [_holds_dates(level) for level in (outer, inner)]
    swapped = dates == [True, False] or (dates == [False, False] and names == [True, False])
    if swapped:
        raise ValueError(
            f"{LEVELS}Got ({index.names[0]}, {index.names[1]}) instead, whose first level is the "
            "time; swap the levels of X (and of y) with X.swaplevel().sort_index()."
        )


def _holds_dates(level: pd.Index) -> bool:
    """Return whether a level of an index holds dates, periods or time deltas."""
    try:
        times = to_times(level.dropna())
    except ValueError:  # text that is a date of ambiguous form, or with other text
        return True
    return isinstance(times, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex)


def check_same_labels(index: pd.Index, other: Any, name: str) -> None:
    """Raise unless the rows of ``other`` have the labels of ``X``, if both have an index.

    A default RangeIndex on one side has no labels, unless the other has numbers too. If the two
    share less than half of their labels, they may be labels of different kinds, and only a
    warning is given.

    Parameters
    ----------
    index : pandas.Index
        Labels of ``X``.

    other : object
        The target, weights or groups; checked if it is a Series or DataFrame.

    name : str
        Name of the argument.
    """
    if not isinstance(other, pd.Series | pd.DataFrame) or len(other.index) != len(index):
        return
    labels = other.index
    if index.equals(labels) or (_is_default(index) and _is_default(labels)):
        return
    same_depth = isinstance(labels, pd.MultiIndex) == isinstance(index, pd.MultiIndex)
    if not same_depth and labels.get_level_values(-1).equals(index.get_level_values(-1)):
        return
    default = [_is_default(i) for i in (index, labels)]
    if any(default):
        left = labels if default[0] else index
        if isinstance(left, pd.MultiIndex) or not pd.api.types.is_integer_dtype(left.dtype):
            return
    same = [a == b or (a is b) for a, b in zip(index, labels, strict=True)]
    if all(same):
        return
    row = same.index(False)
    is_shared = labels.isin(index)
    if is_shared.mean() < 0.5:
        warn_user(
            f"{name} has other labels than X: {labels[row]} in row {row}, where X has "
            f"{index[row]}; {int(is_shared.sum())} of its {len(labels)} labels occur in X. Rows "
            f"are paired by position. If this is meant, give {name}.to_numpy().",
            UserWarning,
        )
        return
    same_set = bool(is_shared.all() and index.isin(labels).all())
    advice = (
        f"put them in one order, for example {name} = {name}.loc[X.index]"
        if same_set and index.is_unique
        else f"keep the same rows of both, for example X, {name} = X.align({name}, join='inner', "
        "axis=0)"
    )
    raise ValueError(
        f"{name} must have the labels of X, row by row. Got {labels[row]} in row {row}, where X "
        f"has {index[row]}{' (the same labels in another order)' if same_set else ''}, instead; "
        f"{advice}."
    )


def check_labels_of_target(X: Any, y: Any, rows: Rows, lookback: int | None) -> None:
    """Compare the labels of ``y`` with those of ``X``; if ``X`` has lost them, check their order.

    Raises
    ------
    ValueError
        If rows of ``y`` belong to other rows of ``X``, or if ``y`` shows that the rows are those
        of several series or not in time order.
    """
    check_targets_of_windows(X, y)
    if isinstance(X, pd.DataFrame):
        check_same_labels(X.index, y, "y")
        return
    if not isinstance(y, pd.Series | pd.DataFrame) or len(y) != len(rows):
        return
    if rows.values.ndim == 3 or lookback is None or lookback == 1 or _is_default(y.index):
        return
    labels = y.index
    if isinstance(labels, pd.MultiIndex):
        if rows.codes is None:
            raise ValueError(
                "X must name the series of its rows if y does. Got an array for X and a MultiIndex "
                f"({', '.join(map(str, labels.names))}) in y instead; give groups, or keep the "
                'index of X in transformers with set_output(transform="pandas").'
            )
        labels = labels.get_level_values(-1)
    check_increasing(labels, rows.codes, rows.series)


def _is_default(index: pd.Index) -> bool:
    """Return whether an index is the one that pandas makes if none is given."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
