"""Left padding: windows with fewer observed steps than others, in one batch.

A ``mask`` (B, T) is True where a step was observed. Padding lies at the old end only, so the
newest step, index T-1, is always observed. With ``mask=None`` all steps are observed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ._uniform import override_logits

# Of fewer numbers in the last axis, torch's softmax takes five times as long on CPUs as its parts:
# it computes a whole vector register for them.
FEW_ITEMS = 16


def zero_padding(X: Tensor, mask: Tensor | None) -> Tensor:
    """Set the padded steps of ``X`` (B, T, F) to zero, even if they are NaN."""
    return X if mask is None else X.masked_fill(~mask[:, :, None], 0.0)


def masked_softmax(logits: Tensor, mask: Tensor | None, dim: int) -> Tensor:
    """Return the softmax over the observed items; padded items get exactly zero.

    Every softmax of attention uses this function, so that ``uniform_attention`` affects all.
    """
    logits = override_logits(logits)
    if mask is not None:
        logits = logits.masked_fill(~mask, -torch.inf)
    if dim < logits.ndim - 1 or logits.shape[dim] >= FEW_ITEMS:
        return logits.softmax(dim=dim)
    weights = (logits - logits.amax(dim=dim, keepdim=True).detach()).exp()
    return weights / weights.sum(dim=dim, keepdim=True)


def n_observed(X: Tensor, mask: Tensor | None) -> Tensor | int:
    """Return the number of observed steps: T, or one number per sample, (B, 1, 1)."""
    return X.shape[1] if mask is None else mask.sum(dim=1)[:, None, None]


def masked_mean(X: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of (B, T, K) over the observed steps, (B, 1, K)."""
    return zero_padding(X, mask).sum(dim=1, keepdim=True) / n_observed(X, mask)


def observed_first(X: Tensor, mask: Tensor) -> Tensor:
    """Roll every window (B, T, K) so that its observed steps come first, padding last."""
    return _roll(X, -(~mask).sum(dim=1))


def newest_last(X: Tensor, mask: Tensor) -> Tensor:
    """Undo :func:`observed_first`: padding first, the newest step at index T-1."""
    return _roll(X, (~mask).sum(dim=1))


def _roll(X: Tensor, shifts: Tensor) -> Tensor:
    """Roll each sample of (B, T, K) along time by its own number of steps."""
    _, T, K = X.shape
    steps = torch.arange(T, device=X.device)  # (T,)
    index = (steps[None, :] - shifts[:, None]) % T  # (B, T)
    return X.gather(1, index[:, :, None].expand(-1, -1, K))
