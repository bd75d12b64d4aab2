"""What a user hands to an inspection, checked: windows, targets, numbers and seeds."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_random_state


def check_windows(X):
    """Return ``X`` as an array; raise unless it holds rows (2-D) or windows (3-D) of numbers."""
    if hasattr(X, "detach"):  # a torch tensor
        X = X.detach().cpu().numpy()
    X = check_array(X, allow_nd=True, dtype="numeric", ensure_all_finite="allow-nan")
    if X.ndim > 3:
        raise ValueError(
            "X must have shape (n_samples, n_timesteps, n_features), oldest step first. Got an "
            f"array of shape {X.shape} instead; flatten the axes that are features."
        )
    return X


def check_target(y, n_samples):
    """Return ``y`` as an array of shape (n_samples, n_outputs)."""
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    y = np.asarray(y)
    if y.ndim not in (1, 2) or len(y) != n_samples:
        raise ValueError(
            f"y must have shape ({n_samples},) or ({n_samples}, n_outputs), one target for each "
            f"sample of X. Got an array of shape {y.shape} instead; make_windows cuts X and y "
            "together."
        )
    return y.reshape(n_samples, -1)


def check_one_of(name, value, choices):
    """Raise unless ``value`` is one of ``choices``."""
    if not any(isinstance(value, type(choice)) and value == choice for choice in choices):
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, choices))}. Got {value!r} instead."
        )


def check_int(name, value, minimum):
    """Raise unless ``value`` is an int of at least ``minimum``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
        raise ValueError(f"{name} must be an int >= {minimum}. Got {value!r} instead.")


def check_confidence(confidence):
    """Raise unless ``confidence`` is a share."""
    if not isinstance(confidence, Real) or not 0 < float(confidence) < 1:
        raise ValueError(
            f"confidence must be a number in (0, 1), such as 0.95. Got {confidence!r} instead."
        )


def check_one_scorer(scoring):
    """Raise where several scorers are given and one is needed."""
    if scoring is not None and not isinstance(scoring, str) and not callable(scoring):
        raise ValueError(
            f"scoring must be None, a str or a callable here. Got {scoring!r} instead; call the "
            "function once for each scorer."
        )


def check_predicts(estimator):
    """Raise unless ``estimator`` has a ``predict`` method."""
    if not hasattr(estimator, "predict"):
        raise TypeError(
            "estimator must be fitted and have a predict method. Got "
            f"{estimator!r} instead; fit a regressor of windows and pass it."
        )


def draw_seed(random_state):
    """Draw the seed of this call; None is fresh entropy, and the global state is left alone."""
    rng = np.random.RandomState() if random_state is None else check_random_state(random_state)
    return int(rng.randint(np.iinfo(np.int32).max + 1))


def take(array, rows):
    """Take rows of an array, a list or a DataFrame."""
    return array.iloc[rows] if hasattr(array, "iloc") else np.asarray(array)[rows]
