"""Windows: the last ``lookback`` rows up to a row, cut with index arrays and never copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ._checks import check_int
from ._holes import describe_holes, warn_history
from ._numbers import check_columns, to_array
from ._rows import Rows, check_same_labels
from ._time_labels import check_increasing

NOWCAST = "nowcast"


class Windows:
    """A set of windows, held as positions in the array that they are cut from.

    The array is either a series, whose windows overlap and are gathered only when a batch asks
    for them, or windows that are already cut. Numpy arrays and torch tensors both serve, so that
    the same arithmetic runs in memory, on a memory map and on a device.

    Parameters
    ----------
    values : array of shape (n_rows, n_features) or (n_windows, n_timesteps, n_features)
        A series or windows.

    lookback : int
        Number of steps of a window.

    last : int array of shape (n,)
        Position of the newest row of each window in its series; of the window itself where
        ``values`` are windows.

    first : int array of shape (n,)
        Position at which the series of each window begins: a window that would reach further
        back is short. Not used where ``values`` are windows.

    order : int array of shape (n_rows,) or None, default=None
        Row of ``values`` at each position, series after series; None where the rows already lie
        so.
    """

    def __init__(
        self, values: Any, lookback: int, last: Any, first: Any, order: Any = None
    ) -> None:
        self.values = values
        self.lookback = lookback
        self.last = last
        self.first = first
        self.order = order
        self.any_short = values.ndim == 2 and bool((last - first < lookback - 1).any())

    def __len__(self) -> int:
        return len(self.last)

    @classmethod
    def of_windows(cls, values: NDArray[Any]) -> Windows:
        """Hold windows that are already cut, of shape (n_windows, n_timesteps, n_features)."""
        last = np.arange(len(values))
        return cls(values, values.shape[1], last, last)

    @classmethod
    def of_rows(
        cls, values: NDArray[Any], lookback: int, codes: NDArray[np.intp] | None = None
    ) -> Windows:
        """Hold the window of every row of a series, or of several series.

        Parameters
        ----------
        values : ndarray of shape (n_rows, n_features)
            Rows of each series in time order; several series may be interleaved.

        lookback : int
            Number of steps of a window.

        codes : int ndarray of shape (n_rows,) or None, default=None
            Which series each row belongs to. No window crosses from one into another.
        """
        position = np.arange(len(values))
        if codes is None:
            return cls(values, lookback, position, np.zeros_like(position))
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        first = np.repeat(starts, np.diff(starts, append=len(codes)))
        last = np.empty_like(order)
        last[order] = position
        if (order == position).all():
            return cls(values, lookback, last, first)
        return cls(values, lookback, last, first[last], order)

    def select(self, which: Any) -> Windows:
        """Keep the windows at ``which`` (integers or booleans)."""
        return Windows(self.values, self.lookback, self.last[which], self.first[which], self.order)

    def convert(self, values: Any, to_index: Callable[[Any], Any]) -> Windows:
        """Replace the values, and pass every index array through ``to_index``."""
        order = None if self.order is None else to_index(self.order)
        return Windows(values, self.lookback, to_index(self.last), to_index(self.first), order)

    def complete(self) -> NDArray[np.bool_]:
        """Return which windows have all their steps."""
        if self.values.ndim == 3:
            return np.ones(len(self), dtype=bool)
        complete: NDArray[np.bool_] = self.last - self.first >= self.lookback - 1
        return complete

    def take(self, which: Any, offsets: Any) -> tuple[Any, Any]:
        """Cut the windows at ``which``.

        Parameters
        ----------
        which : int array of shape (n,)
            The windows to cut.

        offsets : int array of shape (lookback,)
            ``-lookback + 1, ..., 0``, of the same kind as the index arrays.

        Returns
        -------
        X : array of shape (n, lookback, n_features)
            The windows. A step that a short window lacks repeats the first row of its series.

        mask : bool array of shape (n, lookback) or None
            Which steps were observed; None where no window of the whole set is short.
        """
        last = self.last[which]
        if self.values.ndim == 3:
            return self.values[last], None
        position = last[:, None] + offsets
        mask = None
        if self.any_short:
            first = self.first[which][:, None]
            mask = position >= first
            position = position.clip(min=first)
        rows = position if self.order is None else self.order[position]
        return self.values[rows], mask

    def n_uses(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the weights of the windows that contain each row (or each given window).

        Parameters
        ----------
        weight : ndarray of shape (n,)
            Weight of each window.

        Returns
        -------
        n_uses : ndarray of shape (len(values),)
            With unit weights, how often a row would occur if all windows were written out.
        """
        if self.values.ndim == 3:
            return np.bincount(self.last, weight, minlength=len(self.values)).astype(np.float64)
        oldest = np.maximum(self.last - self.lookback + 1, self.first)
        n = len(self.values)

        def covering(weight: NDArray[np.float64] | None) -> NDArray[Any]:
            begun = np.cumsum(np.bincount(oldest, weight, minlength=n))
            ended = np.cumsum(np.bincount(self.last, weight, minlength=n))
            begun[1:] -= ended[:-1]
            return begun

        # Rows of no window have exactly 0, not a rounding error.
        uses: NDArray[np.float64] = np.where(covering(None) > 0, covering(weight), 0.0)
        if self.order is None:
            return uses
        by_row = np.empty_like(uses)
        by_row[self.order] = uses
        return by_row


