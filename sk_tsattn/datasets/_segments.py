"""Segments of a window: runs of steps that begin at a step of their own in each sample."""

import numpy as np
from numpy.typing import NDArray

from ._inputs import Mask

Steps = NDArray[np.int_]


def steps_in_segment(starts: Steps, lengths: Steps, n_timesteps: int) -> tuple[Steps, Mask]:
    """Return the position of each step relative to the segment of its window, and whether inside.

    Parameters
    ----------
    starts, lengths : ndarray of int, of shape (n_samples,)
        First step of the segment of each window, and its number of steps.

    n_timesteps : int
        Length of a window.

    Returns
    -------
    positions : ndarray of int, of shape (n_samples, n_timesteps)
        Number of steps after the start of the segment; negative before it.
    inside : ndarray of bool, of shape (n_samples, n_timesteps)
        True at the steps of the segment.
    """
    positions = np.arange(n_timesteps) - starts[:, None]
    return positions, (positions >= 0) & (positions < lengths[:, None])
