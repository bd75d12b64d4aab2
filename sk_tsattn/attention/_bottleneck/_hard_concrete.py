"""Hard concrete gates: sampled in training, exactly 0 or 1 with some probability.

The equations are those of Louizos, Welling and Kingma 2018, section 4: a sigmoid, stretched beyond
[0, 1] and clipped.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..._random import generator

TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
# P(gate > 0) = sigmoid(logit - SHIFT), eq. 12.
SHIFT = TEMPERATURE * math.log(-LOW / HIGH)
# The operations that autograd calls for the derivatives of these functions.
hardtanh_backward = torch.ops.aten.hardtanh_backward.default
sigmoid_backward = torch.ops.aten.sigmoid_backward.default


def median(logits: Tensor, bound: float) -> Tensor:
    """Return the median of the distribution of each gate, which is its value without noise.

    A gate that is sampled closed more often than open is exactly 0. Louizos et al. (eq. 13) leave
    the temperature out; many closed gates would then stay open by about 0.01.
    """
    return _stretch(torch.sigmoid(logits.clamp(-bound, bound) / TEMPERATURE)).clamp(0.0, 1.0)


def sample(logits: Tensor, bound: float) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Sample gates and compute their L0 penalty.

    The penalty of a gate is softplus(logit - SHIFT), divided by its maximum. It decreases with
    P(gate > 0), and unlike that its slope does not vanish while the gate is open.

    Parameters
    ----------
    logits : Tensor of shape (..., T, F)
    bound : float
        Logits are clipped to [-bound, bound].

    Returns
    -------
    gates : Tensor of shape (..., T, F)
        In [0, 1].
    penalty : Tensor of shape (...)
        Summed over T and F.
    saved : tuple of Tensor
        What :func:`sample_backward` needs.
    """
    clipped = logits.clamp(-bound, bound)
    noise = torch.empty_like(logits).uniform_(generator=generator(logits.device)).logit_(1e-6)
    concrete = noise.add_(clipped).mul_(1 / TEMPERATURE).sigmoid_()  # eq. 10
    stretched = _stretch(concrete)
    p_closed = (SHIFT - clipped).sigmoid_()  # P(gate = 0); softplus(x) = -log(sigmoid(-x))
    penalty = p_closed.log().sum(dim=(-2, -1)).mul_(-_unit(bound))
    return stretched.clamp(0.0, 1.0), penalty, (logits, clipped, concrete, stretched, p_closed)


def sample_backward(
    saved: tuple[Tensor, ...], bound: float, grad_gates: Tensor, grad_penalty: Tensor
) -> Tensor:
    """Return the gradient with respect to the logits, from those of the results of :func:`sample`.

    At the bounds it is the gradient of projected gradient descent: zero where a step would move a
    logit further out, and kept where a step moves it back. The gradient of a clamp is zero in
    both cases, so that a logit could not return.

    Parameters
    ----------
    saved : tuple of Tensor
        The third result of :func:`sample`.
    bound : float
        The bound given to :func:`sample`.
    grad_gates : Tensor of shape (..., T, F)
    grad_penalty : Tensor of shape (...)

    Returns
    -------
    grad_logits : Tensor of shape (..., T, F)
    """
    logits, clipped, concrete, stretched, p_closed = saved
    grad: Tensor = sigmoid_backward(hardtanh_backward(grad_gates, stretched, 0.0, 1.0), concrete)
    grad_penalty = (grad_penalty * _unit(bound))[..., None, None]
    total = torch.addcmul(grad_penalty, grad_penalty, p_closed, value=-1)
    total = total.add_(grad, alpha=(HIGH - LOW) / TEMPERATURE)
    outwards = (logits - clipped).mul_(total).sign_()  # -1 where a step would lead further out
    return total.mul_(outwards.add_(1.0).clamp_(max=1.0))


def _stretch(concrete: Tensor) -> Tensor:
    """Stretch (0, 1) to (LOW, HIGH), eq. 11."""
    return concrete.mul(HIGH - LOW).add_(LOW)


def _unit(bound: float) -> float:
    """Return the reciprocal of the penalty of a gate whose logit is at the upper bound."""
    return 1 / math.log1p(math.exp(bound - SHIFT))
