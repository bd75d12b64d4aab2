"""Hard concrete gates: sampled in training, exactly 0 or 1 with some probability.

The equations are those of Louizos, Welling and Kingma 2018, section 4: a sigmoid, stretched beyond
[0, 1] and clipped.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..._random import generator

TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
# P(gate > 0) = sigmoid(logit - SHIFT), eq. 12.
SHIFT = TEMPERATURE * math.log(-LOW / HIGH)


def median(logits: Tensor, bound: float) -> Tensor:
    """Return the median of the distribution of each gate, which is its value without noise.

    A gate that is sampled closed more often than open is exactly 0. Louizos et al. (eq. 13) leave
    the temperature out; many closed gates would then stay open by about 0.01.
    """
    return _stretch(torch.sigmoid(logits.clamp(-bound, bound) / TEMPERATURE)).clamp(0.0, 1.0)


def sample(logits: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Sample gates and compute their L0 penalty.

    The penalty of a gate is softplus(logit - SHIFT), divided by its maximum. It decreases with
    P(gate > 0), and unlike that its slope does not vanish while the gate is open.

    Parameters
    ----------
    logits : Tensor of shape (..., T, F)
    bound : float
        Logits are clipped to [-bound, bound]. A logit beyond a bound has the gradient of projected
        gradient descent.

    Returns
    -------
    gates : Tensor of shape (..., T, F)
        In [0, 1].
    penalty : Tensor of shape (...)
        Summed over T and F.
    """
    # torch does not annotate Function.apply.
    clipped: Tensor = _Project.apply(logits, bound)  # type: ignore[no-untyped-call]
    noise = torch.empty_like(logits).uniform_(generator=generator(logits.device)).logit_(1e-6)
    gates = _stretch(torch.sigmoid((clipped + noise) / TEMPERATURE)).clamp(0.0, 1.0)  # eq. 10
    penalty = nn.functional.softplus(clipped - SHIFT).sum(dim=(-2, -1))
    return gates, penalty / math.log1p(math.exp(bound - SHIFT))


class _Project(torch.autograd.Function):
    """Clip logits to [-bound, bound], with the gradient of projected gradient descent.

    Beyond a bound the gradient is zero where a step would move a logit further out, and kept where
    a step moves it back. That of a clamp is zero in both cases, so that a logit could not return.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, bound: float) -> Tensor:
        clipped = logits.clamp(-bound, bound)
        ctx.save_for_backward(logits - clipped)
        return clipped

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (excess,) = ctx.saved_tensors
        return grad * (excess * grad >= 0), None


def _stretch(concrete: Tensor) -> Tensor:
    """Stretch (0, 1) to (LOW, HIGH), eq. 11."""
    return concrete * (HIGH - LOW) + LOW
