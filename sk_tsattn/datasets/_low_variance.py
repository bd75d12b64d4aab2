"""Synthetic classes that differ in where the variance is low for a while: LowVar."""

import numpy as np

from ._inputs import ClassWindows, RandomState, check_shape, narma_inputs, random_generator
from ._segments import steps_in_segment

# Feature of the segment of low variance, and its mean, of each class.
SEGMENTS = ((0, -1.5), (0, 1.5), (1, -1.5), (1, 1.5))
LOW, HIGH = 0.1, 1.0  # standard deviation of the noise inside the segment and outside


def make_low_variance(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 200,
    n_features: int = 2,
    random_state: RandomState = None,
) -> ClassWindows:
    """Generate windows of four classes: where the variance is low for a while, and the mean there.

    The task LowVar of [Queen2023]_ and [Liu2024]_. The inputs are NARMA series with normal noise
    of standard deviation 1. For a while, one feature is normal with standard deviation 0.1: feature
    0 around -1.5 (class 0) or 1.5 (class 1), or feature 1 around -1.5 (class 2) or 1.5 (class 3).
    The values of this segment are not extreme; its low variance tells it from the rest. It is 10
    to 19 steps long in a window of 200 and begins anywhere between the first tenth and the last
    fifth; lengths are scaled to other windows.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=200
        Length of a window, in steps. At least 40, for segments of 2 steps. 200 is that of the
        papers.

    n_features : int, default=2
        Number of features. At least 2, that of the papers; further ones are irrelevant.

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
        True at the cells that determine the class of the sample: those of the segment.

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
    >>> from sk_tsattn.datasets import make_low_variance
    >>> X, y, drivers = make_low_variance(random_state=0)
    >>> segment = X[0][drivers[0]]
    >>> print(int(y[0]), len(segment), f"{segment.mean():.1f} {segment.std():.1f}")
    1 17 1.5 0.1
    >>> np.flatnonzero(drivers[0].any(axis=0)).tolist()  # the feature
    [0]
    """
    shape = check_shape("make_low_variance", n_samples, n_timesteps, n_features, (40, 2))
    rng = random_generator(random_state)
    X = narma_inputs(rng, shape) + rng.normal(0, HIGH, size=shape)
    y = rng.integers(len(SEGMENTS), size=n_samples)
    features, means = np.array(SEGMENTS)[y].T  # (n_samples,) each
    lengths = rng.integers(n_timesteps // 20, n_timesteps // 10, size=n_samples)
    starts = rng.integers(n_timesteps // 10, n_timesteps - n_timesteps // 5, size=n_samples)
    _, inside = steps_in_segment(starts, lengths, n_timesteps)
    drivers = inside[:, :, None] & (np.arange(n_features) == features[:, None, None])
    segments = means[:, None, None] + rng.normal(0, LOW, size=shape)
    return np.where(drivers, segments, X), y, drivers
