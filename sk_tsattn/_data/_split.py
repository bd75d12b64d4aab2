"""Split windows in time: the newest of each series are held out, and no other overlaps them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._windows import Windows


def hold_out(
    windows: Windows, series: NDArray[np.intp], fraction: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Split windows into a training set and a validation set, the newest windows.

    Parameters
    ----------
    windows : Windows
        In time order within a series.

    series : int ndarray of shape (n,)
        Series of each window.

    fraction : float
        Fraction of each series' windows to hold out.

    Returns
    -------
    is_kept, is_held : bool ndarray of shape (n,)
        The training set and the validation set. A window of the former that would overlap one of
        the latter is in neither.

    Raises
    ------
    ValueError
        If either set would be empty.
    """
    is_held = last_block(series, fraction)
    if not is_held.any():
        raise ValueError(
            "early_stopping=True needs at least 2 windows in a series, to set one aside. "
            f"Got {len(windows)} instead; give X_val and y_val, or set it to False."
        )
    is_kept = ~is_held
    if windows.values.ndim == 3:
        is_kept &= ~reaches_into(windows, is_held, series)
    if not is_kept.any():
        raise ValueError(
            "The training set must have windows that do not overlap the validation set. Got "
            f"{len(windows)} windows of {windows.lookback} steps instead, which all do; give "
            "more windows, or X_val and y_val, or set early_stopping=False."
        )
    return is_kept, is_held


def last_block(series: NDArray[np.intp], fraction: float) -> NDArray[np.bool_]:
    """Return which windows belong to the last part of their series.

    Parameters
    ----------
    series : int ndarray of shape (n,)
        Series of each window; windows of a series are in time order.

    fraction : float
        Fraction of each series' windows, the newest ones, that forms the last part (at least one
        window if a series has two or more).

    Returns
    -------
    is_last : bool ndarray of shape (n,)
        True in the last part.
    """
    order = np.argsort(series, kind="stable")
    starts = np.flatnonzero(np.diff(series[order], prepend=-1))
    sizes = np.diff(starts, append=len(series))
    n_last = np.minimum(np.ceil(fraction * sizes).astype(int), sizes - 1)
    rank = np.arange(len(series)) - np.repeat(starts, sizes)
    is_last = np.empty(len(series), dtype=bool)
    is_last[order] = rank >= np.repeat(sizes - n_last, sizes)
    return is_last


def reaches_into(
    windows: Windows, is_last: NDArray[np.bool_], series: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Find the earlier windows that have rows in common with the last part of their series.

    Windows cut one step apart overlap, and those just before the split contain rows of the first
    window after it. They are recognised by their data: the newest row of such a window is one of
    the rows of that window.

    Parameters
    ----------
    windows : Windows
        Windows that were cut already, in time order within a series.

    is_last : bool ndarray of shape (n,)
        As returned by :func:`last_block`.

    series : int ndarray of shape (n,)
        Series of each window.

    Returns
    -------
    reaches : bool ndarray of shape (n,)
        Windows of the earlier part that overlap the last part.
    """
    reaches = np.zeros(len(windows), dtype=bool)
    for code in np.unique(series[is_last]):
        members = np.flatnonzero(series == code)
        split = int(np.argmax(is_last[members]))
        near = members[max(0, split - windows.lookback + 1) : split]
        newest = windows.values[windows.last[near]][:, -1]  # (k, n_features)
        after = windows.values[windows.last[members[split : split + 1]]][
            0
        ]  # (n_timesteps, n_features)
        same = newest[:, None] == after
        missing = np.isnan(newest)[:, None] & np.isnan(after)
        # A row without any value is no sign.
        reaches[near] = ((same | missing).all(axis=2) & same.any(axis=2)).any(axis=1)
    return reaches
