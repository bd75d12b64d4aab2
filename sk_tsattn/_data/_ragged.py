"""Windows of unequal length: a list of arrays or DataFrames, padded with NaN at the oldest side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._numbers import as_numbers, check_columns, to_array

SERIES = (
    "Join series with pd.concat(frames, keys=names), which makes a MultiIndex (series, time), or "
    "stack their rows and name the series of each row in groups; set lookback to the number of "
    "rows of a window."
)


def is_list_of_tables(X: Any, n_timesteps: int = 0) -> bool:
    """Return whether ``X`` is a list of DataFrames, or of 2-D arrays of unequal length.

    If ``n_timesteps`` is not 0, the length is compared with it too.
    """
    if not isinstance(X, list | tuple) or not X or not all(_is_table(part) for part in X):
        return False
    lengths = {n_timesteps or len(X[0]), *map(len, X)}
    return len(lengths) > 1 or any(hasattr(part, "columns") for part in X)


def pad_windows(X: Any, n_timesteps: int, lookback: int | None) -> NDArray[np.float64]:
    """Make one array of windows of unequal length.

    Parameters
    ----------
    X : list of DataFrame or array-like of shape (n_timesteps_i, n_features)
        Windows, oldest step first.

    n_timesteps : int
        Length of the padded windows, or more if one of them is longer.

    lookback : int or None
        The estimator's parameter, which must be None.

    Returns
    -------
    windows : ndarray of shape (n_samples, n_timesteps, n_features)
        With NaN at the steps that a window lacks, which are its oldest.

    Raises
    ------
    ValueError
        If the windows differ in their columns, or ``lookback`` is set, as it is for series.
    """
    if lookback is not None:
        raise ValueError(
            f"A list of {len(X)} tables is a list of windows, one sample each, and needs "
            f"lookback=None. Got lookback={lookback} instead. {SERIES}"
        )
    names = check_columns(X[0], "X")
    tables = []
    for number, table in enumerate(X):
        columns = check_columns(table, "X")
        tables.append(to_array(table, "X"))
        n_features = tables[0].shape[1]
        if tables[-1].shape[1] != n_features or columns != names:
            expected = f"{n_features} features" if names is None else f"the columns {names}"
            came = f"{tables[-1].shape[1]} features" if columns is None else str(columns)
            raise ValueError(
                f"All windows of X must have the same features, {expected}. Got {came} in window "
                f"{number} instead; bring the columns into one order."
            )
    rows = as_numbers(np.concatenate(tables), "X", finite="allow-nan")
    lengths = np.array([len(table) for table in tables])
    n_timesteps = max(n_timesteps, lengths.max())
    windows = np.full((len(tables), n_timesteps, rows.shape[1]), np.nan)
    windows[np.arange(n_timesteps) >= n_timesteps - lengths[:, None]] = rows
    return windows


def check_targets_of_windows(X: Any, y: Any) -> None:
    """Raise if ``y`` has a target for each row of a list of tables, which then are series."""
    if not is_list_of_tables(X) or not hasattr(y, "__len__"):
        return
    n_rows = sum(len(table) for table in X)
    if len(y) == n_rows != len(X):
        raise ValueError(
            f"A list of {len(X)} tables is a list of windows, with one target each. Got a target "
            f"for each of their {n_rows} rows instead. {SERIES}"
        )


def _is_table(part: Any) -> bool:
    return hasattr(part, "columns") or getattr(part, "ndim", None) == 2
