"""The hyperbolic tangent, as fast as the CPU can."""

from __future__ import annotations

from torch import Tensor


def tanh(x: Tensor) -> Tensor:
    """Return tanh(x), by a sigmoid; on some CPUs ``torch.tanh`` takes several times as long."""
    return (2 * x).sigmoid_().mul(2).sub_(1)