def make_windows(
    series: Any,
    y: Any = None,
    *,
    lookback: int,
    horizon: int | str = 1,
    gap: int = 0,
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

    horizon : int or "nowcast", default=1
        Number of rows to predict. One row gives a 1-D target; more rows are the columns of
        ``y``, nearest first (with several outputs: all outputs of the first row, then all of the
        second, ...). ``"nowcast"`` asks for the target *of the newest row itself*, which is right
        only when the target is not yet known at that time; it must then not be a feature.

    gap : int, default=0
        Number of rows to skip between a window and its first target. In time-ordered
        cross-validation, leave out ``gap + horizon - 1`` windows before each test block
        (``TimeSeriesSplit(gap=...)``), since their targets lie inside the block.

    Returns
    -------
    X : ndarray of shape (n_windows, lookback, n_features)
        A read-only view of ``series``.

    y : ndarray of shape (n_windows,) or (n_windows, n_columns) or None
        The targets; None where ``y`` is None.

    index : pandas.Index or ndarray of shape (n_windows,)
        Label of the newest row of each window, the time at which its prediction is made: from the
        index of a DataFrame, else the row number.

    Raises
    ------
    ValueError
        If the series has too few rows, is not 2-D, or ``y`` has another length or other labels;
        or if the labels of a DataFrame do not increase.

    Warns
    -----
    HistoryWarning
        If windows, or the steps from a window to its target, reach across missing time stamps of
        an otherwise regular index.

    See Also
    --------
    AttentionLSTMRegressor : Cuts windows by itself, given ``lookback``.

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
    """
    check_int(lookback, "lookback", 1)
    check_int(gap, "gap", 0)
    nowcast = isinstance(horizon, str) and horizon == NOWCAST
    if not nowcast:
        check_int(horizon, "horizon", 1, otherwise=f", or {NOWCAST!r}")
    elif gap:
        raise ValueError(
            f"gap must be 0 with horizon={NOWCAST!r}, whose target is the newest row. "
            f"Got gap={gap!r} instead; for a later target set horizon to an int."
        )
    ahead, n_columns = (-1, 1) if isinstance(horizon, str) else (gap, horizon)

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
        if isinstance(y, str) or (isinstance(y, list) and all(isinstance(c, str) for c in y)):
            y = series[y]
    elif isinstance(y, str):
        raise ValueError(
            f"y={y!r} names a column, which needs series to be a DataFrame. "
            f"Got {type(series).__name__} instead; give the target as an array."
        )
    check_columns(series, "series")
    values = to_array(series, "series")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2:
        raise ValueError(
            "series must have shape (n_rows, n_features). Got an array of shape "
            f"{values.shape} instead; windows that are already cut need no make_windows."
        )
    n_rows = len(values)
    n_windows = n_rows - lookback + 1
    targets = None
    if y is not None:
        check_columns(y, "y")
        targets = to_array(y, "y")
        if targets.ndim not in (1, 2) or len(targets) != n_rows:
            raise ValueError(
                f"y must have shape ({n_rows},) or ({n_rows}, n_outputs), one row for each row of "
                f"series. Got an array of shape {targets.shape} instead; give the target's whole "
                "series: make_windows does the shifting."
            )
        n_windows -= ahead + n_columns
    if n_windows < 1:
        n_needed = n_rows - n_windows + 1
        raise ValueError(
            f"series must have at least {n_needed} rows for lookback={lookback}, "
            f"horizon={horizon!r} and gap={gap}. Got {n_rows} instead; shorten one of them."
        )
    if times is not None:
        rows = Rows(values, None, pd.Index([0]), labels, times, [])
        ends = np.arange(n_rows) >= n_rows - n_windows
        reach = n_rows - n_windows
        warn_history([describe_holes(rows, ends, reach, "series")])
    X = sliding_window_view(values, lookback, axis=0)[:n_windows].transpose(0, 2, 1)
    newest = slice(lookback - 1, lookback - 1 + n_windows)
    index = np.arange(n_rows)[newest] if labels is None else labels[newest]
    if targets is None:
        return X, None, index
    start = lookback + ahead
    if n_columns == 1:
        return X, targets[start : start + n_windows], index
    columns = sliding_window_view(targets, n_columns, axis=0)[start : start + n_windows]
    if targets.ndim == 2:  # (n_windows, n_outputs, n_columns): row after row, side by side
        columns = columns.transpose(0, 2, 1).reshape(n_windows, -1)
    return X, columns, index
