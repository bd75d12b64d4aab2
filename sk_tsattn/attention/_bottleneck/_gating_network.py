"""The gating network: logits of a window's gates, computed from the window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._padding import masked_mean, zero_padding
from .._tanh import tanh

# Logits are this multiple of what the weights give, so that gates move faster than other weights.
LOGIT_SCALE = 5.0
# The inputs are multiplied by this, for sharp decisions.
INPUT_SCALE = 8.0
# Units of the first layer for each of three steps: the one before, the step itself, the next.
UNITS_PER_STEP = 6


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
        preactivation = self.preactivation(X)
        pooled = self.pooled(tanh(preactivation), mask)
        return self.logits(self.outer(preactivation, pooled, X[:, -1]), mask, bias)

    def preactivation(self, X: Tensor, steps: slice = slice(None)) -> Tensor:
        """Return c (B, n, K) of a slice of n steps, for inputs of all steps (B, T, F)."""
        first, last, _ = steps.indices(X.shape[1])
        # The steps and their neighbours; those before the window and after it are zero.
        near = X[:, max(0, first - 1) : last + 1]
        near = nn.functional.pad(near, (0, 0, int(first == 0), int(last == X.shape[1])))
        before, itself, after = self.local(near).split(UNITS_PER_STEP, dim=2)
        inputs = torch.cat([before[:, :-2], itself[:, 1:-1], after[:, 2:]], dim=2)
        return self.position[steps] + INPUT_SCALE * inputs

    def pooled(self, inner: Tensor, mask: Tensor | None, steps: slice = slice(None)) -> Tensor:
        """Sum the inner tanh times p over a slice of the steps: (B, K)."""
        weighted = inner * self.pool[steps]
        return zero_padding(weighted, None if mask is None else mask[:, steps]).sum(dim=1)

    def outer(self, preactivation: Tensor, pooled: Tensor, newest: Tensor) -> Tensor:
        """Return the outer tanh (B, T, K), from c, the pooled inner tanh and the newest step."""
        context = self.context(pooled) + INPUT_SCALE * self.newest(newest)  # (B, K)
        return tanh(preactivation + context[:, None])

    def logits(self, outer: Tensor, mask: Tensor | None, bias: Tensor) -> Tensor:
        """Return the logits for the outer tanh."""
        if not self.over_time:
            outer = masked_mean(outer, mask)  # (B, 1, K)
        logits: Tensor = LOGIT_SCALE * (self.out(outer) + bias)
        return logits
