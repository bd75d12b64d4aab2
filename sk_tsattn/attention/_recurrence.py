"""Steps of a recurrence that needs a loop over time: an LSTM's update and additive scores.

Here the batch is the last axis, (units, B): every product is then matrix times matrix, and the
gates are contiguous slices. Both steps replace ``tanh(u)`` by ``2 σ(2u) - 1``, the same function
at a fraction of the cost; their callers double its arguments once, before the loop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lstm_linear(input_size: int, hidden_size: int) -> nn.Linear:
    """Return the layer ``W [x; h] + b`` of the gates i, f, g, o, initialised as in ``nn.LSTM``."""
    layer = nn.Linear(input_size + hidden_size, 4 * hidden_size)
    bound = hidden_size**-0.5
    nn.init.uniform_(layer.weight, -bound, bound)
    nn.init.uniform_(layer.bias, -bound, bound)
    return layer


def double_g(gates: Tensor) -> Tensor:
    """Double the rows of g among the gates i, f, g, o (4H, …) of a weight or bias."""
    n_units = gates.shape[0] // 4
    i_and_f, g, o = torch.split(gates, [2 * n_units, n_units, n_units])
    return torch.cat([i_and_f, 2 * g, o])


def lstm_update(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Compute one step of an LSTM, from its gates (4H, B) with g doubled and its cell state (H, B).

    ``c = f c + i tanh(g)`` and ``h = o tanh(c)``, with σ of the gates i, f and o.
    """
    i, f, half_g, o = gates.sigmoid_().chunk(4, dim=0)  # tanh(g) = 2 half_g - 1
    cell = (f * cell).sub_(i).addcmul_(i, half_g, value=2)
    return o * cell.tanh(), cell


def additive_logits(query: Tensor | None, keys: Tensor, value: Tensor) -> Tensor:
    """Compute scores of L items, ``vᵀ tanh(q + k)`` up to a constant, from doubled q, k and v.

    q is (S, B), or None for zeros, k (S, L, B), v (1, S), and the result (L, B). The constant
    ``-Σ v`` is the same for all items and cancels in the softmax that follows.
    """
    units = keys.sigmoid() if query is None else (query[:, None] + keys).sigmoid_()  # (S, L, B)
    _, L, B = units.shape
    return torch.mm(value, units.flatten(1)).view(L, B)
