"""Gates on the input with an L0 penalty: sampled in training, and dependent on the window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._padding import zero_padding
from .._uniform import override_gates
from ._evidence import CellEvidence
from ._gating_network import LOGIT_SCALE, GatingNetwork
from ._hard_concrete import median, sample

# Logits of the gates and of the input gates stay within these bounds, so that a gate that was
# closed too early can reopen, and an open one can close.
LOGIT_BOUND, INPUT_LOGIT_BOUND = 4.0, 6.0
# Gates start open, but below 1, where the median has no slope.
INITIAL_LOGIT, INITIAL_INPUT_LOGIT = 1.5, 4.0


class BottleneckGate(nn.Module):
    r"""A gate in [0, 1] on every cell, step or feature of a window, with an L0 penalty.

    In training the gate :math:`m` of a cell is sampled around its logit :math:`\ell` from a hard
    concrete distribution (Louizos et al. 2018): with logistic noise :math:`\epsilon`,
    :math:`m = \mathrm{clip}(1.2\,\sigma((\ell + \epsilon) / \tfrac{2}{3}) - 0.1,\; 0, 1)`. In
    prediction it is the median of this distribution (:math:`\epsilon = 0`). The network after it
    sees :math:`z = m \odot x` and nothing else. The noise makes it a bottleneck: a small gate is
    sampled as exactly 0 so often that no information passes. A closed cell holds 0, the mean of
    its feature in standardised windows.

    A logit is the sum of a bias :math:`b` that is common to all windows, of the output of a
    :class:`GatingNetwork` for :math:`\tilde x = r \odot x`, and, with ``cell_evidence``, of the
    cell's own :class:`CellEvidence`. The input gates :math:`r` (T, F) of the gating network are
    common to all windows, and are sampled and penalised likewise: information that decides about
    the gates of other cells is not free. The evidence of a cell about its own gate is.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    attention_mode : {"time", "feature", "both"}, default="both"
        One gate for each step, for each feature, or for each cell. The gates then have the shape
        (T, 1), (1, F) or (T, F), the shape of the mode.
    cell_evidence : bool, default=True
        Whether logits depend on :class:`CellEvidence`. No effect in mode ``"feature"``.

    Attributes
    ----------
    penalty, gating_penalty : float
        Weights of the L0 penalty of the gates, and of the input gates of the gating network: the
        relative decrease of the loss that an open gate must be worth in training.
    sampled : bool
        Whether gates are sampled in training. Otherwise training uses the medians, and the
        penalty is 0.
    static : bool
        Whether the gates are the same for all windows. Their logits are then the biases alone.
    active, input_active : Tensor of bool, of the shape of the mode
        Buffers: gates, and input gates of the gating network, that are not pruned. Pruned gates
        are 0, except where they are sampled.
    baselines : Tensor of shape (2, n_features)
        A buffer: two common values of each feature, which replace a cell to measure its
        sensitivity, see :func:`~sk_tsattn.attention.gate_sensitivity`. The estimator sets them to
        the quartiles of the training windows.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), gates (B, T, F), their penalty
    (B,), 0 outside training.

    Examples
    --------
    >>> import torch
    >>> gate = BottleneckGate(10, 3).eval()
    >>> Z, gates, penalty = gate(torch.randn(4, 10, 3))
    >>> Z.shape, gates.shape, penalty.tolist()
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]), [0.0, 0.0, 0.0, 0.0])
    """

    active: Tensor
    input_active: Tensor
    baselines: Tensor

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        *,
        attention_mode: str = "both",
        cell_evidence: bool = True,
    ) -> None:
        super().__init__()
        T, F = n_timesteps, n_features
        shape = {"both": (T, F), "time": (T, 1), "feature": (1, F)}[attention_mode]
        self.penalty = self.gating_penalty = 0.0
        self.sampled, self.static = True, False
        self.bias = nn.Parameter(torch.full(shape, INITIAL_LOGIT / LOGIT_SCALE))  # b
        initial = INITIAL_INPUT_LOGIT / LOGIT_SCALE
        self.input_logits = nn.Parameter(torch.full((T, F), initial))  # logits of r
        self.gating_network = GatingNetwork(T, F, shape[1], over_time=attention_mode != "feature")
        self.evidence: CellEvidence | None = None
        if cell_evidence and attention_mode != "feature":
            self.evidence = CellEvidence(T, F, by_step=attention_mode == "time")
        self.register_buffer("active", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("input_active", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("baselines", torch.tensor([[-0.67], [0.67]]).expand(2, F).clone())

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        X = zero_padding(X, mask)
        if self.training and self.sampled:
            input_gates, input_penalty = sample(LOGIT_SCALE * self.input_logits, INPUT_LOGIT_BOUND)
            gates, penalty = sample(self._logits(X, mask, input_gates), LOGIT_BOUND)
            penalty = self.penalty * penalty
            if not self.static:
                penalty = penalty + self.gating_penalty * input_penalty
        else:
            logits = self._logits(X, mask, self.input_gates(), all_gates=False)
            gates, penalty = self.gates_from_logits(logits, mask), X.new_zeros(X.shape[0])
        gates = override_gates(zero_padding(gates.expand_as(X), mask), mask)
        return X * gates, gates, penalty

    def openness(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return how nearly each gate that is not pruned is open: σ(logit), of its own shape."""
        X = zero_padding(X, mask)
        logits = self._logits(X, mask, self.input_gates(), all_gates=False)
        return zero_padding(torch.sigmoid(logits) * self.active, mask)

    def _logits(
        self, X: Tensor, mask: Tensor | None, input_gates: Tensor, *, all_gates: bool = True
    ) -> Tensor:
        """Return the logits of the gates of the windows X (B, T, F).

        Without ``all_gates`` those of pruned gates are not defined.
        """
        # An exported graph cannot branch on values.
        any_gate = all_gates or torch.compiler.is_compiling() or bool(self.active.any())
        if self.static or not any_gate:
            return (LOGIT_SCALE * self.bias).expand(X.shape[0], -1, -1)
        bias = self.window_bias(X, mask, all_gates=all_gates)
        logits: Tensor = self.gating_network(X * input_gates, mask, bias)
        return logits

    def window_bias(self, X: Tensor, mask: Tensor | None, *, all_gates: bool = True) -> Tensor:
        """Return the bias plus the evidence of the cells X (B, T, F) about their own gates.

        It has the shape of the mode, or with evidence (B, T, F) or (B, T, 1). Without
        ``all_gates`` the evidence of features whose gates are all pruned is left out.
        """
        if self.evidence is None:
            return self.bias
        is_used = self.active.any(dim=0)  # (F,)
        all_gates |= self.evidence.by_step or torch.compiler.is_compiling()
        if all_gates or is_used.all():
            evidence: Tensor = self.evidence(X, mask)
            return self.bias + evidence
        features = is_used.nonzero()[:, 0]
        if not len(features):
            return self.bias
        evidence = self.evidence(X[:, :, features], mask, features)
        return self.bias + torch.zeros_like(X).index_copy(2, features, evidence)

    def get_extra_state(self) -> Tensor:
        """Return ``static``, which is a part of the state. (A graph cannot branch on a buffer.)"""
        return torch.tensor(self.static)

    def set_extra_state(self, state: Tensor) -> None:
        """Set ``static``."""
        self.static = bool(state)

    def input_gates(self) -> Tensor:
        """Return the input gates of the gating network in prediction, (T, F)."""
        return median(LOGIT_SCALE * self.input_logits, INPUT_LOGIT_BOUND) * self.input_active

    def gates_from_logits(
        self, logits: Tensor, mask: Tensor | None, steps: slice | Tensor = slice(None)
    ) -> Tensor:
        """Return the gates of prediction at some steps, of the shape of their logits."""
        gates = median(logits, LOGIT_BOUND) * self.active[steps]
        return zero_padding(gates, mask) if self.gating_network.over_time else gates

    def set_penalty(self, penalty: float, gating_penalty: float) -> None:
        """Set the L0 penalties of an open gate and of an input of the gating network."""
        self.penalty, self.gating_penalty = penalty, gating_penalty

    def set_sampled(self, sampled: bool) -> None:
        """Choose whether training samples the gates or uses their medians, without penalty."""
        self.sampled = sampled

    def set_active(self, name: str, active: Tensor) -> None:
        """Set which gates (``"active"``) or inputs (``"input_active"``) may be open."""
        self.get_buffer(name).copy_(active)

    def reset(self, *, baselines: Tensor) -> None:
        """Let all gates and inputs be open, and set the baselines."""
        self.active.fill_(True)
        self.input_active.fill_(True)
        self.static = False
        self.baselines.copy_(baselines)

    @torch.no_grad()
    def expand(self, group: Tensor) -> Tensor:
        """Open a group of gates fully. The gates must be static.

        Parameters
        ----------
        group : Tensor of bool, of the shape of the mode

        Returns
        -------
        fraction : Tensor of shape ()
            The mean of these gates before.
        """
        logits = LOGIT_SCALE * self.bias
        fraction = (self.gates_from_logits(logits, None) * group).sum() / group.sum()
        self.active |= group
        self.bias.add_(torch.where(group, (LOGIT_BOUND - logits) / LOGIT_SCALE, 0.0))
        return fraction

    def group_by_gate(self, cells: Tensor) -> Tensor:
        """Rearrange cells (B, T, F) by the gates they belong to: (B, n_gates, cells of a gate)."""
        (T, F), (S, K) = self.input_logits.shape, self.active.shape
        return (
            cells.reshape(-1, S, T // S, K, F // K)
            .transpose(2, 3)
            .reshape(-1, S * K, T * F // (S * K))
        )

    def ungroup(self, grouped: Tensor) -> Tensor:
        """Rearrange (B, n_gates, cells of a gate) to cells (B, T, F)."""
        (T, F), (S, K) = self.input_logits.shape, self.active.shape
        return grouped.reshape(-1, S, K, T // S, F // K).transpose(2, 3).reshape(-1, T, F)

    @torch.no_grad()
    def restrict_inputs(self, active: Tensor, X: Tensor, mask: Tensor | None = None) -> None:
        """Prune all input gates of the gating network that are not ``active``.

        The biases are corrected by the change of the mean logits, so that the gates stay as open
        on average over X.

        Parameters
        ----------
        active : Tensor of bool, of the shape of the mode
        X : Tensor of shape (B, T, F)
        mask : Tensor of shape (B, T) or None, default=None
        """
        before = self._mean_logits(X, mask)
        self.input_active &= active
        self.bias.add_((before - self._mean_logits(X, mask)) / LOGIT_SCALE)

    @torch.no_grad()
    def make_static(self, X: Tensor, mask: Tensor | None = None) -> None:
        """Make the gates static, as open as before on average over X.

        Parameters
        ----------
        X : Tensor of shape (B, T, F)
        mask : Tensor of shape (B, T) or None, default=None
        """
        before = self._mean_logits(X, mask)
        self.static = True
        self.input_active.fill_(False)
        self.bias.add_((before - self._mean_logits(X, mask)) / LOGIT_SCALE)

    def _mean_logits(self, X: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean over windows of the clipped logits of prediction."""
        X = zero_padding(X, mask)
        logits = self._logits(X, mask, self.input_gates())
        mean: Tensor = logits.clamp(-LOGIT_BOUND, LOGIT_BOUND).mean(dim=0)
        return mean
