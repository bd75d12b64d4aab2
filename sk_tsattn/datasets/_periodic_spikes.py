"""Synthetic classes that differ in the direction and the period of spikes: FreqShapes."""

import numpy as np

from ._inputs import ClassWindows, RandomState, check_shape, random_generator

# Direction and period, in steps, of the spikes of each class.
SPIKES = ((-1, 10), (1, 10), (-1, 17), (1, 17))
CENTRE, FLANK = 2.0, 1.75  # height of a spike, and of the step on either side
BACKGROUND = 0.25  # standard deviation of the noise


def make_periodic_spikes(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 50,
    n_features: int = 1,
    random_state: RandomState = None,
) -> ClassWindows:
    """Generate windows of four classes: spikes up or down, every 10 or every 17 steps.

    The task FreqShapes of [Queen2023]_ and [Liu2024]_. The inputs are normal noise with standard
    deviation 0.25. Feature 0 also has spikes of 3 steps and height 2, from a random step on: down
    every 10 steps (class 0), up every 10 steps (class 1), down every 17 steps (class 2) or up
    every 17 steps (class 3). Two spikes, at least, lie in every window, so that it shows their
    period. Other features are noise.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=50
        Length of a window, in steps. At least 20, for two spikes. 50 is that of the papers.

    n_features : int, default=1
        Number of features.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. Pass an int for reproducible output.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows, oldest step first.
    y : ndarray of int, of shape (n_samples,)
        Class of each window, from 0 to 3, each as likely. See
        :class:`~sk_tsattn.AttentionLSTMClassifier`.
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)
        True at the cells that determine the class of the sample: those of the spikes.

    References
    ----------
    .. [Queen2023] O. Queen, T. Hartvigsen, T. Koker, H. He, T. Tsiligkaridis and M. Zitnik,
       "Encoding Time-Series Explanations through Self-Supervised Model Behavior Consistency",
       NeurIPS 2023. https://arxiv.org/abs/2306.02109

    .. [Liu2024] Z. Liu, T. Wang, J. Shi, X. Zheng, Z. Chen, L. Song, W. Dong, J. Obeysekera,
       F. Shirani and D. Luo, "TimeX++: Learning Time-Series Explanations with Information
       Bottleneck", ICML 2024. https://arxiv.org/abs/2405.09308

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_periodic_spikes
    >>> X, y, drivers = make_periodic_spikes(random_state=0)
    >>> X.shape, np.unique(y).tolist()
    ((3000, 50, 1), [0, 1, 2, 3])
    >>> int(y[0]), np.flatnonzero(drivers[0]).tolist()
    (3, [6, 7, 8, 23, 24, 25, 40, 41, 42])
    """
    shape = check_shape("make_periodic_spikes", n_samples, n_timesteps, n_features, (20, 1))
    rng = random_generator(random_state)
    y = rng.integers(len(SPIKES), size=n_samples)
    directions, periods = np.array(SPIKES)[y].T  # (n_samples,) each
    # The first spike and the one after it are complete: a step lies on either side.
    first = rng.integers(1, n_timesteps - 1 - periods)
    after_first = np.arange(n_timesteps) - first[:, None]
    is_centre = (after_first >= 0) & (after_first % periods[:, None] == 0)
    is_centre[:, -1] = False
    is_flank = np.zeros_like(is_centre)
    is_flank[:, 1:] |= is_centre[:, :-1]
    is_flank[:, :-1] |= is_centre[:, 1:]
    X = rng.normal(0, BACKGROUND, size=shape)
    X[:, :, 0] += directions[:, None] * (CENTRE * is_centre + FLANK * is_flank)
    drivers = np.zeros(shape, dtype=bool)
    drivers[:, :, 0] = is_centre | is_flank
    return X, y, drivers
