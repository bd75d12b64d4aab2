"""Confidence intervals by resampling samples (Efron 1979), or blocks of them (Künsch 1989)."""

import numpy as np


def resamples(n_samples, n_bootstrap, block_length, rng):
    """Yield samples drawn with replacement, as index arrays of shape (n_samples,).

    Parameters
    ----------
    n_samples : int
        Samples to draw from, and to draw.

    n_bootstrap : int
        How many times.

    block_length : int
        Samples that are drawn together, one after the other; the last goes over into the first.

    rng : numpy.random.Generator
        Source of randomness.

    Yields
    ------
    index : ndarray of shape (n_samples,)
    """
    n_blocks = -(-n_samples // block_length)
    within = np.arange(block_length)
    for _ in range(n_bootstrap):
        starts = rng.integers(n_samples, size=n_blocks)
        yield ((starts[:, None] + within) % n_samples).ravel()[:n_samples]


def interval(draws, confidence):
    """Take the percentile interval of ``draws`` (n_bootstrap, …): low and high, each (…)."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high
