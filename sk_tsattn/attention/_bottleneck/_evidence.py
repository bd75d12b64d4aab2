"""Evidence of a cell about its own gate: what opens a gate at whatever place an event happens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._padding import zero_padding
from ._gating_network import LOGIT_SCALE

# Units of the network of each feature.
UNITS = 16
# The evidence is averaged over at most this many steps on either side, and over at most a twelfth
# of the window.
MAX_RADIUS = 8
# Sigmoid of this is the first weight of a neighbouring step; the step itself has weight 1.
INITIAL_LOGIT = -3.0


class CellEvidence(nn.Module):
    r"""Compute the part of a gate's logit that depends on the gate's own cell.

    .. math:: e_{tf} = \sum_{|k| \le R} w_{kf}\, g_f(x_{t+k,f}), \qquad
        g_f(x) = \textstyle\sum_u v_{fu} \tanh(a_{fu} x + b_{fu})

    The network :math:`g_f` of a feature is common to all steps, so that an event is found wherever
    it happens. A gate that opens because of its own cell reveals nothing about other cells;
    therefore this evidence has no penalty, unlike the inputs of the :class:`GatingNetwork`.

    The weights :math:`w` average evidence over neighbouring steps, for what a single cell does not
    show, such as a low variance. They are positive, sum to 1 over the observed steps, and are
    greatest at the step itself, so that an event moves the gates of its own cells most. It moves
    those of its neighbours too: up to R steps away, a gate may reveal something about another cell
    without penalty, and :func:`~sk_tsattn.attention.gate_sensitivity` does not count it. In windows
    of fewer than 12 steps R is 0, and a gate sees its own cell only.

    :math:`v` is 0 at first: training finds gates that are common to all windows before it makes
    them depend on the window.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    by_step : bool, default=False
        Whether the gates are those of steps. The evidence of the features is then summed.

    **Shape**: X (B, T, F), mask (B, T) or None → (B, T, F), or (B, T, 1) by step.

    **Source**: this library's own.

    Examples
    --------
    >>> import torch
    >>> CellEvidence(10, 3)(torch.randn(4, 10, 3)).shape
    torch.Size([4, 10, 3])
    """

    def __init__(self, n_timesteps: int, n_features: int, *, by_step: bool = False) -> None:
        super().__init__()
        F = n_features
        self.by_step = by_step
        radius = min(MAX_RADIUS, n_timesteps // 12)  # R
        self.slope = nn.Parameter(torch.randn(F, UNITS))  # a
        self.shift = nn.Parameter(torch.randn(F, UNITS))  # b
        self.out = nn.Parameter(torch.zeros(F, UNITS))  # v
        self.neighbours: nn.Parameter | None = None
        if radius:
            initial = torch.full((radius, F), INITIAL_LOGIT / LOGIT_SCALE)
            self.neighbours = nn.Parameter(initial)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        B, T, F = X.shape
        # Σ v tanh(a x + b) = 2 Σ v σ(2 a x + 2 b) - Σ v. With all values of a feature in one row,
        # the products are matrix products, several times as fast as broadcast ones.
        series = X.permute(2, 0, 1).reshape(F, 1, B * T)
        inputs = torch.baddbmm(2 * self.shift[:, :, None], 2 * self.slope[:, :, None], series)
        evidence = 2 * self.out[:, None] @ inputs.sigmoid_()  # (F, 1, B T)
        evidence = evidence - self.out.sum(dim=1)[:, None, None]
        evidence = evidence.reshape(F, B, T).permute(1, 2, 0)  # g_f: (B, T, F)
        if self.neighbours is not None:
            side = torch.sigmoid(LOGIT_SCALE * self.neighbours)  # (R, F)
            weights = torch.cat([side.flip(0), torch.ones_like(side[:1]), side])  # (2 R + 1, F)
            observed = torch.ones_like(X[:1]) if mask is None else mask[:, :, None].expand_as(X)
            total = _convolve(observed.to(X.dtype), weights)
            evidence = _convolve(zero_padding(evidence, mask), weights) / total.clamp_min(1e-12)
        return evidence.sum(dim=2, keepdim=True) if self.by_step else evidence


def _convolve(values: Tensor, weights: Tensor) -> Tensor:
    """Sum (B, T, F) over neighbouring steps with weights (2 R + 1, F) of the features."""
    n_weights, F = weights.shape
    convolved = nn.functional.conv1d(
        values.transpose(1, 2), weights.t()[:, None], padding=n_weights // 2, groups=F
    )
    return convolved.transpose(1, 2)
