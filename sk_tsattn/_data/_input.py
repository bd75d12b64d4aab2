"""Checks of features, windows, targets and weights: each becomes an array of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from ._numbers import as_numbers, check_columns, refuse_missing
from ._ragged import is_list_of_tables, pad_windows
from ._scaling import extreme_exponent, in_units
from ._stored import StoredArray

WINDOWS_SHAPE = "(n_samples, n_timesteps, n_features), oldest step first"


def check_features(
    estimator: Any, X: Any, *, lookback: int | None, reset: bool
) -> tuple[Any, list[Any]]:
    """Check the numbers of ``X``, their names and the shape of windows.

    Parameters
    ----------
    estimator : estimator
        With ``reset``, its ``n_features_in_`` and ``feature_names_in_`` are set; otherwise ``X``
        is compared with them.

    X : array-like, DataFrame, tensor or list of them
        2-D rows or 3-D windows, or a list of windows of unequal length.

    lookback : int or None
        The estimator's parameter.

    reset : bool
        True in ``fit``.

    Returns
    -------
    values : array of shape (n_rows, n_features) or (n_samples, n_timesteps, n_features)
        Numbers, with NaN at missing cells; not a copy if ``X`` is an array of numbers. A
        :class:`StoredArray` if ``X`` is read in parts.

    columns : list
        Name of each feature, or its number.

    Raises
    ------
    ValueError
        If ``X`` holds anything but finite numbers and NaN, or does not have the shape or the
        columns that are expected.
    """
    name = type(estimator).__name__
    check_columns(X, "X")
    table = X
    n_timesteps = 0 if reset or lookback is not None else estimator.n_timesteps_in_
    if is_list_of_tables(X, n_timesteps):
        table = X[0]
        X = pad_windows(X, n_timesteps, lookback)
    named = hasattr(table, "columns")
    if named:  # wrong columns are reported before wrong values in them
        _check_features_in(estimator, table, reset)
    values = as_numbers(X, "X", finite="allow-nan", estimator=estimator, stored=True)
    if values.ndim > 3:
        raise ValueError(
            f"X must have shape {WINDOWS_SHAPE}, or (n_rows, n_features) with lookback set. "
            f"Got an array of shape {values.shape} instead; flatten the axes that are features."
        )
    if values.ndim == 3:
        values = _check_windows(values, estimator, name, lookback, reset)
    if not named:
        one: Any = values
        if values.ndim == 3:
            one = values[0]
            names = getattr(estimator, "feature_names_in_", ())
            if not reset and len(names) == one.shape[1]:  # windows cannot have names: no warning
                one = pd.DataFrame(one, columns=names)
        _check_features_in(estimator, one, reset)
    columns = list(getattr(estimator, "feature_names_in_", range(values.shape[-1])))
    return values, columns


def _check_features_in(estimator: Any, X: Any, reset: bool) -> None:
    """Set or compare the number and the names of the features."""
    try:
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    except TypeError as error:  # some names are text, and others are not
        raise ValueError(str(error)) from error


def _check_windows(
    values: Any, estimator: Any, name: str, lookback: int | None, reset: bool
) -> Any:
    """Check the shape of windows; return their newest ``lookback`` steps, as a view."""
    n_timesteps, n_features = values.shape[1:]
    if not n_timesteps or not n_features:
        raise ValueError(
            f"X must have at least 1 step and 1 feature. Found array with {n_features} feature(s) "
            f"(shape={values.shape}) while a minimum of 1 is required."
        )
    expected = lookback if reset else estimator.n_timesteps_in_
    if expected is None:
        return values
    known = None if reset else estimator.n_features_in_
    channels_first = known is not None and (n_features, n_timesteps) == (expected, known)
    if channels_first and n_features != n_timesteps:
        names = getattr(estimator, "feature_names_in_", None)
        which = "" if names is None else f" ({', '.join(map(str, names[:3]))}, ...)"
        raise ValueError(
            f"X must have shape {WINDOWS_SHAPE}: windows of {expected} steps and {known} "
            f"features{which}. Got an array of shape {values.shape} instead, which looks "
            "channels-first; turn it with X.transpose(0, 2, 1)."
        )
    if n_timesteps < expected or (lookback is None and n_timesteps != expected):
        came = f"Got {n_timesteps} steps instead (an array of shape {values.shape})"
        if reset:
            raise ValueError(
                f"X must have windows of at least lookback={lookback} steps. {came}; "
                "lower lookback or cut longer windows."
            )
        raise ValueError(
            f"X must have windows of {expected} steps, as {name} was fitted on. {came}; cut "
            f"windows with make_windows(..., lookback={expected})."
        )
    return (
        values.newest_steps(expected) if isinstance(values, StoredArray) else values[:, -expected:]
    )


def check_target(
    y: Any, n_rows: int, weight: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], int]:
    """Check the target.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        One row for each row (or window) of ``X``.

    n_rows : int
        Rows of ``X``.

    weight : ndarray of shape (n_rows,) or (n_rows, n_outputs) or None, default=None
        Weights. The target of a row with weight 0 may be NaN or infinite, and becomes 0. Single
        targets with weight 0 become NaN.

    Returns
    -------
    y : ndarray of shape (n_rows, n_outputs), float64
        The target.

    ndim : int
        1 if ``y`` is a vector, else 2.

    Raises
    ------
    ValueError
        If ``y`` does not hold one row of finite numbers for each row of ``X``.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None; give one target "
            "for each row of X."
        )
    columns = check_columns(y, "y")
    values = as_numbers(y, "y", ensure_2d=False, finite=False)
    if values.ndim not in (1, 2) or len(values) != n_rows:
        what = (
            "reshape it with y.reshape(len(y), -1)"
            if values.ndim > 2
            else "make_windows cuts X and y together"
        )
        raise ValueError(
            f"y must have shape ({n_rows},) or ({n_rows}, n_outputs), one target for each row (or "
            f"window) of X. Got an array of shape {values.shape} instead; {what}."
        )
    values = values.astype(np.float64, copy=False)
    if weight is not None and weight.ndim == 2:
        table = values.reshape(n_rows, -1)
        if weight.shape != table.shape:
            raise ValueError(
                f"A boolean sample_weight says which targets are known, and must have the shape "
                f"of y, {values.shape}. Got an array of shape {weight.shape} instead."
            )
        values = np.where(weight > 0, table, np.nan).reshape(values.shape)
    missing = ~np.isfinite(values)
    if missing.any():
        if weight is not None:
            needed = weight.reshape(n_rows, -1) > 0
            needed = np.broadcast_to(needed, (n_rows, values.size // n_rows)).reshape(values.shape)
            if weight.ndim == 1:
                values = np.where(missing & ~needed, 0.0, values)
            missing &= needed
        labels = getattr(y, "index", None)  # of a Series or DataFrame; a method of a list
        if not isinstance(labels, pd.Index) or isinstance(labels, pd.RangeIndex):
            labels = None
        refuse_missing(missing, values, "y", columns if values.ndim == 2 else None, labels)
    return values.reshape(n_rows, -1), values.ndim


def check_weight(sample_weight: Any, n_rows: int) -> NDArray[np.float64]:
    """Check sample weights; None becomes ones.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,) or (n_rows, n_outputs) or None
        Non-negative weights; or booleans, which say of each target whether it is known.

    n_rows : int
        Rows of ``X``.

    Returns
    -------
    weight : ndarray of the shape of ``sample_weight``, float64
        Multiplied by a power of two if sums or squares of the weights could overflow or underflow:
        only their ratios matter.

    Raises
    ------
    ValueError
        If the weights are neither one non-negative number a row nor a boolean for each target, or
        are all 0.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weight = as_numbers(sample_weight, "sample_weight", ensure_2d=False)
    of_targets = weight.dtype == bool and weight.ndim == 2 and len(weight) == n_rows
    if weight.shape != (n_rows,) and not of_targets:
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one weight for each row (or window) of "
            f"X; or be a boolean array of the shape of y. Got an array of shape {weight.shape} of "
            f"{weight.dtype} instead."
        )
    weight = weight.astype(np.float64, copy=False)
    if (weight < 0).any():
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: weights must be >= 0. Got "
            f"{weight.min()} instead; drop rows that should not count, or give them weight 0."
        )
    if not weight.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number. Got all sample_weight "
            "zero instead; leave sample_weight out to weigh all rows alike."
        )
    return in_units(weight, extreme_exponent(weight.max()))
