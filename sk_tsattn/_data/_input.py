"""Checked arrays out of what a user hands over: features, windows, targets and weights."""

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_array, validate_data

WINDOWS_SHAPE = "(n_samples, n_timesteps, n_features), oldest step first"


def check_features(estimator, X, *, lookback, reset):
    """Check the numbers of ``X``, their names and the shape of windows.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` and ``feature_names_in_`` are set or compared with.

    X : array-like, DataFrame or tensor
        2-D rows or 3-D windows.

    lookback : int or None
        The estimator's parameter.

    reset : bool
        True in ``fit``.

    Returns
    -------
    values : ndarray of shape (n_rows, n_features) or (n_samples, n_timesteps, n_features)
        Finite numbers, not copied where ``X`` is an array of numbers.

    columns : list
        Name of each feature, or its number.
    """
    name = type(estimator).__name__
    if hasattr(X, "detach"):  # a torch tensor
        X = X.detach().numpy()
    if isinstance(X, pd.DataFrame):
        _check_columns_are_numbers(X)
    named = hasattr(X, "columns")
    if named:  # wrong columns are the better news than what is wrong with their values
        validate_data(estimator, X, reset=reset, skip_check_array=True)
    values = _check_numbers(X, estimator)
    if values.ndim > 3:
        raise ValueError(
            f"X must have shape {WINDOWS_SHAPE}, or (n_rows, n_features) with lookback set. "
            f"Got an array of shape {values.shape} instead; flatten the axes that are features."
        )
    if values.ndim == 3:
        values = _check_windows(values, estimator, name, lookback, reset)
    if not named:
        one = values
        if values.ndim == 3:
            one = values[0]
            names = getattr(estimator, "feature_names_in_", ())
            if not reset and len(names) == one.shape[1]:  # windows cannot have names: no warning
                one = pd.DataFrame(one, columns=names)
        validate_data(estimator, one, reset=reset, skip_check_array=True)
    columns = list(getattr(estimator, "feature_names_in_", range(values.shape[-1])))
    return values, columns


def _check_numbers(X, estimator):
    """Return ``X`` as an array of finite numbers, without a copy where it is one."""
    try:
        return check_array(X, allow_nd=True, dtype="numeric", estimator=estimator, input_name="X")
    except ValueError as error:
        if "onvert" not in str(error):
            raise
        raise ValueError(
            f"X must hold numbers. Got something else instead ({error}); encode categories, for "
            "example with OneHotEncoder or pandas.get_dummies, and drop labels."
        ) from error


def _check_columns_are_numbers(frame):
    """Name the columns that hold no numbers, before an array hides their names."""
    wrong = [
        f"{column!r} ({dtype})"
        for column, dtype in frame.dtypes.items()
        if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_object_dtype(dtype))
    ]
    if wrong:
        raise ValueError(
            f"X must hold numbers. Got the columns {', '.join(wrong)} instead; drop them, or "
            "encode them, for example with OneHotEncoder or pandas.get_dummies. A column of "
            "time stamps belongs into the index."
        )


def _check_windows(values, estimator, name, lookback, reset):
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
    return values[:, -expected:]


def check_target(y, n_rows):
    """Check the target.

    Parameters
    ----------
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        One row for each row (or window) of ``X``.

    n_rows : int
        Rows of ``X``.

    Returns
    -------
    y : ndarray of shape (n_rows, n_outputs), float64
        The target.

    ndim : int
        1 where ``y`` came as a vector, else 2.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None; give one target "
            "for each row of X."
        )
    if hasattr(y, "detach"):
        y = y.detach().numpy()
    try:
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    except ValueError as error:
        if "onvert" not in str(error):
            raise
        raise ValueError(
            f"y must hold numbers. Got something else instead ({error}); for classes, encode them "
            "as numbers that make sense to predict."
        ) from error
    if y.ndim not in (1, 2) or len(y) != n_rows:
        raise ValueError(
            f"y must have shape ({n_rows},) or ({n_rows}, n_outputs), one target for each row (or "
            f"window) of X. Got an array of shape {y.shape} instead; make_windows cuts X and y "
            "together."
        )
    return y.reshape(n_rows, -1), y.ndim


def check_weight(sample_weight, n_rows):
    """Check sample weights; None becomes ones.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,) or None
        Non-negative weights.

    n_rows : int
        Rows of ``X``.

    Returns
    -------
    weight : ndarray of shape (n_rows,), float64
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one weight for each row (or window) of "
            f"X. Got an array of shape {weight.shape} instead."
        )
    if (weight < 0).any():
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: weights must be >= 0. Got "
            f"{weight.min()} instead; drop rows that are not to count, or give them weight 0."
        )
    if not weight.any():
        raise ValueError(
            "Sample weights must contain at least one non-zero number. Got all sample_weight "
            "zero instead; leave sample_weight out to weigh all rows alike."
        )
    return weight
