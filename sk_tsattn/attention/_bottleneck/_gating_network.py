"""What a window says about its own gates: a small gating_network, with its gradient written out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .._padding import masked_mean, n_observed, zero_padding

# Logits move this much faster than the weights they are made of, under the same step size.
LOGIT_SCALE = 5.0
# The gating_network's first layer, for sharp decisions; and its width: units for each of three steps.
INPUT_SCALE, UNITS_PER_STEP = 8.0, 6
tanh_backward = torch.ops.aten.tanh_backward.default  # what autograd calls


class GatingNetwork(nn.Module):
    """Score the gates of a window by what is read of it.

    The formula is that of :class:`.BottleneckGate`, which has the bias and what is read.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    n_outputs : int
        G, the gates of a step.
    over_time : bool
        Whether each step has gates of its own. Else the mean of the tanh over the steps is scored.

    **Shape**: X (B, T, F), mask (B, T) or None, bias (T, G) or (1, G) → logits (B, T, G) or
    (B, 1, G).

    Examples
    --------
    >>> import torch
    >>> gating_network = GatingNetwork(10, 3, 3, over_time=True)
    >>> gating_network(torch.randn(4, 10, 3), None, torch.zeros(10, 3)).shape
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
            return _Scored.apply(self, X, mask, bias, *self.parameters())
        return self.logits(self.layers(X, mask)[-1], mask, bias)

    def layers(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Give the inner tanh (B, T, K), what is pooled of it (B, K), and the outer one."""
        seen = self.seen(X)
        told = tanh(seen)
        pooled = self.pooled(told, mask)
        return told, pooled, self.hidden(seen, pooled, X[:, -1])

    def seen(self, X: Tensor, steps: slice = slice(None)) -> Tensor:
        """Give c (B, T, K) for what was read (B, T, F), or c of a slice of the steps."""
        first, last, _ = steps.indices(X.shape[1])
        wide = X[:, max(0, first - 1) : last + 1] @ self.local.weight.T
        seen = self.position[steps].expand(X.shape[0], -1, -1).clone()
        for part, of_part in _units(seen, wide, int(first > 0)):
            part.add_(of_part, alpha=INPUT_SCALE)
        return seen

    def pooled(self, told: Tensor, mask: Tensor | None, steps: slice = slice(None)) -> Tensor:
        """Sum tanh(c) p over the steps, or over a slice of them: (B, K)."""
        part = told * self.pool[steps]
        return zero_padding(part, None if mask is None else mask[:, steps]).sum(dim=1)

    def score(
        self, seen: Tensor, pooled: Tensor, newest: Tensor, mask: Tensor | None, bias: Tensor
    ) -> Tensor:
        """Score c, what is pooled of it, and the newest step that was read."""
        return self.logits(self.hidden(seen, pooled, newest), mask, bias)

    def hidden(self, seen: Tensor, pooled: Tensor, newest: Tensor) -> Tensor:
        """Give the outer tanh for c, what is pooled of it, and the newest step that was read."""
        whole = pooled @ self.context.weight.T  # (B, K)
        whole = whole.add(newest @ self.newest.weight.T, alpha=INPUT_SCALE)
        return tanh(seen + whole[:, None])

    def logits(self, hidden: Tensor, mask: Tensor | None, bias: Tensor) -> Tensor:
        """Score the outer tanh."""
        if not self.over_time:
            hidden = masked_mean(hidden, mask)  # (B, 1, K)
        return (hidden @ self.out.weight.T).add_(bias).mul_(LOGIT_SCALE)

    def gradients(
        self,
        X: Tensor,
        mask: Tensor | None,
        layers: tuple[Tensor, Tensor, Tensor],
        of_logits: Tensor,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Give the gradients of X, of the bias, and of all parameters in their order.

        They are those that autograd would find. Of tensors this small it takes longer from one
        operation to the next than in one, and so a tenth longer for a whole step of training.
        """
        told, pooled, hidden = layers
        grad = LOGIT_SCALE * of_logits
        if self.over_time:
            of_out = _product(grad, hidden)
            of_hidden = grad @ self.out.weight
        else:
            of_out = _product(grad, masked_mean(hidden, mask))
            of_mean = (grad @ self.out.weight) / n_observed(X, mask)
            of_hidden = zero_padding(of_mean.expand_as(hidden), mask)
        of_seen = tanh_backward(of_hidden, hidden)
        of_whole = of_seen.sum(dim=1)  # (B, K)
        of_context, of_pooled = of_whole.T @ pooled, (of_whole @ self.context.weight)[:, None]
        of_whole *= INPUT_SCALE
        of_newest, of_last = of_whole.T @ X[:, -1], of_whole @ self.newest.weight
        of_pool = zero_padding(of_pooled * told, mask).sum(dim=0)
        of_seen += tanh_backward(zero_padding(of_pooled * self.pool, mask), told)
        of_wide = torch.zeros_like(of_seen)
        for part, of_part in _units(of_seen, of_wide, 0):
            of_part.add_(part, alpha=INPUT_SCALE)
        of_X = of_wide @ self.local.weight
        of_X[:, -1] += of_last
        of_position, of_local = of_seen.sum(dim=0), _product(of_wide, X)
        of_weights = of_position, of_pool, of_local, of_newest, of_context, of_out
        return of_X, grad.sum(dim=0), of_weights


class _Scored(torch.autograd.Function):
    """Logits, with the gradient written out."""

    @staticmethod
    def forward(ctx, gating_network, X, mask, bias, *weights):
        layers = gating_network.layers(X, mask)
        ctx.gating_network = gating_network
        # The weights too, for autograd to notice if they have changed since.
        ctx.save_for_backward(X, mask, *layers, *weights)
        return gating_network.logits(layers[-1], mask, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_logits):
        X, mask, *saved = ctx.saved_tensors
        of_X, of_bias, of_weights = ctx.gating_network.gradients(X, mask, saved[:3], of_logits)
        return None, of_X, None, of_bias, *of_weights


def tanh(x: Tensor) -> Tensor:
    """Give tanh(x); on some CPUs torch's own takes several times as long."""
    return (2 * x).sigmoid_().mul(2).sub_(1)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Sum the outer products of (B, T, K) and (B, T, F): (K, F)."""
    return left.flatten(0, 1).T @ right.flatten(0, 1)


def _units(seen: Tensor, wide: Tensor, start: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pair the units of steps (B, n, K) with those of what they see: the step before, own, next.

    The first of these steps is step ``start`` of the other tensor.
    """
    n_steps, n_wide = seen.shape[1], wide.shape[1]
    for k in range(3):
        shift, units = start + k - 1, slice(k * UNITS_PER_STEP, (k + 1) * UNITS_PER_STEP)
        first, last = max(0, -shift), min(n_steps, n_wide - shift)
        yield seen[:, first:last, units], wide[:, first + shift : last + shift, units]
