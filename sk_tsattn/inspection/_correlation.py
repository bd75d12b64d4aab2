"""Correlation of attention with other attention, or with importance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Compute Pearson's correlation; NaN if one of them is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def without_rounding(attention: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return exactly uniform attention if it is uniform up to rounding, which has no order."""
    if np.ptp(attention) <= 1e-9 * attention.max():
        return np.full_like(attention, attention.mean())
    return attention
