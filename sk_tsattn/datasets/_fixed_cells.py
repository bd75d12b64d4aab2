"""Synthetic tasks in which the same cells determine the target of every sample."""

from collections.abc import Mapping

import numpy as np

from ._inputs import (
    REFERENCE_SHAPE,
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

Cells = Mapping[tuple[int, int], float]  # the weight of each (timestep, feature)


def make_fixed_cells(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    cells: Cells | None = None,
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows whose target is a weighted sum of the same cells in every sample.

    By default, the target is the difference of two features at one step,
    ``y = X[:, 6, 2] - X[:, 6, 5]``. The inputs are standard normal. The difficulty is to locate
    the step.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps.

    n_features : int, default=10
        Number of features. At least 2 with the default cells.

    cells : dict of (int, int) to float, default=None
        Weight of each driving cell ``(timestep, feature)``, counted from 0. None is
        ``{(6, 2): 1.0, (6, 5): -1.0}``, with positions scaled to other window sizes.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
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
    >>> from sk_tsattn.datasets import make_fixed_cells
    >>> X, y, drivers = make_fixed_cells(n_samples=100, noise=0.0, random_state=0)
    >>> X.shape, np.argwhere(drivers[0]).tolist()
    ((100, 20, 10), [[6, 2], [6, 5]])
    >>> bool(np.allclose(y, X[:, 6, 2] - X[:, 6, 5]))
    True
    """
    smallest = (1, 2) if cells is None else (1, 1)
    shape = check_shape("make_fixed_cells", n_samples, n_timesteps, n_features, smallest)
    if cells is None:
        cells = scaled_cells({(6, 2): 1.0, (6, 5): -1.0}, shape)
    check_cells(cells, shape)
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = cells_signal(X, cells)
    return X, add_noise(rng, signal, noise), drivers


def make_different_times(
    n_samples: int = 3000,
    *,
    n_timesteps: int = 20,
    n_features: int = 10,
    noise: float = 0.1,
    autocorrelation: float = 0.0,
    random_state: RandomState = None,
) -> Windows:
    """Generate windows in which different features matter at different times.

    The target is ``y = X[:, 4, 1] + X[:, 10, 3] - X[:, 16, 6]``, with positions scaled to other
    window sizes. The inputs are standard normal. Separate weights over time and over features
    cannot express which feature mattered when.

    Parameters
    ----------
    n_samples : int, default=3000
        Number of windows.

    n_timesteps : int, default=20
        Length of a window, in steps. At least 3.

    n_features : int, default=10
        Number of features. At least 4.

    noise : float, default=0.1
        Standard deviation of the noise added to the target, divided by the standard deviation of
        the noise-free target. With 1.0, no model can explain more than half of the variance.

    autocorrelation : float, default=0.0
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
    >>> from sk_tsattn.datasets import make_different_times
    >>> X, y, drivers = make_different_times(random_state=0)
    >>> np.argwhere(drivers[0]).tolist()
    [[4, 1], [10, 3], [16, 6]]
    """
    shape = check_shape("make_different_times", n_samples, n_timesteps, n_features, (3, 4))
    cells = scaled_cells({(4, 1): 1.0, (10, 3): 1.0, (16, 6): -1.0}, shape)
    rng = random_generator(random_state)
    X = normal_inputs(rng, shape, autocorrelation)
    signal, drivers = cells_signal(X, cells)
    return X, add_noise(rng, signal, noise), drivers


def cells_signal(X: Array, cells: Cells) -> tuple[Array, Mask]:
    """Return the weighted sum of the cells, and where they are."""
    signal = np.zeros(len(X))
    drivers = np.zeros(X.shape, dtype=bool)
    for (timestep, feature), weight in cells.items():
        signal += weight * X[:, timestep, feature]
        drivers[:, timestep, feature] = True
    return signal, drivers


def scaled_cells(cells: Cells, shape: Shape) -> Cells:
    """Scale cells defined for the reference window to a window of another size."""
    _, T, F = shape
    return {
        (t * T // REFERENCE_SHAPE[0], f * F // REFERENCE_SHAPE[1]): weight
        for (t, f), weight in cells.items()
    }


def check_cells(cells: Cells, shape: Shape) -> None:
    """Raise unless the cells lie inside the window and their weights are finite and not 0."""
    _, T, F = shape
    if not cells:
        raise ValueError(
            f"cells must contain at least one (timestep, feature) and its weight. Got {cells!r} "
            "instead; use None for the default cells."
        )
    for cell, weight in cells.items():
        timestep, feature = cell
        if not (0 <= timestep < T and 0 <= feature < F):
            raise ValueError(
                f"cells must be (timestep, feature) pairs from (0, 0) to ({T - 1}, {F - 1}). "
                f"Got {cell!r} instead; enlarge n_timesteps or n_features, or move the cell."
            )
        if not np.isfinite(weight) or weight == 0:
            raise ValueError(
                f"The weight of a cell must be finite and not 0. Got {weight!r} for {cell!r} "
                "instead; leave out a cell that does not drive the target."
            )
