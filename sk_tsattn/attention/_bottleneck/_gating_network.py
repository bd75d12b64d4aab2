"""The gating network: logits of a window's gates, computed from the window; explicit gradients.

The gradients are those that autograd computes. For tensors this small the overhead of autograd's
single operations is greater than their arithmetic: without it a training step is 10 % shorter.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from .._padding import masked_mean, n_observed, zero_padding

# Logits are this multiple of what the weights give, so that gates move faster than other weights.
LOGIT_SCALE = 5.0
# The inputs are multiplied by this, for sharp decisions.
INPUT_SCALE = 8.0
# Units of the first layer for each of three steps: the one before, the step itself, the next.
UNITS_PER_STEP = 6
# The operation that autograd calls for the derivative of tanh.
tanh_backward = torch.ops.aten.tanh_backward.default


class GatingNetwork(nn.Module):
    r"""Compute logits of the gates of a window from the gated inputs :math:`\tilde x`.

    .. math::
        \ell_t &= 5\,(b_t + W \tanh(c_t + A \textstyle\sum_s \tanh(c_s) \odot p_s
                  + 8 N \tilde x_T)) \\
        c_t &= 8\,[L_1 \tilde x_{t-1};\; L_2 \tilde x_t;\; L_3 \tilde x_{t+1}] + q_t

    A unit of :math:`c_t` sees one step. A unit that saw two could open the gate of an irrelevant
    cell in proportion to its neighbour's value, and so transmit that value through a gate.
    :math:`W` is 0 at first: training finds gates that are common to all windows before it makes
    them depend on the window.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    n_outputs : int
        G, the gates of a step.
    over_time : bool
        Whether each step has gates of its own. Otherwise the mean of the outer tanh over the
        steps gives one set of gates.

    **Shape**: :math:`\tilde x` (B, T, F), mask (B, T) or None, bias :math:`b` (T, G) or (1, G) →
    logits (B, T, G) or (B, 1, G). Inside, K is the number of units.

    Examples
    --------
    >>> import torch
    >>> network = GatingNetwork(10, 3, 3, over_time=True)
    >>> network(torch.randn(4, 10, 3), None, torch.zeros(10, 3)).shape
    torch.Size([4, 10, 3])
    """

    def __init__(
        self, n_timesteps: int, n_features: int, n_outputs: int, *, over_time: bool
    ) -> None:
        super().__init__()
        T, F, K = n_timesteps, n_features, 3 * UNITS_PER_STEP
        self.over_time = over_time
        self.local = nn.Linear(F, K, bias=False)  # L
        self.newest = nn.Linear(F, K, bias=False)  # N
        self.position = nn.Parameter(torch.randn(T, K) * 0.1)  # q
        self.pool = nn.Parameter(torch.randn(T, K) / T**0.5)  # p
        self.context = nn.Linear(K, K, bias=False)  # A
        self.out = nn.Linear(K, n_outputs, bias=False)  # W
        with torch.no_grad():
            self.local.weight /= (3 * INPUT_SCALE) ** 0.5
            self.newest.weight /= INPUT_SCALE
        nn.init.zeros_(self.out.weight)

    def forward(self, X: Tensor, mask: Tensor | None, bias: Tensor) -> Tensor:
        if self.training:
            # torch does not annotate Function.apply.
            logits: Tensor = _Logits.apply(self, X, mask, bias, *self.parameters())  # type: ignore[no-untyped-call]
            return logits
        return self.logits(self.layers(X, mask)[-1], mask, bias)

    def layers(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the inner tanh (B, T, K), its weighted sum (B, K) and the outer tanh (B, T, K)."""
        preactivation = self.preactivation(X)
        inner = tanh(preactivation)
        pooled = self.pooled(inner, mask)
        return inner, pooled, self.outer(preactivation, pooled, X[:, -1])

    def preactivation(self, X: Tensor, steps: slice = slice(None)) -> Tensor:
        """Return c (B, n, K) of a slice of n steps, for inputs of all steps (B, T, F)."""
        first, last, _ = steps.indices(X.shape[1])
        projected = X[:, max(0, first - 1) : last + 1] @ self.local.weight.T
        preactivation = self.position[steps].expand(X.shape[0], -1, -1).clone()
        for units, inputs in _neighbours(preactivation, projected, int(first > 0)):
            units.add_(inputs, alpha=INPUT_SCALE)
        return preactivation

    def pooled(self, inner: Tensor, mask: Tensor | None, steps: slice = slice(None)) -> Tensor:
        """Sum the inner tanh times p over a slice of the steps: (B, K)."""
        weighted = inner * self.pool[steps]
        return zero_padding(weighted, None if mask is None else mask[:, steps]).sum(dim=1)

    def outer(self, preactivation: Tensor, pooled: Tensor, newest: Tensor) -> Tensor:
        """Return the outer tanh (B, T, K), from c, the pooled inner tanh and the newest step."""
        context = pooled @ self.context.weight.T  # (B, K)
        context = context.add(newest @ self.newest.weight.T, alpha=INPUT_SCALE)
        return tanh(preactivation + context[:, None])

    def logits(self, outer: Tensor, mask: Tensor | None, bias: Tensor) -> Tensor:
        """Return the logits for the outer tanh."""
        if not self.over_time:
            outer = masked_mean(outer, mask)  # (B, 1, K)
        return (outer @ self.out.weight.T).add_(bias).mul_(LOGIT_SCALE)

    def gradients(
        self,
        X: Tensor,
        mask: Tensor | None,
        layers: tuple[Tensor, Tensor, Tensor],
        grad_logits: Tensor,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return the gradients of X, of the bias, and of all parameters in their order."""
        inner, pooled, outer = layers
        grad = LOGIT_SCALE * grad_logits
        if self.over_time:
            grad_out = _outer_products(grad, outer)
            grad_outer = grad @ self.out.weight
        else:
            grad_out = _outer_products(grad, masked_mean(outer, mask))
            grad_mean = (grad @ self.out.weight) / n_observed(X, mask)
            grad_outer = zero_padding(grad_mean.expand_as(outer), mask)
        grad_preactivation: Tensor = tanh_backward(grad_outer, outer)
        grad_sum = grad_preactivation.sum(dim=1)  # (B, K)
        grad_context = grad_sum.T @ pooled
        grad_pooled = (grad_sum @ self.context.weight)[:, None]
        grad_sum *= INPUT_SCALE
        grad_newest = grad_sum.T @ X[:, -1]
        grad_newest_step = grad_sum @ self.newest.weight
        grad_pool = zero_padding(grad_pooled * inner, mask).sum(dim=0)
        grad_preactivation += tanh_backward(zero_padding(grad_pooled * self.pool, mask), inner)
        grad_projected = torch.zeros_like(grad_preactivation)
        for grad_units, grad_inputs in _neighbours(grad_preactivation, grad_projected, 0):
            grad_inputs.add_(grad_units, alpha=INPUT_SCALE)
        grad_X = grad_projected @ self.local.weight
        grad_X[:, -1] += grad_newest_step
        grad_position = grad_preactivation.sum(dim=0)
        grad_local = _outer_products(grad_projected, X)
        grad_weights = grad_position, grad_pool, grad_local, grad_newest, grad_context, grad_out
        return grad_X, grad.sum(dim=0), grad_weights


class _Context(FunctionCtx):
    """What :class:`_Logits` keeps from forward to backward."""

    network: GatingNetwork
    saved_tensors: tuple[Tensor, ...]


class _Logits(torch.autograd.Function):
    """The logits of a gating network, with their explicit gradients."""

    @staticmethod
    def forward(
        ctx: _Context,
        network: GatingNetwork,
        X: Tensor,
        mask: Tensor | None,
        bias: Tensor,
        *weights: Tensor,
    ) -> Tensor:
        layers = network.layers(X, mask)
        ctx.network = network
        # The weights too, so that autograd notices if they have been changed in place.
        ctx.save_for_backward(X, mask, *layers, *weights)  # type: ignore[arg-type]  # mask: None is allowed
        return network.logits(layers[-1], mask, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: _Context, grad_logits: Tensor) -> tuple[Tensor | None, ...]:
        X, mask, inner, pooled, outer, *_ = ctx.saved_tensors
        layers = inner, pooled, outer
        grad_X, grad_bias, grad_weights = ctx.network.gradients(X, mask, layers, grad_logits)
        return None, grad_X, None, grad_bias, *grad_weights


def tanh(x: Tensor) -> Tensor:
    """Return tanh(x), by a sigmoid; on some CPUs ``torch.tanh`` takes several times as long."""
    return (2 * x).sigmoid_().mul(2).sub_(1)


def _outer_products(left: Tensor, right: Tensor) -> Tensor:
    """Sum the outer products of (B, T, K) and (B, T, F) over B and T: (K, F)."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def _neighbours(units: Tensor, projected: Tensor, start: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pair the units of steps (B, n, K) with the projections that they see, as views.

    A third of the units sees the step before, a third the step itself, and a third the next. The
    first step of ``units`` is step ``start`` of ``projected``.
    """
    n_steps, n_projected = units.shape[1], projected.shape[1]
    for k in range(3):
        shift, of_step = start + k - 1, slice(k * UNITS_PER_STEP, (k + 1) * UNITS_PER_STEP)
        first, last = max(0, -shift), min(n_steps, n_projected - shift)
        yield units[:, first:last, of_step], projected[:, first + shift : last + shift, of_step]
