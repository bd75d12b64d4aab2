"""Random inputs, marks and noise of the generated data sets, and the checks of their sizes."""

import numpy as np

from sk_tsattn.datasets._signals import marker_feature

NUMBER = (int, float, np.integer, np.floating)


def normal_inputs(rng, shape, autocorrelation):
    """Draw stationary AR(1) series of mean 0 and variance 1, along axis 1."""
    if not isinstance(autocorrelation, NUMBER) or not -1 < autocorrelation < 1:
        raise ValueError(
            "autocorrelation must be a number between -1 and 1, both excluded. Got "
            f"{autocorrelation!r} instead; 0 makes steps independent."
        )
    X = rng.standard_normal(shape)
    if autocorrelation != 0:
        X[:, 1:] *= np.sqrt(1 - autocorrelation**2)
        for t in range(1, shape[1]):
            X[:, t] += autocorrelation * X[:, t - 1]
    return X


def add_noise(rng, signal, noise):
    """Add normal noise whose standard deviation is ``noise`` times that of the signal."""
    if not isinstance(noise, NUMBER) or not 0 <= noise < np.inf:
        raise ValueError(
            "noise must be a finite number of at least 0, in units of the standard deviation of "
            f"the noise-free target. Got {noise!r} instead; use 0 for none."
        )
    return signal + noise * signal.std() * rng.standard_normal(len(signal))


def random_generator(random_state):
    """Turn what scikit-learn accepts as ``random_state`` into a numpy Generator."""
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31, size=4)
    return np.random.default_rng(random_state)


def check_shape(task, n_samples, n_timesteps, n_features, smallest):
    """Check the size of the windows against the smallest in which the task is defined."""
    least = {"n_samples": 1, "n_timesteps": smallest[0], "n_features": smallest[1]}
    shape = {"n_samples": n_samples, "n_timesteps": n_timesteps, "n_features": n_features}
    for name, size in shape.items():
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < least[name]:
            raise ValueError(
                f"{name} must be an integer of at least {least[name]} for {task}. "
                f"Got {size!r} instead; pass {least[name]} or more."
            )
    return tuple(int(size) for size in shape.values())


def check_cells(cells, shape):
    """Check that the cells lie inside the window and their weights drive the target."""
    _, T, F = shape
    if not cells:
        raise ValueError(
            f"cells must name at least one (timestep, feature) and its weight. Got {cells!r} "
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


def set_marks(X, positions):
    """Make the marker feature 1 at the given positions (n_samples, n_marks) and 0 elsewhere."""
    marker = marker_feature(X.shape[2])
    X[:, :, marker] = 0.0
    X[np.arange(len(X))[:, None], positions, marker] = 1.0


def steps_apart(rng, n_samples, n_timesteps):
    """Draw two steps per sample that are neither equal nor adjacent, each pair equally likely."""
    # Two different steps of a window one step shorter; the later moves up by the step left out.
    first = rng.integers(n_timesteps - 1, size=n_samples)
    second = rng.integers(n_timesteps - 2, size=n_samples)
    second += second >= first
    earlier, later = np.minimum(first, second), np.maximum(first, second)
    return np.stack([earlier, later + 1], axis=1)  # (n_samples, 2)
