"""Evidence of a cell about its own gate: what opens a gate at whatever place an event happens."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ._gating_network import LOGIT_SCALE

# Units of the network of each feature.
UNITS = 16
# The evidence is averaged over at most this many steps on either side, and over at most a twelfth
# of the window.
MAX_RADIUS = 8
# Units of all features that are computed at a time.
MAX_UNITS = 2**18
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

    **Shape**: X (B, T, F), mask (B, T) or None → (B, T, F), or (B, T, 1) by step. With
    ``features``, the numbers of some features, X has these alone.

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

    def forward(
        self, X: Tensor, mask: Tensor | None = None, features: Tensor | None = None
    ) -> Tensor:
        if torch.is_autocast_enabled(X.device.type):
            with torch.autocast(X.device.type, enabled=False):
                return self.forward(X, mask, features)
        units: tuple[Tensor, ...] = self.slope, self.shift, self.out
        neighbours: Tensor | None = self.neighbours
        if features is not None:
            units = tuple(of_feature[features] for of_feature in units)
            neighbours = None if neighbours is None else neighbours[:, features]
        B, T, F = X.shape
        # With all values of a feature in one row, the products are matrix products.
        series = X.permute(2, 0, 1).contiguous().view(F, 1, B * T)
        # torch does not annotate Function.apply.
        evidence: Tensor = _FeatureNetworks.apply(series, *units)  # type: ignore[no-untyped-call]
        evidence = evidence.view(F, B, T)
        if neighbours is not None:
            side = torch.sigmoid(LOGIT_SCALE * neighbours).t()  # (F, R)
            observed = torch.ones_like(evidence[:, :1])
            if mask is not None:
                observed = observed * mask
                evidence = evidence * mask
            total = _Smooth.apply(observed, side)  # type: ignore[no-untyped-call]
            evidence = _Smooth.apply(evidence, side) / total.clamp_min(1e-12)  # type: ignore[no-untyped-call]
        evidence = _AsCells.apply(evidence)  # type: ignore[no-untyped-call]
        return evidence.sum(dim=2, keepdim=True) if self.by_step else evidence


class _FeatureNetworks(torch.autograd.Function):
    """Compute g_f (F, 1, N) of N values x of each feature (F, 1, N); a, b and v are (F, U).

    Σ v tanh(a x + b) = 2 Σ v σ(2 a x + 2 b) - Σ v. There are U times as many units as values. They
    are computed for a part of the values at a time, and again for the gradient: fresh memory for
    all of them would take several times as long as the computation.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor, shift: Tensor, out: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope, shift, out)
        evidence = torch.empty_like(x)
        for part in _parts(x, out):
            evidence[part] = 2 * out[:, None] @ _units(x[part], slope, shift)
        return evidence.sub_(out.sum(dim=1)[:, None, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor]:
        x, slope, shift, out = ctx.saved_tensors
        d_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        d_out, d_inner = out.new_zeros(*out.shape, 1), out.new_zeros(*out.shape, 2)
        for part in _parts(x, out):
            units, g = _units(x[part], slope, shift), grad[part]
            d_out += units @ g.transpose(1, 2)
            change = torch.addcmul(units, units, units, value=-1)  # σ (1 - σ)
            d_inner += change @ torch.cat([g * x[part], g], dim=1).transpose(1, 2)
            if d_x is not None:
                d_x[part] = 4 * g * ((out * slope)[:, None] @ change)
        d_slope, d_shift = (4 * out[:, :, None] * d_inner).unbind(dim=2)
        return d_x, d_slope, d_shift, 2 * d_out[:, :, 0] - grad.sum(dim=2)


def _units(x: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
    """Return σ(2 a x + 2 b), (F, U, n)."""
    return torch.baddbmm(2 * shift[:, :, None], 2 * slope[:, :, None], x).sigmoid_()


def _parts(x: Tensor, out: Tensor) -> list[Any]:
    """Return indices of parts of the values with at most so many units that they fit in a cache."""
    if torch.compiler.is_compiling():  # an exported graph has one part for any number of values
        return [(...,)]
    n = max(1, MAX_UNITS // out.numel())
    return [(..., slice(first, first + n)) for first in range(0, x.shape[2], n)]


class _Smooth(torch.autograd.Function):
    """Sum values (F, B, T) over steps up to R away, with weights (F, R), and 1 for the own step.

    A convolution whose gradient is the same convolution. That of torch takes several times as long
    for one channel a group.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, side: Tensor) -> Tensor:
        ctx.save_for_backward(values, side)
        return _smooth(values, side)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor]:
        values, side = ctx.saved_tensors
        d_values = _smooth(grad, side) if ctx.needs_input_grad[0] else None
        d_side = [
            (grad[..., k:] * values[..., :-k]).sum(dim=(1, 2))
            + (grad[..., :-k] * values[..., k:]).sum(dim=(1, 2))
            for k in range(1, side.shape[1] + 1)
        ]
        return d_values, torch.stack(d_side, dim=1)


class _AsCells(torch.autograd.Function):
    """Lay (F, B, T) out as cells (B, T, F), and the gradient back; all that follows is faster."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.permute(1, 2, 0).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.permute(2, 0, 1).contiguous()


def _smooth(values: Tensor, side: Tensor) -> Tensor:
    smooth = values.clone()
    for k, weight in enumerate(side[:, :, None, None].unbind(dim=1), start=1):
        smooth[..., k:].addcmul_(values[..., :-k], weight)
        smooth[..., :-k].addcmul_(values[..., k:], weight)
    return smooth
