"""Synthetic task in which the height of an event at a random place determines the target."""

import numpy as np

from ._inputs import (
    Array,
    Mask,
    RandomState,
    Windows,
    add_noise,
    check_shape,
    normal_inputs,
    random_generator,
)
from ._segments import steps_in_segment

EVENT_FEATURE, DECOY_FEATURE = 0, 1
# Range of the heights, in standard deviations of the other inputs: no bump is lost among them.
HEIGHTS = (4.0, 12.0)


def make_event(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows whose target is the height of a bump of random width at a random place.

    The inputs are standard normal. In every window, a bump of random height, from 4 to 12, is
    added to a run of steps of feature 0; ``y`` is the mean of these cells. The run is a tenth to
    a quarter of the window long and lies anywhere in it. Feature 1 has a bump of its own, drawn in
    the same way: a decoy, independent of the target. Every cell of the bump has the same weight in
    the target, so that all of them are needed for an exact prediction; a single one explains about
    90 % of the variance.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 10.

    n_features : int, default=10
        Number of features. At least 2.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step earlier, before bumps are added: stationary
        AR(1) series with variance 1.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. Pass an int for reproducible output.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows, oldest step first.
    y : ndarray of shape (n_samples,)
        Targets.
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)
        True at the cells that determine the target of the sample: those of the bump in feature 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_event
    >>> X, y, drivers = make_event(noise=0.0, random_state=0)
    >>> [np.flatnonzero(drivers[i, :, 0]).tolist() for i in range(3)]
    [[14, 15, 16, 17], [14, 15, 16, 17, 18], [13, 14, 15]]
    >>> bool(np.isclose(y[0], X[0][drivers[0]].mean()))
    True
    """
    shape = check_shape("make_event", n_samples, n_timesteps, n_features, (10, 2))
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    drivers = np.zeros(shape, dtype=bool)
    drivers[:, :, EVENT_FEATURE] = add_bumps(rng, X[:, :, EVENT_FEATURE])
    add_bumps(rng, X[:, :, DECOY_FEATURE])
    return X, add_noise(rng, event_signal(X, drivers), noise), drivers


def add_bumps(rng: np.random.Generator, series: Array) -> Mask:
    """Add a bump to each series (n_samples, n_timesteps), in place; return where they are."""
    n_samples, n_timesteps = series.shape
    lengths = rng.integers(n_timesteps // 10, n_timesteps // 4 + 1, size=n_samples)
    starts = rng.integers(n_timesteps - lengths + 1)
    _, inside = steps_in_segment(starts, lengths, n_timesteps)
    series += rng.uniform(*HEIGHTS, size=(n_samples, 1)) * inside
    return inside


def event_signal(X: Array, drivers: Mask) -> Array:
    """Return the mean of the driving cells of each window."""
    signal: Array = np.where(drivers, X, 0.0).sum(axis=(1, 2)) / drivers.sum(axis=(1, 2))
    return signal
