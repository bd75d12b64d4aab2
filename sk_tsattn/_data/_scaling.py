"""Means and scales of features and targets, weighted, without copying what they are taken from."""

import numpy as np

# Values read at a time: 8 MB in double precision.
CHUNK_VALUES = 1_000_000


def moments(values, weight):
    """Compute the weighted mean and standard deviation of each feature.

    Parameters
    ----------
    values : ndarray of shape (n, ..., n_features)
        Rows, or windows whose steps share a weight. Read in pieces, so that a memory map stays
        one.

    weight : ndarray of shape (n,)
        Non-negative weights, not all zero. A weight of k counts as k copies.

    Returns
    -------
    mean, scale : ndarray of shape (n_features,), float64
        A constant feature has scale 1, so that it survives the division by it.
    """
    n_features = values.shape[-1]
    step = max(1, CHUNK_VALUES // max(1, int(np.prod(values.shape[1:]))))
    used = np.unique(np.flatnonzero(weight) // step) * step  # where pieces with a weight begin
    n_steps = int(np.prod(values.shape[1:-1]))
    total = weight.sum() * n_steps

    def average(transform):
        summed = np.zeros(n_features)
        for i in used:
            part = weight[i : i + step]
            rows = np.asarray(values[i : i + step][part > 0], dtype=np.float64)
            rows = rows.reshape(-1, n_features)
            summed += np.repeat(part[part > 0], n_steps) @ transform(rows)
        return summed / total

    # Measured from one of the rows, a constant feature is 0 throughout, however many are added up.
    first = values[np.flatnonzero(weight)[0]]
    origin = np.asarray(first, dtype=np.float64).reshape(-1, n_features)[0]
    mean = origin + average(lambda rows: rows - origin)
    scale = np.sqrt(average(lambda rows: (rows - mean) ** 2))
    # A feature that varies by less than its last digits is as good as constant.
    constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)
