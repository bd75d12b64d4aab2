"""Forecasting: rows and windows of a series, each with the targets that lie ahead of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ._checks import check_int, is_int
from ._holes import describe_holes, warn_history
from ._numbers import check_columns, to_array
from ._rows import Rows, check_same_labels, series_of
from ._time_labels import check_increasing

NOWCAST = "nowcast"
# Name of the level of the columns of a target that tells how many rows ahead they are.
HORIZON = "horizon"

Horizon = int | Sequence[int] | str


def make_windows(
    series: Any,
    y: Any = None,
    *,
    lookback: int,
    horizon: Horizon = 1,
    gap: int = 0,
    known: Sequence[Any] = (),
) -> tuple[NDArray[Any], NDArray[Any] | None, Any]:
    """Cut a series into windows and their targets, as views.

    Window ``i`` holds the rows ``i, ..., i + lookback - 1``, oldest first. Its target lies
    strictly after its newest row, so that no model can see what it is asked for.

    Parameters
    ----------
    series : array-like or DataFrame of shape (n_rows, n_features)
        One row per time step, oldest first. A 1-D series is one feature.

    y : array-like of shape (n_rows,) or (n_rows, n_outputs), str, list of str or None, \
default=None
        The series to be predicted, row by row beside ``series``; or the name(s) of the column(s)
        of the DataFrame ``series``. None gives the windows alone.

    lookback : int
        Number of rows of a window.

    horizon : int, list of int or "nowcast", default=1
        The rows to predict. An int is their number: the next row alone is a 1-D target; more rows
        are the columns of ``y``, nearest first (with several outputs: all outputs of the first
        row, then all of the second, ...). A list such as ``[1, 6, 24]`` predicts these rows after
        the newest one and no others, as columns. ``"nowcast"`` asks for the target *of the newest
        row itself*, which is right only when the target is not yet known at that time; it must
        then not be a feature.

    gap : int, default=0
        Number of rows to skip between a window and its first target, where ``horizon`` is an int.
        In time-ordered cross-validation, leave out as many windows before each test block as the
        last target is rows ahead, less one (``TimeSeriesSplit(gap=...)``), since their targets
        lie inside the block.

    known : list of columns, default=()
        Columns whose future is known, such as the hour, a holiday, a price or a weather forecast:
        names of a DataFrame, numbers of an array. A step of the window contains their value *at
        the time of the last target as seen from that step*: with the last target h rows ahead,
        step t holds the known columns of row t + h beside the other columns of row t. The newest
        step thus holds those of the last target, and, if ``lookback`` is at least h, the steps
        before it those of the nearer targets and of the present. See *Future rows* in the notes.

    Returns
    -------
    X : ndarray of shape (n_windows, lookback, n_features)
        A read-only view of ``series``; with ``known``, of a copy.

    y : ndarray of shape (n_windows,) or (n_windows, n_columns) or None
        The targets; None where ``y`` is None.

    index : pandas.Index or ndarray of shape (n_windows,)
        Label of the newest row of each window, the time at which its prediction is made: from the
        index of a DataFrame, else the row number.

    Raises
    ------
    ValueError
        If the series has too few rows, is not 2-D, or ``y`` has another length or other labels;
        if ``known`` names the target, or what is no column; or if the labels of a DataFrame do
        not increase.

    Warns
    -----
    HistoryWarning
        If windows, or the steps from a window to its target, reach across missing time stamps of
        an otherwise regular index.

    See Also
    --------
    make_rows : The same without cutting windows, for estimators that do it themselves.
    AttentionLSTMRegressor : Cuts windows by itself, given ``lookback``.

    Notes
    -----
    *Future rows.* With ``known``, the last rows of ``series`` may be future ones, whose other
    columns (and ``y``) are all NaN. They only supply the known columns of the rows before them. To
    predict from now, with the last target h rows ahead, append h future rows and leave ``y`` out:
    the last window is that of the newest row.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn import make_windows
    >>> series = np.arange(12.0).reshape(6, 2)
    >>> X, y, index = make_windows(series, series[:, 0], lookback=3)
    >>> X.shape, y, index
    ((3, 3, 2), array([ 6.,  8., 10.]), array([2, 3, 4]))
    >>> X[0]
    array([[0., 1.],
           [2., 3.],
           [4., 5.]])

    Two steps ahead, directly:

    >>> make_windows(series, series[:, 0], lookback=3, horizon=2)[1]
    array([[ 6.,  8.],
           [ 8., 10.]])

    The second column is known in advance; its newest value is that of the target:

    >>> make_windows(series, series[:, 0], lookback=3, horizon=[2], known=[1])[0][0]
    array([[0., 5.],
           [2., 7.],
           [4., 9.]])
    """
    check_int(lookback, "lookback", 1)
    offsets = _check_horizon(horizon, gap)
    ahead, several = offsets[-1], not _is_single(horizon)
    labels = times = None
    if isinstance(series, pd.DataFrame | pd.Series):
        if isinstance(series.index, pd.MultiIndex):
            raise ValueError(
                "series must be one series. Got a DataFrame with a MultiIndex, whose windows "
                "would cross from one series into the next; call make_windows for each of them "
                "(groupby(level=0)), or give the frame to an estimator with lookback set."
            )
        labels = series.index
        times = check_increasing(labels) if lookback > 1 else None
        check_same_labels(labels, y, "y")
    columns = list(series.columns) if hasattr(series, "columns") else None
    _check_not_the_target(known, y)
    y = _column_of(series, y)
    check_columns(series, "series")
    values = to_array(series, "series")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(
            "series must have shape (n_rows, n_features). Got an array of shape "
            f"{values.shape} instead; windows that are already cut need no make_windows."
        )
    positions = _check_known(known, columns or range(values.shape[1]))
    n_rows = len(values)
    targets = None if y is None else _check_target(y, n_rows)
    reach = lookback - 1 + (ahead if targets is not None or positions else 0)
    n_windows = n_rows - reach
    if positions:
        others = pd.DataFrame(np.delete(values, positions, axis=1)).notna()
        n_past = int(_is_past(others, targets, np.zeros(n_rows, dtype=np.intp)).sum())
        n_windows = min(n_windows, n_past - (lookback - 1 if targets is None else reach))
    if n_windows < 1:
        raise ValueError(
            f"series must have at least {n_rows - n_windows + 1} rows for lookback={lookback}, "
            f"horizon={horizon!r} and gap={gap}. Got {n_rows} instead; shorten one of them."
        )
    if times is not None:
        rows = Rows(values, None, pd.Index([0]), labels, times, [])
        ends = np.isin(np.arange(n_rows), reach + np.arange(n_windows))
        warn_history([describe_holes(rows, ends, reach, "series")])
    if positions and ahead:
        shifted = values[: n_rows - ahead].copy()
        shifted[:, positions] = values[ahead:, positions]
        values = shifted
    X = sliding_window_view(values, lookback, axis=0)[:n_windows].transpose(0, 2, 1)
    newest = slice(lookback - 1, lookback - 1 + n_windows)
    index = np.arange(n_rows)[newest] if labels is None else labels[newest]
    if targets is None:
        return X, None, index
    start = lookback - 1 + offsets[0]
    if not several:
        return X, targets[start : start + n_windows], index
    span = sliding_window_view(targets, ahead - offsets[0] + 1, axis=0)[start : start + n_windows]
    if len(offsets) < span.shape[-1]:
        span = span[..., np.array(offsets) - offsets[0]]
    if targets.ndim == 2:  # (n_windows, n_outputs, n_offsets): row after row, side by side
        span = span.transpose(0, 2, 1).reshape(n_windows, -1)
    return X, span, index


def make_rows(
    series: pd.DataFrame,
    y: Any = None,
    *,
    horizon: Horizon = 1,
    gap: int = 0,
    known: Sequence[Any] = (),
) -> tuple[pd.DataFrame, pd.Series | pd.DataFrame | None]:
    """Pair each row of one or several series with the targets that lie ahead of it.

    Does for an estimator with ``lookback``, and for :func:`backtest`, what :func:`make_windows`
    does for windows. Nothing needs to be shifted by hand: every column of a row contains its
    value at the time of the row, except for those that are known in advance. Index, names and
    types of the columns are kept, so that ``feature_attention_`` has the names of the columns.

    Parameters
    ----------
    series : DataFrame of shape (n_rows, n_features)
        One row per time step, oldest first. With the MultiIndex (series, time) it holds several
        series, whose rows are paired within each.

    y : str, list of str, array-like of shape (n_rows,) or (n_rows, n_outputs) or None, default=None
        The series to be predicted, as the name(s) of its column(s) or row by row. None gives the
        rows alone, to predict from.

    horizon : int, list of int or "nowcast", default=1
        The rows to predict, as in :func:`make_windows`: an int is their number, a list names them.

    gap : int, default=0
        Number of rows to skip before the first target, where ``horizon`` is an int.

    known : list of columns, default=()
        Columns whose future is known, such as the hour, a holiday, a price or a weather forecast.
        Row t contains their value at its last target: with the last target h rows ahead, that of
        row t + h. In the window that ends with row t, the values for the nearer targets are in
        the steps before the newest. See *Future rows* in the notes of :func:`make_windows`.

    Returns
    -------
    X : DataFrame of shape (n_samples, n_features)
        The rows, labelled by the time at which their prediction is made.

    y : Series or DataFrame of shape (n_samples, n_columns), or None
        Their targets, with the index of ``X``. A Series with ``horizon=1`` (without ``gap``) and
        ``"nowcast"``. Otherwise the columns, an index named ``"horizon"``, are the numbers of rows
        ahead; from them :func:`backtest` knows how far apart training and test set must be. With
        several outputs the columns are (horizon, output). None where ``y`` is None.

    Raises
    ------
    ValueError
        As :func:`make_windows`.

    Warns
    -----
    HistoryWarning
        If the steps from a row to its last target reach across missing time stamps.

    See Also
    --------
    make_windows : Cut windows as well.
    backtest : Fit on the past and predict the block after it.

    Examples
    --------
    >>> import pandas as pd
    >>> from sk_tsattn import make_rows
    >>> hours = pd.date_range("2024-01-01 20:00", periods=6, freq="h", name="time")
    >>> series = pd.DataFrame({"load": [5, 7, 6, 4, 3, 2], "hour": hours.hour}, index=hours)
    >>> X, y = make_rows(series, "load", horizon=[1, 3], known=["hour"])
    >>> X.join(y)  # doctest: +NORMALIZE_WHITESPACE
                         load  hour  1  3
    time
    2024-01-01 20:00:00     5    23  7  4
    2024-01-01 21:00:00     7     0  6  3
    2024-01-01 22:00:00     6     1  4  2
    """
    offsets = _check_horizon(horizon, gap)
    ahead = offsets[-1]
    if not isinstance(series, pd.DataFrame):
        raise ValueError(
            f"series must be a DataFrame. Got {type(series).__name__} instead; name the columns "
            "and the times of an array, or cut windows of it with make_windows."
        )
    codes, names, labels = series_of(series.index, None, len(series), 2)
    times = None if labels is None else check_increasing(labels, codes, names)
    check_same_labels(series.index, y, "y")
    columns = list(series.columns)
    _check_not_the_target(known, y)
    y = _column_of(series, y)
    positions = _check_known(known, columns)
    targets = None if y is None else _check_target(y, len(series))
    row_codes = np.zeros(len(series), dtype=np.intp) if codes is None else codes
    last = _later(row_codes, ahead)
    kept = np.ones(len(series), dtype=bool)
    if positions:
        others = series.drop(columns=[columns[i] for i in positions]).notna()
        kept = _is_past(others, targets, row_codes)
    if targets is not None:
        kept &= (last >= 0) & kept[last]
    elif positions:
        kept &= last >= 0
    if not kept.any():
        raise ValueError(
            f"A series must have more than {ahead} rows, as many as the last target is ahead. Got "
            f"{len(series)} rows instead, none with a target; shorten horizon or gap."
        )
    if times is not None and (targets is not None or positions):
        rows = Rows(np.empty((len(series), 0)), codes, names, labels, times, [])
        ends = np.isin(np.arange(len(series)), last[kept])
        warn_history([describe_holes(rows, ends, ahead, "series")])
    X = series[kept].copy()
    for position in positions:
        name = columns[position]
        X[name] = series[name].array[last[kept]]
    if targets is None:
        return X, None
    found = [targets[_later(row_codes, offset)[kept]] for offset in offsets]
    if targets.ndim == 1 and _is_single(horizon) and ahead <= 1:
        return X, pd.Series(found[0], index=X.index, name=getattr(y, "name", None))
    column_index = pd.Index(offsets, name=HORIZON)
    if targets.ndim == 2:
        outputs = y.columns if isinstance(y, pd.DataFrame) else range(targets.shape[1])
        column_index = pd.MultiIndex.from_product([offsets, outputs], names=[HORIZON, None])
    return X, pd.DataFrame(np.column_stack(found), index=X.index, columns=column_index)


def rows_ahead(y: Any) -> int | None:
    """Return how far ahead the last target of :func:`make_rows` is; None of any other target."""
    columns = getattr(y, "columns", None)
    if not isinstance(columns, pd.Index) or HORIZON not in columns.names:
        return None
    offsets = columns.get_level_values(HORIZON)
    return int(offsets.max()) if pd.api.types.is_integer_dtype(offsets.dtype) else None


def _is_single(horizon: Horizon) -> bool:
    """Return whether the target is one row, and is not asked for in a list."""
    return isinstance(horizon, str) or (is_int(horizon, 1) and horizon == 1)


def _check_horizon(horizon: Any, gap: Any) -> list[int]:
    """Return how many rows after the newest one each target is, nearest first."""
    check_int(gap, "gap", 0)
    if isinstance(horizon, str) and horizon == NOWCAST:
        if gap:
            raise ValueError(
                f"gap must be 0 with horizon={NOWCAST!r}, whose target is the newest row. "
                f"Got gap={gap!r} instead; for a later target set horizon to an int."
            )
        return [0]
    if isinstance(horizon, list | tuple | range | np.ndarray):
        offsets = list(horizon)
        if (
            not offsets
            or not all(is_int(one, 1) for one in offsets)
            or np.diff(offsets).min(initial=1) < 1
        ):
            raise ValueError(
                f"A list of horizons must hold increasing ints >= 1. Got {horizon!r} instead."
            )
        if gap:
            raise ValueError(
                f"gap must be 0 with a list of horizons, which names the rows ahead. Got gap="
                f"{gap!r} instead; write horizon={[int(one) + gap for one in offsets]}."
            )
        return [int(one) for one in offsets]
    check_int(horizon, "horizon", 1, otherwise=f", a list of them, or {NOWCAST!r}")
    return list(range(gap + 1, gap + horizon + 1))


def _column_of(series: Any, y: Any) -> Any:
    """Return the target, taken from ``series`` if it is given by name."""
    named = isinstance(y, str) or (isinstance(y, list) and y and isinstance(y[0], str))
    if not named:
        return y
    if not isinstance(series, pd.DataFrame):
        raise ValueError(
            f"y={y!r} names a column, which needs series to be a DataFrame. "
            f"Got {type(series).__name__} instead; give the target as an array."
        )
    return series[y]


def _check_target(y: Any, n_rows: int) -> NDArray[Any]:
    """Return the target's series as an array of shape (n_rows,) or (n_rows, n_outputs)."""
    check_columns(y, "y")
    targets = to_array(y, "y")
    if targets.ndim not in (1, 2) or len(targets) != n_rows:
        raise ValueError(
            f"y must have shape ({n_rows},) or ({n_rows}, n_outputs), one row for each row of "
            f"series. Got an array of shape {targets.shape} instead; give the target's whole "
            "series: the shifting is done here."
        )
    return targets


