"""Random inputs and noise of the synthetic data sets, and the checks that they share."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Classes = NDArray[np.int_]
# X (n_samples, n_timesteps, n_features), y (n_samples,) and drivers, of the shape of X.
Windows = tuple[Array, Array, Mask]
ClassWindows = tuple[Array, Classes, Mask]  # y holds the index of a class
Shape = tuple[int, int, int]  # n_samples, n_timesteps, n_features
RandomState = int | np.random.RandomState | np.random.Generator | None

# Where a task needs certain cells, they are defined for a window of this size (n_timesteps,
# n_features) and move in proportion to other sizes.
REFERENCE_SHAPE = (20, 10)


def normal_inputs(rng: np.random.Generator, shape: Shape, autocorrelation: float) -> Array:
    """Draw stationary AR(1) series of mean 0 and variance 1, along axis 1."""
    if not is_number(autocorrelation) or not -1 < autocorrelation < 1:
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


def narma_inputs(rng: np.random.Generator, shape: Shape) -> Array:
    """Draw nonlinear autoregressive moving average series of order 2, along axis 1.

    With u uniform on [0, 0.5], x[t + 1] = 0.3 x[t] + 0.05 x[t] (x[t] + x[t - 1])
    + 1.5 u[t - 1] u[t] + 0.1: the background of the tasks of Queen et al. 2023. The values are
    positive, around 0.3.
    """
    n_samples, n_timesteps, n_features = shape
    burn_in = 50
    u = rng.uniform(0, 0.5, size=(burn_in + n_timesteps, n_samples, n_features))
    x = np.zeros_like(u)
    for t in range(1, len(x) - 1):
        x[t + 1] = 0.3 * x[t] + 0.05 * x[t] * (x[t] + x[t - 1]) + 1.5 * u[t - 1] * u[t] + 0.1
    return np.ascontiguousarray(x[burn_in:].swapaxes(0, 1))


def add_noise(rng: np.random.Generator, signal: Array, noise: float) -> Array:
    """Add normal noise whose standard deviation is ``noise`` times that of the signal."""
    if not is_number(noise) or not 0 <= noise < np.inf:
        raise ValueError(
            "noise must be a finite number of at least 0: its standard deviation divided by that "
            f"of the noise-free target. Got {noise!r} instead; use 0 for none."
        )
    target: Array = signal + noise * signal.std() * rng.standard_normal(len(signal))
    return target


def random_generator(random_state: RandomState) -> np.random.Generator:
    """Return a numpy Generator for any ``random_state`` that scikit-learn accepts."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    return np.random.default_rng(random_state)


def is_number(value: Any) -> bool:
    """Return whether a value is a real number, of Python or of numpy."""
    return isinstance(value, int | float | np.integer | np.floating)


def check_shape(
    task: str, n_samples: int, n_timesteps: int, n_features: int, smallest: tuple[int, int]
) -> Shape:
    """Return the shape of X; raise where the windows are smaller than ``smallest``.

    ``smallest`` is the least (n_timesteps, n_features) for which the task is defined.
    """
    least: dict[str, int] = {"n_samples": 1, "n_timesteps": smallest[0], "n_features": smallest[1]}
    shape: dict[str, Any] = {
        "n_samples": n_samples,
        "n_timesteps": n_timesteps,
        "n_features": n_features,
    }
    for name, size in shape.items():
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < least[name]:
            raise ValueError(
                f"{name} must be an integer of at least {least[name]} for {task}. "
                f"Got {size!r} instead; pass {least[name]} or more."
            )
    return int(n_samples), int(n_timesteps), int(n_features)
