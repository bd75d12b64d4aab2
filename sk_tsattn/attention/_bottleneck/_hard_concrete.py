"""Gates that are drawn in training, exactly 0 or 1 with some probability; with their gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Hard concrete gates (Louizos, Welling and Kingma 2018, section 4): a stretched sigmoid, clipped,
# so that a gate is exactly 0 or 1 with some probability.
TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
# P(gate > 0) = sigmoid(logit - SHIFT), their eq. 12.
SHIFT = TEMPERATURE * math.log(-LOW / HIGH)
# What autograd calls for the operations of these names.
hardtanh_backward = torch.ops.aten.hardtanh_backward.default
sigmoid_backward = torch.ops.aten.sigmoid_backward.default


def median(logits: Tensor, bound: float) -> Tensor:
    """Give the median of the gates that would be drawn: that without noise.

    One that is drawn closed more often than not is closed. Louizos et al. (2018, eq. 13) leave out
    the temperature too; many a gate that learning has closed would stay open by a hundredth.
    """
    return _stretched(torch.sigmoid(logits.clamp(-bound, bound) / TEMPERATURE)).clamp(0.0, 1.0)


def sample(logits: Tensor, bound: float) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Draw gates around their logits (..., T, F), and say what they cost, (...).

    The cost is the sum of softplus(logit - SHIFT), in units of its greatest value. It falls with
    P(gate > 0) but, other than that, keeps its slope while a gate is open.

    Gives what :func:`sample_backward` needs, too.
    """
    bounded = logits.clamp(-bound, bound)
    noise = torch.rand_like(logits).logit_(1e-6)
    share = noise.add_(bounded).mul_(1 / TEMPERATURE).sigmoid_()  # eq. 10
    stretched = _stretched(share)
    closed = (SHIFT - bounded).sigmoid_()  # P(gate = 0); softplus(x) = -log(sigmoid(-x))
    cost = closed.log().sum(dim=(-2, -1)).mul_(-_unit(bound))
    return stretched.clamp(0.0, 1.0), cost, (logits, bounded, share, stretched, closed)


def sample_backward(
    drawn: tuple[Tensor, ...], bound: float, of_gates: Tensor, of_cost: Tensor
) -> Tensor:
    """Give the gradient of the logits for those of the gates (..., T, F) and of their cost (...).

    At the bounds it is that of projected gradient descent: one that would push a logit further out
    is dropped, and one that brings it back is kept. That of a clamp would drop both.
    """
    logits, bounded, share, stretched, closed = drawn
    grad = sigmoid_backward(hardtanh_backward(of_gates, stretched, 0.0, 1.0), share)
    of_cost = (of_cost * _unit(bound))[..., None, None]
    priced = torch.addcmul(of_cost, of_cost, closed, value=-1)
    grad = priced.add_(grad, alpha=(HIGH - LOW) / TEMPERATURE)
    inwards = (logits - bounded).mul_(grad).sign_()  # -1 where a step would lead further out
    return grad.mul_(inwards.add_(1.0).clamp_(max=1.0))


def _stretched(share: Tensor) -> Tensor:
    """Stretch (0, 1) to (LOW, HIGH), as eq. 11 does."""
    return share.mul(HIGH - LOW).add_(LOW)


def _unit(bound: float) -> float:
    return 1 / math.log1p(math.exp(bound - SHIFT))
