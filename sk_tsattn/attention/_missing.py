"""Attention of windows with missing cells: it belongs to the cells that were observed."""

from __future__ import annotations

import torch
from torch import Tensor

from .._data._missing import source_steps
from ._kinds import GATE_ATTRIBUTES
from ._normalize import attention_of_mode

# The kind of weights that defines the others of its mode, and the mode.
MODES = {"cell": "both", "time": "time", "feature": "feature"}


def attention_of_observed(weights: dict[str, Tensor], observed: Tensor) -> dict[str, Tensor]:
    """Move the weights of missing cells to the cells whose values they repeat.

    A network reads a missing cell as a copy of the newest earlier value of its feature, so that
    attention on the copy is attention on that value. Gates and their sensitivity become the
    maximum over the copies. A step is missing if all its cells are, and so is a feature; the weight
    of a feature without any value is dropped.

    Parameters
    ----------
    weights : dict of Tensor
        As a network's ``attend`` returns them.
    observed : Tensor of bool of shape (B, T, F)
        False at missing cells and padding.

    Returns
    -------
    weights : dict of Tensor
        The same kinds: exactly 0 where nothing was observed, otherwise of sum 1. If no observed
        cell has a weight, they are uniform over the observed cells; they are all 0 if there is
        none.
    """
    own = next(kind for kind in MODES if kind in weights)
    if own == "time":
        observed = observed.any(dim=2, keepdim=True)  # (B, T, 1)
    elif own == "feature":
        observed = observed.any(dim=1, keepdim=True)  # (B, 1, F)
    source = source_steps(observed).clamp_min(0)

    def moved(kind: str, reduce: str) -> Tensor:
        given = weights[kind].reshape(observed.shape)
        collected = torch.zeros_like(given).scatter_reduce(1, source, given, reduce)
        return collected.masked_fill(~observed, 0.0)

    attention = moved(own, "sum")
    is_zero = attention.sum(dim=(1, 2), keepdim=True) == 0
    attention = torch.where(is_zero, observed.to(attention.dtype), attention)
    total = attention.sum(dim=(1, 2), keepdim=True)
    attention = attention / total.clamp_min(torch.finfo(attention.dtype).tiny)
    gates = {
        kind: moved(kind, "amax").reshape(weights[kind].shape)
        for kind in weights
        if kind in GATE_ATTRIBUTES
    }
    return attention_of_mode(attention, MODES[own]) | gates
