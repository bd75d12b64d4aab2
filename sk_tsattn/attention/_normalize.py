"""Normalise the weights of a mechanism to distributions over cells, steps and features."""

from __future__ import annotations

import torch
from torch import Tensor

from ._kinds import ATTENTION_KINDS
from ._padding import zero_padding


def cell_attention(weights: Tensor, mask: Tensor | None = None) -> Tensor:
    """Normalise non-negative ``weights`` (B, T, F) to a distribution over the observed cells.

    A weight of 0 stays exactly 0. A window whose weights are all 0 gets uniform attention.
    """
    weights = zero_padding(weights, mask)
    total = weights.sum(dim=(1, 2), keepdim=True)  # (B, 1, 1)
    weights = torch.where(total > 0, weights, zero_padding(torch.ones_like(weights), mask))
    return weights / weights.sum(dim=(1, 2), keepdim=True)  # (B, T, F)


def attention_of_mode(cell: Tensor, attention_mode: str) -> dict[str, Tensor]:
    """Return the marginals of ``cell`` (B, T, F) that a mode defines.

    ``"time"``: {"time": (B, T)}. ``"feature"``: {"feature": (B, F)}. ``"both"``: these two and
    {"cell": (B, T, F)}.
    """
    marginals = {"time": cell.sum(dim=2), "feature": cell.sum(dim=1), "cell": cell}
    return {
        kind: marginals[kind]
        for kind, (_, modes) in ATTENTION_KINDS.items()
        if attention_mode in modes
    }
