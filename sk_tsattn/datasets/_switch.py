"""Synthetic task in which one cell of the input selects the feature that matters."""

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


def make_switch(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    count_markers: bool = False,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows in which a switch selects the feature that matters in each sample.

    ``y`` is the mean of the last 5 steps of feature 1 if the switch is positive, else of feature
    2. The switch is the last step of feature 0. The inputs are standard normal.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 5.

    n_features : int, default=10
        Number of features. At least 3.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step earlier: inputs are stationary AR(1) series
        with variance 1.

    count_markers : bool, default=False
        Count the cell of the switch as a driver too, although it only selects the feature.

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
    >>> from sk_tsattn.datasets import make_switch
    >>> X, y, drivers = make_switch(random_state=0)
    >>> bool(np.array_equal(drivers[:, -1, 1], X[:, -1, 0] > 0))
    True
    >>> drivers.sum(axis=(1, 2)).tolist() == [5] * 3000
    True
    """
    shape = check_shape("make_switch", n_samples, n_timesteps, n_features, (5, 3))
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = switch_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def switch_signal(X: Array, count_markers: bool = False) -> tuple[Array, Mask]:
    """Return the mean of the last 5 steps of the selected feature, and its cells."""
    is_on = X[:, -1, 0] > 0
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, -5:, 1] = is_on[:, None]
    drivers[:, -5:, 2] = ~is_on[:, None]
    if count_markers:
        drivers[:, -1, 0] = True
    means = X[:, -5:, 1:3].mean(axis=1)  # (n_samples, 2)
    return np.where(is_on, means[:, 0], means[:, 1]), drivers
