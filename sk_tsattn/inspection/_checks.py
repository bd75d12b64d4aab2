"""Checks of the arguments of an inspection: windows, options and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from .._data._numbers import as_numbers


def check_windows(X: ArrayLike) -> NDArray[Any]:
    """Return ``X`` as an array; raise unless it holds rows (2-D) or windows (3-D) of numbers."""
    values: NDArray[Any] = as_numbers(X, "X", finite=False)
    if values.ndim > 3:
        raise ValueError(
            "X must have shape (n_samples, n_timesteps, n_features), oldest step first. Got an "
            f"array of shape {values.shape} instead; flatten the axes that are features."
        )
    return values


def check_option(name: str, value: Any, options: Sequence[Any]) -> None:
    """Raise a ValueError unless ``value`` is one of ``options``."""
    if not any(isinstance(value, type(option)) and value == option for option in options):
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, options))}. Got {value!r} instead."
        )


def check_confidence(confidence: Any) -> None:
    """Raise a ValueError unless ``confidence`` is a fraction."""
    if not isinstance(confidence, Real) or not 0 < float(confidence) < 1:
        raise ValueError(
            f"confidence must be a number in (0, 1), such as 0.95. Got {confidence!r} instead."
        )


def check_one_scorer(scoring: Any) -> None:
    """Raise a ValueError if ``scoring`` holds several scorers."""
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(
            f"scoring must be None, a str or a callable here. Got {scoring!r} instead; call the "
            "function once for each scorer."
        )


def check_predicts(estimator: Any) -> None:
    """Raise a TypeError unless ``estimator`` has a ``predict`` method."""
    if not hasattr(estimator, "predict"):
        raise TypeError(
            "estimator must be fitted and have a predict method. Got "
            f"{estimator!r} instead; fit a regressor of windows and pass it."
        )


def draw_seed(random_state: Any) -> int:
    """Return a seed. None draws it from fresh entropy, not from numpy's global state."""
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return int(rng.randint(np.iinfo(np.int32).max + 1))


def take(array: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of an array, a list or a DataFrame."""
    return array.iloc[rows] if hasattr(array, "iloc") else np.asarray(array)[rows]
