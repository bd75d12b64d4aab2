"""Synthetic tasks in which markers in the input select the cells that determine the target."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from ._inputs import (
    REFERENCE_SHAPE,
    Array,
    Mask,
    RandomState,
    Windows,
    add_noise,
    check_shape,
    normal_inputs,
    random_generator,
)


def make_marked_cell(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    count_markers: bool = False,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows whose target is one feature's value at the step that another marks.

    Feature 7, the marker, is 1 at one random step of each sample and 0 elsewhere; ``y`` is feature
    3 at that step. Both indices are scaled to other numbers of features. The other inputs are
    standard normal. The cell that matters differs between samples.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 2.

    n_features : int, default=10
        Number of features. At least 2.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Correlation of a feature with itself one step earlier: inputs other than the marker are
        stationary AR(1) series with variance 1.

    count_markers : bool, default=False
        Count the marker cell as a driver too, although it only selects the cell that matters.

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
    >>> from sk_tsattn.datasets import make_marked_cell
    >>> X, y, drivers = make_marked_cell(noise=0.0, random_state=0)
    >>> bool(np.allclose(y, X[:, :, 3][X[:, :, 7] == 1]))
    True
    >>> bool(np.array_equal(drivers[:, :, 3], X[:, :, 7] == 1))
    True
    """
    shape = check_shape("make_marked_cell", n_samples, n_timesteps, n_features, (2, 2))
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    positions = rng.integers(n_timesteps, size=(n_samples, 1))
    set_marks(X, positions)
    signal, drivers = marked_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def make_adding(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    marker: str = "feature",
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    count_markers: bool = False,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows whose target is the sum of two marked numbers [Hochreiter1997]_.

    The inputs are uniform on [0, 1]. Two steps, never adjacent, are selected at random for each
    sample; ``y`` is the sum of feature 3 at these steps. The index of the feature is scaled to
    other numbers of features. With ``n_features=1, marker="zero"`` the window is a univariate
    series in which a zero precedes each number.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3, or 4 with ``marker="zero"``.

    n_features : int, default=10
        Number of features. At least 2, or 1 with ``marker="zero"``.

    marker : {"feature", "zero"}, default="feature"
        How a number is marked. "feature": feature 7 (scaled to other numbers of features) is 1 at
        the marked steps and 0 elsewhere. "zero": feature 3 itself is 0 at the step before.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
        Coefficient of stationary AR(1) series, which the normal distribution function maps to
        the uniform distribution. The correlation of successive steps is slightly lower.

    count_markers : bool, default=False
        Count the marker cells as drivers too, although they only select the cells that matter.

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

    References
    ----------
    .. [Hochreiter1997] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural
       Computation 9 (1997) 1735-1780, experiment 4.

    Examples
    --------
    >>> from sk_tsattn.datasets import make_adding
    >>> X, y, drivers = make_adding(n_features=1, marker="zero", noise=0.0, random_state=0)
    >>> bool((X[drivers].reshape(-1, 2).sum(axis=1) == y).all())
    True
    """
    if marker not in ("feature", "zero"):
        raise ValueError(f"marker must be 'feature' or 'zero'. Got {marker!r} instead.")
    smallest = (3, 2) if marker == "feature" else (4, 1)
    shape = check_shape(
        f"make_adding with marker={marker!r}", n_samples, n_timesteps, n_features, smallest
    )
    rng = random_generator(random_state)
    X: Array = np.vectorize(NormalDist().cdf)(normal_inputs(rng, shape, autocorrelation))
    if marker == "feature":
        set_marks(X, steps_apart(rng, n_samples, n_timesteps))
        signal, drivers = marked_signal(X, count_markers)
    else:
        # No zero can precede the first step, so that positions begin at 1.
        positions = 1 + steps_apart(rng, n_samples, n_timesteps - 1)
        X[np.arange(n_samples)[:, None], positions - 1, value_feature(X.shape[2])] = 0.0
        signal, drivers = preceded_signal(X, count_markers)
    return X, add_noise(rng, signal, noise), drivers


def marked_signal(X: Array, count_markers: bool = False) -> tuple[Array, Mask]:
    """Return the sum of the value feature where the marker feature is 1, and its cells."""
    value, marker = value_feature(X.shape[2]), marker_feature(X.shape[2])
    marked = X[:, :, marker] == 1.0  # (n_samples, n_timesteps)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, :, value] = marked
    if count_markers:
        drivers[:, :, marker] = marked
    return np.where(marked, X[:, :, value], 0.0).sum(axis=1), drivers


def preceded_signal(X: Array, count_markers: bool = False) -> tuple[Array, Mask]:
    """Return the sum of the value feature over the steps after its zeros, and its cells."""
    value = value_feature(X.shape[2])
    zeros = X[:, :-1, value] == 0.0  # (n_samples, n_timesteps - 1)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, 1:, value] = zeros
    if count_markers:
        drivers[:, :-1, value] |= zeros
    return np.where(zeros, X[:, 1:, value], 0.0).sum(axis=1), drivers


def set_marks(X: Array, positions: NDArray[np.int_]) -> None:
    """Set the marker feature to 1 at the positions (n_samples, n_marks) and 0 elsewhere."""
    marker = marker_feature(X.shape[2])
    X[:, :, marker] = 0.0
    X[np.arange(len(X))[:, None], positions, marker] = 1.0


def steps_apart(rng: np.random.Generator, n_samples: int, n_timesteps: int) -> NDArray[np.int_]:
    """Sample two steps per window, uniformly among the pairs that are not adjacent."""
    # Two different steps of a window one step shorter; the later one then moves up by one.
    first = rng.integers(n_timesteps - 1, size=n_samples)
    second = rng.integers(n_timesteps - 2, size=n_samples)
    second += second >= first
    earlier, later = np.minimum(first, second), np.maximum(first, second)
    return np.stack([earlier, later + 1], axis=1)  # (n_samples, 2)


def value_feature(n_features: int) -> int:
    """Return the index of the feature that holds the values: 3 of 10."""
    return 3 * n_features // REFERENCE_SHAPE[1]


def marker_feature(n_features: int) -> int:
    """Return the index of the feature that holds the marks: 7 of 10."""
    return 7 * n_features // REFERENCE_SHAPE[1]
