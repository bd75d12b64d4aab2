"""Missing cells: each repeats the newest earlier value of its feature in the window.

A missing cell is NaN. Networks get windows without NaN, and a mask of the steps that are padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def fill_missing(X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """Fill the missing cells of standardised windows.

    A cell without an earlier value in its window becomes 0, the mean of its feature. Steps before
    the first observed cell are padding, as those of a short window are. The newest step never is.

    Parameters
    ----------
    X : Tensor of shape (B, T, F)
        Windows, with NaN at missing cells.
    mask : Tensor of bool of shape (B, T) or None, default=None
        False at the steps that a short window lacks.

    Returns
    -------
    X : Tensor of shape (B, T, F)
        Windows without NaN.
    mask : Tensor of bool of shape (B, T) or None
        False at padding; None if there is none.
    """
    observed = observed_cells(X, mask)
    if observed is None:
        return X, mask
    X, is_begun = fill_unobserved(X, observed)
    return X, None if bool(is_begun.all()) else is_begun


def fill_unobserved(X: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
    """Fill the cells that are not observed; return the windows and the mask of their steps."""
    X = X.masked_fill(~observed, 0.0).gather(1, source_steps(observed).clamp_min(0))
    is_begun = observed.any(dim=2).cumsum(dim=1) > 0
    newest = torch.arange(X.shape[1], device=X.device) == X.shape[1] - 1
    return X, is_begun | newest


def observed_cells(X: Tensor, mask: Tensor | None = None) -> Tensor | None:
    """Return which cells (B, T, F) hold a value; None if no cell is NaN."""
    missing = X.isnan()
    if not bool(missing.any()):
        return None
    return ~missing if mask is None else ~missing & mask[:, :, None]


def source_steps(observed: Tensor) -> Tensor:
    """Return the step whose value each cell (B, T, F) holds or repeats; -1 if there is none."""
    n_steps = observed.shape[1]
    steps = torch.arange(n_steps, device=observed.device)[:, None]
    newest = torch.where(observed, steps, -1)
    for power in range((n_steps - 1).bit_length()):  # the maximum over 1, 2, 4, ... steps
        earlier = nn.functional.pad(newest, (0, 0, 2**power, 0), value=-1)[:, :n_steps]
        newest = torch.maximum(newest, earlier)  # exports, unlike cummax
    return newest
