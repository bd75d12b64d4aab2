"""Confidence intervals by resampling samples (Efron 1979), or blocks of them (Künsch 1989)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def resamples(
    n_samples: int, n_bootstrap: int, block_length: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Draw samples with replacement.

    Parameters
    ----------
    n_samples : int
        Number of samples, and of draws in each resample.

    n_bootstrap : int
        Number of resamples.

    block_length : int
        Number of consecutive samples that are drawn together. The first sample follows the last.

    rng : numpy.random.Generator
        Source of randomness.

    Yields
    ------
    index : int ndarray of shape (n_samples,)
        The samples of a resample.
    """
    n_blocks = -(-n_samples // block_length)
    within = np.arange(block_length)
    for _ in range(n_bootstrap):
        starts = rng.integers(n_samples, size=n_blocks)
        yield ((starts[:, None] + within) % n_samples).ravel()[:n_samples]


def interval(
    statistics: NDArray[np.float64], confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute a percentile interval.

    Parameters
    ----------
    statistics : ndarray of shape (n_bootstrap, ...)
        A statistic of each resample.

    confidence : float
        Coverage of the interval.

    Returns
    -------
    low, high : ndarrays of shape (...)
        The ends of the interval.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistics, [tail, 1 - tail], axis=0)
    return low, high
