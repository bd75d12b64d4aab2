"""Steps of a recurrence that has to be a loop: an LSTM's update and additive scores.

Here the batch is the last axis, (units, B): every product is then matrix times matrix, and the
gates are contiguous slices.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lstm_linear(input_size: int, hidden_size: int) -> nn.Linear:
    """``W [x; h] + b`` for the gates i, f, g, o, initialised as ``nn.LSTM`` does."""
    layer = nn.Linear(input_size + hidden_size, 4 * hidden_size)
    bound = hidden_size**-0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.uniform_(layer.bias, -bound, bound)
    return layer


def lstm_update(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """One LSTM step from ``W [x; h] + b`` (4H, B) and the cell state (H, B), eq. 3 to 7."""
    i, f, g, o = gates.chunk(4, dim=0)
    cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()  # eq. 6
    return o.sigmoid() * cell.tanh(), cell  # eq. 7


def additive_logits(query: Tensor, keys: Tensor, value: Tensor) -> Tensor:
    """Score L items, ``vᵀ tanh(q + k)`` up to a constant, from **twice** q (S, B) and k (S, L, B).

    ``tanh(u) = 2 σ(2u) - 1``, so the logits are ``2 vᵀ σ(2q + 2k) - Σ v``. The constant is the same
    for all items and cancels in the softmax that follows. σ costs a fraction of what tanh does.
    """
    units = (query[:, None] + keys).sigmoid_()  # (S, L, B)
    _, L, B = units.shape
    return torch.mm(2 * value, units.flatten(1)).view(L, B)
