"""What drives the target: noise-free targets and their true cells, from inputs alone.

Every ``*_signal`` returns the noise-free target (n_samples,) and a boolean array of the shape of X
that is True at the cells which drive it.
"""

import numpy as np

# Where a task needs certain cells, they are named for a window of this size (n_timesteps,
# n_features) and move in proportion to other sizes.
REFERENCE_SHAPE = (20, 10)

# First and past-the-end step, first and past-the-end feature of a box, in tenths of the window:
# the top, middle and bottom box of Ismail et al. 2019, whose windows are 100 x 100.
BOXES = {"early": (0, 3, 1, 9), "middle": (2, 8, 2, 8), "late": (7, 10, 1, 9)}


def cells_signal(X, cells):
    """Sum the given cells with their weights."""
    signal = np.zeros(len(X))
    drivers = np.zeros(X.shape, dtype=bool)
    for (timestep, feature), weight in cells.items():
        signal += weight * X[:, timestep, feature]
        drivers[:, timestep, feature] = True
    return signal, drivers


def marked_signal(X, count_markers=False):
    """Sum the value feature over the steps at which the marker feature is 1."""
    value, marker = value_feature(X.shape[2]), marker_feature(X.shape[2])
    marked = X[:, :, marker] == 1.0  # (n_samples, n_timesteps)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, :, value] = marked
    if count_markers:
        drivers[:, :, marker] = marked
    return np.where(marked, X[:, :, value], 0.0).sum(axis=1), drivers


def announced_signal(X, count_markers=False):
    """Sum the value feature over the steps that follow one of its zeros."""
    value = value_feature(X.shape[2])
    zeros = X[:, :-1, value] == 0.0  # (n_samples, n_timesteps - 1)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, 1:, value] = zeros
    if count_markers:
        drivers[:, :-1, value] |= zeros
    return np.where(zeros, X[:, 1:, value], 0.0).sum(axis=1), drivers


def decoys_signal(X):
    """Sum the last 3 steps of feature 0 and subtract those of feature 1."""
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, -3:, :2] = True
    return X[:, -3:, 0].sum(axis=1) - X[:, -3:, 1].sum(axis=1), drivers


def switch_signal(X, count_markers=False):
    """Average the last 5 steps of feature 1 where the switch is positive, else of feature 2."""
    is_on = X[:, -1, 0] > 0
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[:, -5:, 1] = is_on[:, None]
    drivers[:, -5:, 2] = ~is_on[:, None]
    if count_markers:
        drivers[:, -1, 0] = True
    means = X[:, -5:, 1:3].mean(axis=1)  # (n_samples, 2)
    return np.where(is_on, means[:, 0], means[:, 1]), drivers


def boxes_signal(X, position):
    """Return the sign of the box's mean."""
    box = box_index(X.shape, position)
    drivers = np.zeros(X.shape, dtype=bool)
    drivers[box] = True
    return np.where(X[box].mean(axis=(1, 2)) > 0, 1.0, -1.0), drivers


def scaled_cells(cells, shape):
    """Move cells named for the reference window to a window of another size."""
    _, T, F = shape
    return {
        (t * T // REFERENCE_SHAPE[0], f * F // REFERENCE_SHAPE[1]): weight
        for (t, f), weight in cells.items()
    }


def value_feature(n_features):
    return 3 * n_features // REFERENCE_SHAPE[1]


def marker_feature(n_features):
    return 7 * n_features // REFERENCE_SHAPE[1]


def box_index(shape, position):
    """Index of the box in windows of the given shape."""
    _, T, F = shape
    first_step, last_step, first_feature, last_feature = BOXES[position]
    return (
        slice(None),
        slice(first_step * T // 10, last_step * T // 10),
        slice(first_feature * F // 10, last_feature * F // 10),
    )
