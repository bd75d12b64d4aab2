"""An information bottleneck on the input: what a closed gate hides, no later layer can use."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ._encoder import WindowLSTM
from ._padding import masked_mean, zero_padding
from ._uniform import level_gates
from ._weights import attention_of_mode, cell_attention

# Hard concrete gates (Louizos, Welling and Kingma 2018, section 4): a stretched sigmoid, clipped,
# so that a gate is exactly 0 or 1 with some probability.
TEMPERATURE, LOW, HIGH = 2 / 3, -0.1, 1.1
# P(gate > 0) = sigmoid(logit - SHIFT), their eq. 12.
SHIFT = TEMPERATURE * math.log(-LOW / HIGH)
# Logits stay within these bounds: a gate that training has closed too early can still reopen, and
# one that is open can still close.
BOUND, READ_BOUND = 4.0, 6.0
# Gates start open, but short of 1, where a median has no slope.
OPEN, READ_OPEN = 1.5, 4.0
# What the scorer reads costs this share of what the LSTM reads.
READ_PRICE = 0.2
# Logits move this much faster than the weights they are made of, under the same step size.
GAIN = 5.0
# The scorer's first layer, for sharp decisions; and its width: units for each of three steps.
SCORE_GAIN, STEP_UNITS = 8.0, 6


class _Bounded(torch.autograd.Function):
    """Clamp logits to [-bound, bound], as projected gradient descent does.

    A gradient that would push a logit further out is dropped, and one that brings it back is kept:
    clamping alone would drop both.
    """

    @staticmethod
    def forward(ctx, logits, bound):
        bounded = logits.clamp(-bound, bound)
        ctx.save_for_backward(logits - bounded)
        return bounded

    @staticmethod
    def backward(ctx, grad):
        (excess,) = ctx.saved_tensors
        return grad.masked_fill(grad * excess < 0, 0.0), None


def _sampled(logits: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """Draw gates around their logits (..., T, F), and say what they cost, (...).

    The cost is the sum of softplus(logit - SHIFT), in units of its greatest value. It falls with
    P(gate > 0) but, other than that, keeps its slope while a gate is open.
    """
    logits = _Bounded.apply(logits, bound)
    noise = torch.rand_like(logits).clamp_(1e-6, 1 - 1e-6).logit_()
    gates = _concrete(logits + noise)
    cost = nn.functional.softplus(logits - SHIFT).sum(dim=(-2, -1))
    return gates, cost / math.log1p(math.exp(bound - SHIFT))


def _median(logits: Tensor, bound: float) -> Tensor:
    """Give the median of the gates that would be drawn: that without noise.

    One that is drawn closed more often than not is closed. Louizos et al. (2018, eq. 13) leave out
    the temperature too; many a gate that learning has closed would stay open by a hundredth.
    """
    return _concrete(logits.clamp(-bound, bound))


def _concrete(logits: Tensor) -> Tensor:
    """Give hard concrete gates (Louizos et al. 2018, eq. 10 and 11)."""
    stretched = torch.sigmoid(logits / TEMPERATURE) * (HIGH - LOW) + LOW
    return nn.functional.hardtanh(stretched, 0.0, 1.0)


class BottleneckGate(nn.Module):
    r"""A gate in [0, 1] on every cell, step or feature of a window, at a price.

    The gate :math:`m` of a cell is drawn in training, around a logit :math:`\ell` (hard concrete,
    Louizos et al. 2018): with logistic noise :math:`\epsilon`,
    :math:`m = \mathrm{clip}(1.2\,\sigma((\ell + \epsilon) / \tfrac{2}{3}) - 0.1,\; 0, 1)`. In
    prediction it is the median of what would be drawn, that of :math:`\epsilon = 0`, and
    :math:`z = m \odot x` is all that a network behind it sees. The noise is what makes it a
    bottleneck: a gate that is small, but not 0, is drawn as exactly 0 so often that nothing can
    be sent through it. A closed cell holds 0, the feature's mean in standardised windows.

    The logit is a sum of what holds for all windows and what holds for this one,

    .. math::
        \ell_t &= 5\,(b_t + W \tanh(c_t + A \textstyle\sum_s \tanh(c_s) \odot p_s
                  + 8 N \tilde x_T)) \\
        c_t &= 8\,[L_1 \tilde x_{t-1};\; L_2 \tilde x_t;\; L_3 \tilde x_{t+1}] + q_t

    with :math:`W = 0` at the start: gates for all windows are learnt first, and gates of their own
    where they help. A unit of the scorer sees one step, the own or a neighbour: one that saw two
    would learn to open a cell that means nothing by how great its neighbour is, and so send the
    neighbour's value as a gate. The scorer reads :math:`\tilde x = r \odot x` through read gates
    :math:`r` (T, F), the same for all windows and drawn likewise: what only steers the gates has a
    price too.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    attention_mode : {"time", "feature", "both"}, default="both"
        A gate for each step, for each feature, or for each cell.

    Attributes
    ----------
    price : float
        In training, the relative fall of the loss that is worth an open gate.
    sampled : bool
        Whether training draws the gates; else it uses their medians, and they have no price.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), gates (B, T, F), their price
    (B,), 0 outside training.

    Examples
    --------
    >>> import torch
    >>> gate = BottleneckGate(10, 3).eval()
    >>> Z, gates, price = gate(torch.randn(4, 10, 3))
    >>> Z.shape, gates.shape, price.tolist()
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]), [0.0, 0.0, 0.0, 0.0])
    """

    def __init__(self, n_timesteps: int, n_features: int, *, attention_mode: str = "both") -> None:
        super().__init__()
        T, F, K = n_timesteps, n_features, 3 * STEP_UNITS
        shape = {"both": (T, F), "time": (T, 1), "feature": (1, F)}[attention_mode]
        self.over_time = attention_mode != "feature"
        self.price = 0.0
        self.sampled = True
        self.bias = nn.Parameter(torch.full(shape, OPEN / GAIN))  # b
        self.read = nn.Parameter(torch.full((T, F), READ_OPEN / GAIN))  # logits of r
        self.local = nn.Linear(F, K, bias=False)  # L
        self.newest = nn.Linear(F, K, bias=False)  # N
        self.position = nn.Parameter(torch.randn(T, K) * 0.1)  # q
        self.pool = nn.Parameter(torch.randn(T, K) / T**0.5)  # p
        self.context = nn.Linear(K, K, bias=False)  # A
        self.out = nn.Linear(K, shape[1], bias=False)  # W
        with torch.no_grad():
            self.local.weight /= (3 * SCORE_GAIN) ** 0.5
            self.newest.weight /= SCORE_GAIN
        nn.init.zeros_(self.out.weight)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        X = zero_padding(X, mask)
        price = X.new_zeros(X.shape[0])
        if self.training and self.sampled:
            read, read_cost = _sampled(GAIN * self.read, READ_BOUND)
            gates, cost = _sampled(self._logits(X * read, mask), BOUND)
            price = self.price * (cost + READ_PRICE * read_cost)
        else:
            gates = _median(self._logits(X * self.read_gates(), mask), BOUND)
        gates = level_gates(zero_padding(gates.expand_as(X), mask), mask)
        return X * gates, gates, price

    def read_gates(self) -> Tensor:
        """Say how much of each cell the scorer reads, (T, F)."""
        return _median(GAIN * self.read, READ_BOUND)

    def _logits(self, X: Tensor, mask: Tensor | None) -> Tensor:
        """Score what was read (B, T, F): (B, T or 1, F or 1)."""
        seen = nn.functional.pad(self.local(X), (0, 0, 1, 1)).split(STEP_UNITS, dim=2)
        before, own, after = seen[0][:, :-2], seen[1][:, 1:-1], seen[2][:, 2:]
        c = SCORE_GAIN * torch.cat([before, own, after], dim=2) + self.position  # (B, T, K)
        pooled = zero_padding(c.tanh() * self.pool, mask).sum(dim=1)  # (B, K)
        whole = self.context(pooled) + SCORE_GAIN * self.newest(X[:, -1])
        h = torch.tanh(c + whole[:, None])  # (B, T, K)
        if not self.over_time:
            h = masked_mean(h, mask)  # (B, 1, K)
        return GAIN * (self.bias + self.out(h))


class BottleneckLSTM(nn.Module):
    r"""Gates → LSTM and, beside it, a linear map of the open cells.

    .. math:: \hat y = V\,[h_T; \tfrac{1}{T} \textstyle\sum_t h_t] + c + \sum_{t,f} U_{tf}\, z_{tf},
        \qquad h = \mathrm{LSTM}([z_1; p_1] \dots [z_T; p_T])

    In training, :class:`BottleneckGate` draws its gates and asks a price for those that are open,
    which ``forward`` gives beside the prediction. Attention is the gates, normalised. Gates alone
    say how much of the input is used at all: where nothing can be learnt, all of them close.

    The mean state is there because closed cells lie between an open one and the newest step; the
    LSTM need not carry a value across all of them. What is linear is learnt in a few epochs by U.

    What steers the gates passes beside them: a gate that is a function of a cell which is itself
    closed lets the network know something of that cell. Which cells those may be is in
    :meth:`BottleneckGate.read_gates`.

    The estimator trains it in phases: *learn* with free gates; *squeeze*, the price rising until
    only what is worth a lot stays open; *relax*, the price falling and gates reopening in the order
    of their worth; then the sparsest gates within ``tolerance`` are taken, and *refit* without
    noise and price.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        What is gated.
    hidden_size, num_layers, dropout, position_embedding
        See :class:`WindowLSTM`; dropout acts before the linear head too.
    tolerance : float, default=1.0
        Training ends with the sparsest gates whose validation error is at most this many standard
        errors (of the paired differences) above the lowest. 0 is the lowest error; more is sparser.

    Raises
    ------
    ValueError
        If ``tolerance`` is negative.

    **Shape**: (B, T, F), mask (B, T) or None → (B, O); in training also the price (B,).

    **Source**: gates as in Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization" (ICLR 2018), eq. 10 and 11, on cells of the input instead of weights; a gate
    costs the softplus, not the sigmoid, of the argument of eq. 12, whose slope does not vanish.
    Hiding input to explain as in Schulz et al., "Restricting the Flow: Information Bottlenecks for
    Attribution" (ICLR 2020); the linear map as in LSTNet (Lai et al., SIGIR 2018,
    section 3.6). The scorer and the training are this library's own.

    Examples
    --------
    >>> import torch
    >>> network = BottleneckLSTM(10, 3, 1, attention_mode="feature").eval()
    >>> prediction, weights = network.attend(torch.randn(4, 10, 3))
    >>> prediction.shape, weights["feature"].shape, weights["gate"].shape
    (torch.Size([4, 1]), torch.Size([4, 3]), torch.Size([4, 3]))
    """

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        n_outputs: int,
        *,
        attention_mode: str = "both",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        position_embedding: bool = True,
        tolerance: float = 1.0,
    ) -> None:
        super().__init__()
        if not tolerance >= 0:
            raise ValueError(
                f"tolerance must be a number of standard errors >= 0. Got {tolerance!r} instead; "
                "0 takes the lowest error, 1 is the default."
            )
        self.attention_mode = attention_mode
        self.tolerance = tolerance
        self.gate = BottleneckGate(n_timesteps, n_features, attention_mode=attention_mode)
        self.encoder = WindowLSTM(
            n_timesteps,
            n_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            position_embedding=position_embedding,
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden_size, n_outputs)
        self.highway = nn.Linear(n_timesteps * n_features, n_outputs, bias=False)  # U
        nn.init.zeros_(self.highway.weight)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Predict, (B, O); in training also give the price of the open gates, (B,)."""
        prediction, _, price = self._run(X, mask)
        return (prediction, price) if self.training else prediction

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and give the weights that the mode defines and the ``"gate"`` they come from."""
        prediction, gates, _ = self._run(X, mask)
        weights = attention_of_mode(cell_attention(gates, mask), self.attention_mode)
        axis = {"time": 2, "feature": 1}
        # Of a step, or of a feature, all cells have the same gate, but for padding.
        of_mode = gates if self.attention_mode == "both" else gates.amax(axis[self.attention_mode])
        return prediction, weights | {"gate": of_mode}

    def _run(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        Z, gates, price = self.gate(X, mask)
        states = self.encoder(Z, mask)  # (B, T, H)
        context = torch.cat([states[:, -1], masked_mean(states, mask)[:, 0]], dim=1)  # (B, 2 H)
        prediction = self.head(self.dropout(context)) + self.highway(Z.flatten(1))
        return prediction, gates, price
