"""Synthetic classes that differ in two trends, each at a random place: SeqComb."""

import numpy as np

from ._inputs import ClassWindows, RandomState, check_shape, narma_inputs, random_generator
from ._segments import steps_in_segment

# Direction of the first and of the second trend of each class; class 0 has none.
TRENDS = ((0, 0), (-1, -1), (1, 1), (1, -1))
BACKGROUND = 0.01  # standard deviation of the noise
STEEPNESS = 5  # a trend spans this multiple of the extreme values of its window


def make_trends(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 200,
    n_features: int = 1,
    random_state: RandomState = None,
) -> ClassWindows:
    """Generate windows of four classes: the directions of two trends at random places.

    The tasks SeqComb-UV (``n_features=1``) and SeqComb-MV (``n_features=4``) of [Queen2023]_ and
    [Liu2024]_. The inputs are NARMA series. Class 0 has no trend, class 1 two falling trends,
    class 2 two rising trends, class 3 a rising trend and a falling one after it. The first begins
    in the first half of the window, the second anywhere after its end: in the same feature if
    there is only one, else in another one, both features being drawn for each window. A trend
    replaces the series by a straight line plus a sine of random frequency, and is much steeper than
    the series. It is 10 to 19 steps long in a window of 200, or 15 to 29 steps if there are several
    features; lengths are scaled to other windows.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=200
        Length of a window, in steps. At least 40, for trends of 2 steps. 200 is that of the
        papers.

    n_features : int, default=1
        Number of features. The papers have 1 and 4.

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
        True at the cells that determine the class of the sample: those of the trends. No cell of
        a window of class 0 is a driver.

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
    >>> from sk_tsattn.datasets import make_trends
    >>> X, y, drivers = make_trends(n_features=4, random_state=0)
    >>> X.shape, np.unique(y).tolist()
    ((3000, 200, 4), [0, 1, 2, 3])
    >>> [int(drivers[y == k].any(axis=1).sum(axis=1).max()) for k in range(4)]  # features
    [0, 2, 2, 2]
    """
    shape = check_shape("make_trends", n_samples, n_timesteps, n_features, (40, 1))
    rng = random_generator(random_state)
    X = narma_inputs(rng, shape) + rng.normal(0, BACKGROUND, size=shape)
    y = rng.integers(len(TRENDS), size=n_samples)
    directions = np.array(TRENDS)[y]  # (n_samples, 2)
    if n_features == 1:
        features = np.zeros((n_samples, 2), dtype=int)
        shortest, longest, frequency = n_timesteps // 20, n_timesteps // 10, 10
    else:
        features = rng.permuted(np.tile(np.arange(n_features), (n_samples, 1)), axis=1)[:, :2]
        shortest, longest, frequency = 3 * n_timesteps // 40, 3 * n_timesteps // 20, 5

    drivers = np.zeros(shape, dtype=bool)
    samples = np.arange(n_samples)
    span = STEEPNESS * (np.abs(X.max(axis=(1, 2))) + np.abs(X.min(axis=(1, 2))))
    earliest = np.zeros(n_samples, dtype=int)
    for direction, feature, is_first in zip(directions.T, features.T, (True, False), strict=True):
        lengths = rng.integers(shortest, longest, size=n_samples)
        latest = n_timesteps // 2 if is_first else n_timesteps - lengths
        starts = rng.integers(earliest, latest)
        earliest = starts + lengths
        positions, inside = steps_in_segment(starts, lengths, n_timesteps)
        inside &= (direction != 0)[:, None]
        from_centre = positions - lengths[:, None] // 2
        slopes = direction * span / lengths
        frequencies = rng.poisson(frequency, size=n_samples)  # radians per step
        trend = slopes[:, None] * from_centre + np.sin(frequencies[:, None] * from_centre)
        X[samples, :, feature] = np.where(inside, trend, X[samples, :, feature])
        drivers[samples, :, feature] |= inside
    return X, y, drivers
