"""Synthetic task in which the mean of a rectangle of cells determines the target."""

import numpy as np

from ._inputs import (
    Array,
    Mask,
    RandomState,
    Shape,
    Windows,
    add_noise,
    check_shape,
    normal_inputs,
    random_generator,
)

# First and past-the-end step, first and past-the-end feature of a box, in tenths of the window:
# the top, middle and bottom box of Ismail et al. 2019, whose windows are 100 x 100.
BOXES = {"early": (0, 3, 1, 9), "middle": (2, 8, 2, 8), "late": (7, 10, 1, 9)}


def make_boxes(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    position: str = "early",
    noise: float = 0.0,
    autocorrelation: float = 0.0,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows of noise with a box of shifted values whose sign is the target.

    The inputs are normal with variance 1. Their mean is 1 or -1 inside a rectangle of steps and
    features, and 0 outside; ``y`` is this sign. Saliency of a recurrent network that vanishes
    over time misses an early box [Ismail2019]_. With ``n_timesteps=100, n_features=100`` the boxes
    are those of the paper.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 4.

    n_features : int, default=10
        Number of features. At least 2.

    position : {"early", "middle", "late"}, default="early"
        Where the box lies. "early": the first 30 % of the steps; "late": the last 30 %, both over
        the middle 80 % of the features; "middle": the middle 60 % of both.

    noise : float, default=0.0
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 0.0 ``y`` is a label, 1 or -1.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step earlier, inside the box or outside.

    random_state : int, RandomState, Generator or None, default=None
        Source of randomness. Pass an int for reproducible output.

    Returns
    -------
    X : ndarray of shape (n_samples, n_timesteps, n_features)
        Windows, oldest step first.
    y : ndarray of shape (n_samples,)
        Sign of the mean of the box. In a box of few cells it can differ from the sign of the
        shift.
    drivers : ndarray of bool, of shape (n_samples, n_timesteps, n_features)
        True at the cells that determine the target of the sample: those of the box.

    References
    ----------
    .. [Ismail2019] A. A. Ismail, M. Gunady, L. Pessoa, H. Corrada Bravo and S. Feizi, "Input-Cell
       Attention Reduces Vanishing Saliency of Recurrent Neural Networks", NeurIPS 2019.
       https://arxiv.org/abs/1910.12370

    Examples
    --------
    >>> import numpy as np
    >>> from sk_tsattn.datasets import make_boxes
    >>> X, y, drivers = make_boxes(position="late", random_state=0)
    >>> np.unique(y).tolist()
    [-1.0, 1.0]
    >>> np.flatnonzero(drivers[0].any(axis=1)).tolist()
    [14, 15, 16, 17, 18, 19]
    """
    shape = check_shape("make_boxes", n_samples, n_timesteps, n_features, (4, 2))
    if position not in BOXES:
        raise ValueError(f"position must be one of {list(BOXES)}. Got {position!r} instead.")
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    box = box_index(shape, position)
    X[box] += rng.choice([-1.0, 1.0], size=(n_samples, 1, 1))
    signal, drivers = boxes_signal(X, position)
    return X, add_noise(rng, signal, noise), drivers


def boxes_signal(X: Array, position: str) -> tuple[Array, Mask]:
    """Return the sign of the mean of the box, and its cells."""
    box = box_index(X.shape, position)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[box] = True
    return np.where(X[box].mean(axis=(1, 2)) > 0, 1.0, -1.0), drivers


def box_index(shape: Shape, position: str) -> tuple[slice, slice, slice]:
    """Return the index of the box in windows of the given shape."""
    _, T, F = shape
    first_step, last_step, first_feature, last_feature = BOXES[position]
    return (
        slice(None),
        slice(first_step * T // 10, last_step * T // 10),
        slice(first_feature * F // 10, last_feature * F // 10),
    )
