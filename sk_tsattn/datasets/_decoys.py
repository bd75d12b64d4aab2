"""Synthetic task in which half of the features are correlated with the drivers."""

import numpy as np

from ._inputs import (
    Array,
    Mask,
    RandomState,
    Windows,
    add_noise,
    check_shape,
    is_number,
    normal_inputs,
    random_generator,
)


def make_decoys(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    correlation: float = 0.9,
    noise: float = 0.1,
    autocorrelation: float = 0.7,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows in which half of the features are correlated with the two that matter.

    ``y`` is the sum of the last 3 steps of feature 0 minus that of feature 1. The second half of
    the features are decoys: noisy copies of feature 0 and feature 1 in turn. They are correlated
    with the target, but do not determine it.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3.

    n_features : int, default=10
        Number of features. At least 4; ``n_features // 2`` is the first decoy.

    correlation : float, default=0.9
        Correlation of a decoy with the feature that it copies, from -1 to 1.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.7
        Correlation of a feature with itself one step earlier: inputs are stationary AR(1) series
        with variance 1.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. Pass an int for reproducible output.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows, oldest step first.
    y : ndarray of shape (n_samples,)
        Targets.
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)
        True at the cells that determine the target of the sample.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_decoys
    >>> X, y, drivers = make_decoys(random_state=0)
    >>> np.flatnonzero(drivers[0].any(axis=0)).tolist()
    [0, 1]
    >>> print(f"{np.corrcoef(X[:, -1, 0], X[:, -1, 5])[0, 1]:.1f}")
    0.9
    """
    shape = check_shape("make_decoys", n_samples, n_timesteps, n_features, (3, 4))
    if not is_number(correlation) or not -1 <= correlation <= 1:
        raise ValueError(
            f"correlation must be a number from -1 to 1. Got {correlation!r} instead; 0 makes "
            "decoys independent of the drivers."
        )
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    for decoy in range(n_features // 2, n_features):
        copied = (decoy - n_features // 2) % 2
        X[:, :, decoy] *= np.sqrt(1 - correlation**2)
        X[:, :, decoy] += correlation * X[:, :, copied]
    signal, drivers = decoys_signal(X)
    return X, add_noise(rng, signal, noise), drivers


def decoys_signal(X: Array) -> tuple[Array, Mask]:
    """Return the sum of the last 3 steps of feature 0 minus that of feature 1, and the cells."""
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, -3:, :2] = True
    signal: Array = X[:, -3:, 0].sum(axis=1) - X[:, -3:, 1].sum(axis=1)
    return signal, drivers
