"""The training loss: weighted by sample, with the L0 penalty of open gates in its gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .._processes import average, n_processes
from ._loss_functions import LOSSES

# The penalty is in units of the loss, but of at least this fraction of the target's variance.
# Otherwise gates would cost nothing once the target is explained without error.
MIN_LOSS = 0.0001


class WeightedLoss(nn.Module):
    r"""Mean over the batch of each sample's loss times its weight.

    Weights have mean 1 over the data set, so that unit weights change nothing.

    Parameters
    ----------
    loss : nn.Module or None, default=None
        A loss function, see :mod:`._loss_functions`. None is the squared error.

    Shape
    -----
    outputs (B, P), target (B, O), penalty and weight (B,) -> scalar
    """

    def __init__(self, loss: nn.Module | None = None) -> None:
        super().__init__()
        self.loss: Any = LOSSES["squared_error"]() if loss is None else loss

    def forward(
        self, prediction: Tensor | tuple[Tensor, Tensor], target: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Compute the weighted loss of a batch.

        In training, a network may return a penalty (B,) with its prediction. The penalty is
        relative to the loss. It contributes to the gradient and not to the value, which stays the
        loss.
        """
        penalty = None
        if isinstance(prediction, tuple):
            prediction, penalty = prediction
        y, weight = target
        loss = (self.per_sample(prediction, y) * weight).mean()
        if penalty is None:
            return loss
        penalised: Tensor = _PenalisedLoss.apply(loss, penalty, weight)  # type: ignore[no-untyped-call] # torch's
        return penalised

    def per_sample(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Compute the loss of each sample, (B,)."""
        loss: Tensor = self.loss(outputs, y)
        return loss


class _PenalisedLoss(torch.autograd.Function):
    """Return the loss; its gradient is that of the loss times (1 + mean weighted penalty)."""

    @staticmethod
    def forward(ctx: Any, loss: Tensor, penalty: Tensor, weight: Tensor) -> Tensor:
        of_all = loss.clone()
        if n_processes() > 1:
            average([of_all], len(weight))
        ctx.save_for_backward(of_all, weight)
        return loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        loss, weight = ctx.saved_tensors
        return grad, weight * (grad * loss.clamp(min=MIN_LOSS) / len(weight)), None
