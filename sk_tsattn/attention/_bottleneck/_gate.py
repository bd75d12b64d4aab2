"""Gates on the input at a penalty: sampled, learnt, and steered by what a window holds."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .._padding import zero_padding
from .._uniform import override_gates
from ._gating_network import LOGIT_SCALE, GatingNetwork, tanh
from ._hard_concrete import median, sample, sample_backward

# Logits stay within these bounds: a gate that training has closed too early can still reopen, and
# one that is open can still close.
LOGIT_BOUND, INPUT_LOGIT_BOUND = 4.0, 6.0
# Gates start open, but short of 1, where a median has no slope.
OPEN, READ_OPEN = 1.5, 4.0
# Gates that move by no more than this are not said to be steered.
LEAST_STEERING = 0.03


class BottleneckGate(nn.Module):
    r"""A gate in [0, 1] on every cell, step or feature of a window, at a penalty.

    The gate :math:`m` of a cell is drawn in training, around a logit :math:`\ell` (hard concrete,
    Louizos et al. 2018): with logistic noise :math:`\epsilon`,
    :math:`m = \mathrm{clip}(1.2\,\sigma((\ell + \epsilon) / \tfrac{2}{3}) - 0.1,\; 0, 1)`. In
    prediction it is the median of what would be drawn, that of :math:`\epsilon = 0`, and
    :math:`z = m \odot x` is all that a network behind it sees. The noise is what makes it a
    bottleneck: a gate that is small, but not 0, is drawn as exactly 0 so often that nothing can
    be sent through it. A closed cell holds 0, the feature's mean in standardised windows.

    The logit is a sum of what holds for all windows and what a gating_network says about this one,

    .. math::
        \ell_t &= 5\,(b_t + W \tanh(c_t + A \textstyle\sum_s \tanh(c_s) \odot p_s
                  + 8 N \tilde x_T)) \\
        c_t &= 8\,[L_1 \tilde x_{t-1};\; L_2 \tilde x_t;\; L_3 \tilde x_{t+1}] + q_t

    with :math:`W = 0` at the start: gates for all windows are learnt first, and gates of their own
    where they help. A unit of the gating_network sees one step, the own or a neighbour: one that saw two
    would learn to open a cell that means nothing by how great its neighbour is, and so send the
    neighbour's value as a gate. The gating_network reads :math:`\tilde x = r \odot x` through read gates
    :math:`r` (T, F), the same for all windows and drawn likewise: what only steers the gates has a
    penalty too. :meth:`sensitivity` says which cells of a window do so.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    attention_mode : {"time", "feature", "both"}, default="both"
        A gate for each step, for each feature, or for each cell.

    Attributes
    ----------
    penalty, gating_penalty : float
        In training, the relative fall of the loss that is worth an open gate, and a cell that
        steers gates.
    sampled : bool
        Whether training draws the gates; else it uses their medians, and they have no penalty.
    kept, input_active : Tensor of bool, of the shape of the mode's gates
        Buffers: which gates may be open outside the sampling, and which cells may steer them.
    typical : Tensor of shape (2, n_features)
        A buffer: two values that a feature often has, for :meth:`sensitivity` to hide a cell behind.
        The estimator sets them to the quartiles of the training windows.

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

    def __init__(self, n_timesteps: int, n_features: int, *, attention_mode: str = "both") -> None:
        super().__init__()
        T, F = n_timesteps, n_features
        shape = {"both": (T, F), "time": (T, 1), "feature": (1, F)}[attention_mode]
        self.penalty = self.gating_penalty = 0.0
        self.sampled = True
        self.bias = nn.Parameter(torch.full(shape, OPEN / LOGIT_SCALE))  # b
        self.input_logits = nn.Parameter(torch.full((T, F), READ_OPEN / LOGIT_SCALE))  # logits of r
        self.gating_network = GatingNetwork(T, F, shape[1], over_time=attention_mode != "feature")
        self.register_buffer("active", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("input_active", torch.ones(shape, dtype=torch.bool))
        self.register_buffer("baselines", torch.tensor([[-0.67], [0.67]]).expand(2, F).clone())

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        X = zero_padding(X, mask)
        if self.training and self.sampled:
            weights = self.gating_network.parameters()
            gates, penalty = _Sampled.apply(self, X, mask, self.input_logits, self.bias, *weights)
        else:
            read, penalty = self.input_gates(), X.new_zeros(X.shape[0])
            # Where nothing is read, all windows have the same gates: one is scored. Not so in
            # prediction, which can be exported: no branch there may depend on values.
            alike = self.training and mask is None and not read.any()
            gates = self._medians((X[:1] if alike else X) * read, mask)
        gates = override_gates(zero_padding(gates.expand_as(X), mask), mask)
        return X * gates, gates, penalty

    def sensitivity(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        r"""Say how much each cell, step or feature of a window decides about the gates of others.

        A marker or a switch tells where to look, and has this part in the prediction even where
        its own gate is closed. It is hidden from the gating_network, behind one and the other of two values
        that its feature often has, and the square of the greatest change of another gate is its
        steering: 1 where that opens or closes one, and next to nothing where it moves none by much.

        What steers is searched for by halving: the steps of a feature are hidden together first,
        and then in ever smaller parts where that has changed something. Steps that undo each other
        exactly are missed.

        Parameters
        ----------
        X : Tensor of shape (B, T, F)
        mask : Tensor of shape (B, T) or None, default=None

        Returns
        -------
        steering : Tensor of shape (B, T, F), (B, T, 1) or (B, 1, F), by the mode
            In [0, 1]; 0 where no gate moves by more than 0.03.
        """
        T, F = self.input_logits.shape
        read = self.input_gates()
        X, hidden = zero_padding(X, mask) * read, self.baselines[:, None] * read
        gating_network = self.gating_network
        seen = gating_network.seen(X)
        pooled = gating_network.pooled(tanh(seen), mask)
        gates = self._gates(gating_network.score(seen, pooled, X[:, -1], mask, self.bias), mask)
        steering = torch.zeros_like(gates)
        n_steps, n_features = gates.shape[1:]
        # What is hidden together: steps [first, last) of a feature, and in which windows.
        features = [slice(None)] if n_features == 1 else [slice(f, f + 1) for f in range(F)]
        groups = [(0, T, f, torch.arange(len(X), device=X.device)) for f in features]
        while groups:
            first, last, feature, which = groups.pop()
            if not read[first:last, feature].any():
                continue
            behind = hidden[:, first:last, feature].unique(dim=0)
            # Where these values are there already, nothing is hidden.
            which = which[(X[which, None, first:last, feature] != behind).flatten(1).any(dim=1)]
            # Only the steps next to what is hidden are seen anew.
            near = slice(max(0, first - 1), last + 1)
            observed = None if mask is None else mask[which]
            seen_now, change = seen[which], torch.zeros_like(gates[which])
            elsewhere = pooled[which] - gating_network.pooled(
                tanh(seen_now[:, near]), observed, near
            )
            for values in behind:
                without = X[which]
                without[:, first:last, feature] = values
                without = zero_padding(without, observed)
                seen_now[:, near] = now = gating_network.seen(without, near)
                pooled_now = elsewhere + gating_network.pooled(tanh(now), observed, near)
                logits = gating_network.score(
                    seen_now, pooled_now, without[:, -1], observed, self.bias
                )
                moved = (self._gates(logits, observed) - gates[which]).abs()
                change = torch.maximum(change, moved)
            if last - first == 1 or n_steps == 1:
                own = slice(first, last if n_steps > 1 else 1), feature
                change[:, *own] = 0.0
                change = change.flatten(1).amax(dim=1)
                change = change.masked_fill(change <= LEAST_STEERING, 0.0)
                steering[which, *own] = change.square()[:, None, None]
                continue
            which = which[(change > LEAST_STEERING).flatten(1).any(dim=1)]
            if len(which):
                # Parts are told from the newest step on: padding leaves them as they are.
                middle = last - 2 ** ((last - first - 1).bit_length() - 1)
                groups += [(first, middle, feature, which), (middle, last, feature, which)]
        return steering

    def input_gates(self) -> Tensor:
        """Say how much of each cell the gating_network reads in prediction, (T, F)."""
        return median(LOGIT_SCALE * self.input_logits, INPUT_LOGIT_BOUND) * self.input_active

    @torch.no_grad()
    def close_features(self, features: list[int]) -> None:
        """Shut the gates of some features as far as they go: training reopens those that help.

        ``features`` are their indices, into the second axis of the mode's gates.
        """
        self.bias[:, features] = -LOGIT_BOUND / LOGIT_SCALE

    @torch.no_grad()
    def expand(self, places: Tensor) -> Tensor:
        """Open gates, of the mode's shape, wholly. Nothing may steer them.

        Returns how far these cells (T, F) were open together, in cells for each of them.
        """
        X = torch.zeros_like(self.input_logits)[None]
        before = (self._medians(X, None)[0] * places).sum() / places.sum()
        self.active |= places
        level = self.gating_network(X, None, self.bias)[0]
        self.bias.add_(torch.where(places, (LOGIT_BOUND - level) / LOGIT_SCALE, 0.0))
        return before

    def group_by_gate(self, cells: Tensor) -> Tensor:
        """Sort cells (B, T, F) by gates: (B, gates, cells of a gate)."""
        (T, F), (S, K) = self.input_logits.shape, self.active.shape
        return (
            cells.reshape(-1, S, T // S, K, F // K)
            .transpose(2, 3)
            .reshape(-1, S * K, T * F // (S * K))
        )

    def ungroup(self, gates: Tensor) -> Tensor:
        """Undo :meth:`group_by_gate`."""
        (T, F), (S, K) = self.input_logits.shape, self.active.shape
        return gates.reshape(-1, S, K, T // S, F // K).transpose(2, 3).reshape(-1, T, F)

    @torch.no_grad()
    def restrict_inputs(self, kept: Tensor, X: Tensor, mask: Tensor | None = None) -> None:
        """Let the gating_network read, for good, only cells that are kept, (T, F) or of the mode's shape.

        What it has read has moved the gates, on average too: their biases make up for that, by the
        mean over X (B, T, F) of what the logits lose.
        """
        before = self._level(X, mask)
        self.input_active &= kept
        self.bias.add_((before - self._level(X, mask)) / LOGIT_SCALE)

    def _level(self, X: Tensor, mask: Tensor | None) -> Tensor:
        """Average the logits of prediction over windows, within their bounds."""
        X = zero_padding(X, mask) * self.input_gates()
        return self.gating_network(X, mask, self.bias).clamp(-LOGIT_BOUND, LOGIT_BOUND).mean(dim=0)

    def _medians(self, X: Tensor, mask: Tensor | None) -> Tensor:
        """Give the gates of prediction for what was read (B, T, F), of the shape of the mode."""
        return self._gates(self.gating_network(X, mask, self.bias), mask)

    def _gates(self, logits: Tensor, mask: Tensor | None) -> Tensor:
        """Give the gates of prediction for logits of the shape of the mode."""
        gates = median(logits, LOGIT_BOUND) * self.active
        return zero_padding(gates, mask) if self.gating_network.over_time else gates


class _Sampled(torch.autograd.Function):
    """Gates, of the shape of the mode, and their penalty (B,), with the gradient written out."""

    @staticmethod
    def forward(ctx, gate, X, mask, read, bias, *weights):
        read, read_cost, read_drawn = sample(LOGIT_SCALE * read, INPUT_LOGIT_BOUND)
        seen = X * read
        layers = gate.gating_network.layers(seen, mask)
        gates, cost, drawn = sample(gate.gating_network.logits(layers[-1], mask, bias), LOGIT_BOUND)
        ctx.gating_network, ctx.penalty, ctx.gating_penalty = (
            gate.gating_network,
            gate.penalty,
            gate.gating_penalty,
        )
        # The weights too, for autograd to notice if they have changed since.
        ctx.save_for_backward(X, mask, read, seen, *layers, *drawn, *read_drawn, *weights)
        return gates, torch.add(cost * gate.penalty, read_cost, alpha=gate.gating_penalty)

    @staticmethod
    @once_differentiable
    def backward(ctx, of_gates, of_price):
        X, mask, read, seen, *saved = ctx.saved_tensors
        layers, drawn, read_drawn = saved[:3], saved[3:8], saved[8:13]
        of_logits = sample_backward(drawn, LOGIT_BOUND, of_gates, of_price * ctx.penalty)
        of_seen, of_bias, of_weights = ctx.gating_network.gradients(seen, mask, layers, of_logits)
        of_read_cost = of_price.sum() * ctx.gating_penalty
        of_read = (of_seen * X).sum(dim=0)
        of_read = LOGIT_SCALE * sample_backward(
            read_drawn, INPUT_LOGIT_BOUND, of_read, of_read_cost
        )
        of_X = of_seen * read if ctx.needs_input_grad[1] else None
        return None, of_X, None, of_read, of_bias, *of_weights