def _check_not_the_target(known: Any, y: Any) -> None:
    """Raise if the target is among the columns whose future is to be shown."""
    if isinstance(known, str) or not isinstance(known, Sequence | pd.Index | np.ndarray):
        raise ValueError(f"known must be a list of columns. Got {known!r} instead.")
    targets = [y] if isinstance(y, str) else y if isinstance(y, list) else []
    if isinstance(y, pd.Series):
        targets = [y.name]
    elif isinstance(y, pd.DataFrame):
        targets = list(y.columns)
    hidden = [name for name in known if isinstance(name, str) and name in targets]
    if hidden:
        raise ValueError(
            f"A target is not known in advance. Got known={list(known)!r} instead, with the target "
            f"{hidden[0]!r}; leave it out."
        )


def _check_known(known: Sequence[Any], columns: Sequence[Any]) -> list[int]:
    """Return the positions of the columns that are known in advance."""
    unknown = [name for name in known if name not in columns]
    if unknown:
        raise ValueError(
            f"known must name columns of series, {', '.join(map(repr, columns[:9]))}"
            f"{', ...' if len(columns) > 9 else ''}. Got {unknown[0]!r} instead."
        )
    return [list(columns).index(name) for name in known]


def _is_past(
    others: pd.DataFrame, targets: NDArray[Any] | None, codes: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return whether a value of no known column lies in the row or in a later one of its series.

    All rows of a series that has no such value are past ones.

    Parameters
    ----------
    others : DataFrame of bool, of shape (n_rows, n_columns)
        Whether a value is there, in the columns that are not known in advance.
    """
    held = others.any(axis=1).to_numpy()
    if targets is not None:
        held = held | pd.DataFrame(targets).notna().any(axis=1).to_numpy()
    last = np.full(codes.max(initial=0) + 1, -1)
    np.maximum.at(last, codes[held], np.flatnonzero(held))
    past: NDArray[np.bool_] = (np.arange(len(codes)) <= last[codes]) | (last[codes] < 0)
    return past


def _later(codes: NDArray[np.intp], n_steps: int) -> NDArray[np.intp]:
    """Return the position of the row ``n_steps`` later in the series of each row; -1 if none is."""
    order = np.argsort(codes, kind="stable")
    later = np.full(len(codes), -1, dtype=np.intp)
    here, there = order[: len(order) - n_steps], order[n_steps:]
    same = codes[here] == codes[there]
    later[here[same]] = there[same]
    return later
