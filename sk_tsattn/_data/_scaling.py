"""Standardisation of features and targets, with weighted moments read in pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Values read at a time: 8 MB in double precision.
CHUNK_VALUES = 1_000_000


@dataclass(frozen=True)
class Standardizer:
    """Scale columns to mean 0 and standard deviation 1, as StandardScaler does for rows.

    Parameters
    ----------
    mean, scale : ndarray of shape (n_columns,) or float
        Subtracted from each column, which is then divided by the scale. The default is the
        identity.
    """

    mean: NDArray[np.float64] | float = 0.0
    scale: NDArray[np.float64] | float = 1.0

    @classmethod
    def fit(cls, values: NDArray[Any], weight: NDArray[np.float64]) -> Standardizer:
        """Compute the scaling from data; see :func:`moments` for the arguments."""
        return cls(*moments(values, weight))

    def transform(self, values: NDArray[Any]) -> NDArray[Any]:
        """Standardise ``values`` of shape (..., n_columns), in the precision of the data.

        Single precision would lose the small changes of a large value, such as a pressure in Pa.
        """
        scaled: NDArray[Any] = (values - self.mean) / self.scale
        return scaled

    def inverse_transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return standardised ``values`` of shape (..., n_columns) in their own units."""
        return values * self.scale + self.mean


def moments(
    values: NDArray[Any], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute the weighted mean and standard deviation of each column.

    Parameters
    ----------
    values : ndarray of shape (n, ..., n_columns)
        Rows, or windows whose steps have one weight. Read in pieces: a memory map is never loaded
        as a whole.

    weight : ndarray of shape (n,)
        Non-negative weights, not all zero. A weight of k counts as k copies.

    Returns
    -------
    mean, scale : ndarray of shape (n_columns,), float64
        A constant column has scale 1.
    """
    n_columns = values.shape[-1]
    step = max(1, CHUNK_VALUES // max(1, int(np.prod(values.shape[1:]))))
    used = np.unique(np.flatnonzero(weight) // step) * step  # start of each piece with a weight
    n_steps = int(np.prod(values.shape[1:-1]))
    total = weight.sum() * n_steps

    def average(
        transform: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> NDArray[np.float64]:
        summed = np.zeros(n_columns)
        for i in used:
            part = weight[i : i + step]
            rows = np.asarray(values[i : i + step][part > 0], dtype=np.float64)
            rows = rows.reshape(-1, n_columns)
            summed += np.repeat(part[part > 0], n_steps) @ transform(rows)
        averaged: NDArray[np.float64] = summed / total
        return averaged

    # Measured from one of the rows, a constant column is 0 throughout, whatever the rounding.
    first = values[np.flatnonzero(weight)[0]]
    origin = np.asarray(first, dtype=np.float64).reshape(-1, n_columns)[0]
    mean = origin + average(lambda rows: rows - origin)
    scale = np.sqrt(average(lambda rows: (rows - mean) ** 2))
    # A column that varies by less than its last digits counts as constant.
    constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where(constant, 1.0, scale)
