"""Windows: the last ``lookback`` rows up to a row, cut with index arrays and never copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
        """Cut the windows at ``which``, from values that are in memory.

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
        position, mask = self.positions(which, offsets)
        return self.values[self.rows_at(position)], mask

    def positions(self, which: Any, offsets: Any) -> tuple[Any, Any]:
        """Return the positions of the steps of the windows at ``which``, and their mask.

        Returns
        -------
        position : int array of shape (n, lookback), or (n,) where ``values`` are windows
            In the order of ``last`` and ``first``.

        mask : bool array of shape (n, lookback) or None
            As :meth:`take` returns it.
        """
        last = self.last[which]
        if self.values.ndim == 3:
            return last, None
        position = last[:, None] + offsets
        mask = None
        if self.any_short:
            first = self.first[which][:, None]
            mask = position >= first
            position = position.clip(min=first)
        return position, mask

    def rows_at(self, position: Any) -> Any:
        """Return the rows of ``values`` at positions."""
        return position if self.order is None else self.order[position]

    def is_used(self) -> NDArray[np.bool_]:
        """Return which rows (or given windows) occur in a window."""
        if len(self) == len(self.values):  # one window for each, in order
            return np.ones(len(self), dtype=bool)
        used: NDArray[np.bool_] = self.n_uses(np.ones(len(self))) > 0
        return used

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
