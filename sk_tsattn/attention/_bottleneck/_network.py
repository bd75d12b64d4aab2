"""An information bottleneck on the input: the layers after a closed gate cannot use its cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._dropout import Dropout
from .._encoder import WindowLSTM
from .._normalize import attention_of_mode, cell_attention
from .._padding import masked_mean, zero_padding
from .._uniform import override_gates
from ._gate import BottleneckGate
from ._sensitivity import gate_sensitivity

# The relevance of a gate that evidence of its cell can open, but did not, is at most this.
CLOSED_RELEVANCE = 1e-6
# A step of the optimizer changes a slow skip connection of more inputs than these as much as one
# of so many.
SKIP_INPUTS = 20


class BottleneckLSTM(nn.Module):
    r"""Gates → LSTM and a linear skip connection of the open cells.

    .. math:: \hat y = V\,[h_T; \tfrac{1}{T} \textstyle\sum_t h_t] + c + \sum_{t,f} U_{tf}\, z_{tf},
        \qquad h = \mathrm{LSTM}([z_1; p_1] \dots [z_T; p_T])

    In training, :class:`BottleneckGate` samples its gates and computes their L0 penalty, which
    ``forward`` returns beside the prediction. Attention on a cell is the maximum of its gate and
    of its sensitivity (:func:`~sk_tsattn.attention.gate_sensitivity`), normalised: a marker or a
    switch that decides which cells are used is relevant even if its own gate is closed. The gates
    themselves show how much of the input is used at all: if nothing can be learnt, all are closed.

    The head reads the mean state too, so that the LSTM need not carry a value across the closed
    cells between an open one and the newest step. The skip connection learns what is linear within
    a few epochs. After that it is slowed (:meth:`slow_skip_connection`): with many correlated
    inputs, a step of all its weights would change the prediction too much.

    The estimator trains the network in stages: a warm-up without penalty, a path of rising
    penalties along which the gates close, selection of a candidate of this path, and a refit
    without noise. On the path the gates are static, the same for all windows. Others follow a path
    of their own where static ones would lose much or say little. The user guide describes it.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        What is gated: steps, features or cells.
    hidden_size, num_layers, dropout, position_embedding
        See :class:`WindowLSTM`; dropout acts before the linear head too.
    cell_evidence : bool, default=True
        Let each gate depend on its own cell at no penalty (:class:`CellEvidence`). It finds events
        that may happen at any step. Among closed gates, attention then ranks those that are nearly
        open above the others, by weights of at most 1e-6 before normalisation. False saves a third
        of the time of a fit, where relevant cells are at fixed or marked places.

    **Shape**: (B, T, F), mask (B, T) or None → (B, O); in training also the penalty (B,).

    **Source**: gates as in Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization" (ICLR 2018), eq. 10 and 11, on cells of the input instead of weights; the
    penalty is the softplus, not the sigmoid, of the argument of eq. 12, so that its slope does not
    vanish. Noise on the input as a bottleneck for attribution: Schulz et al., "Restricting the
    Flow: Information Bottlenecks for Attribution" (ICLR 2020). The skip connection: LSTNet (Lai et
    al., SIGIR 2018, section 3.6). The path of penalties: LassoNet (Lemhadri et al., JMLR 2021). The
    gating network is this library's own.

    Examples
    --------
    >>> import torch
    >>> network = BottleneckLSTM(10, 3, 1, attention_mode="feature").eval()
    >>> prediction, weights = network.attend(torch.randn(4, 10, 3))
    >>> prediction.shape, weights["feature"].shape, weights["gate"].shape
    (torch.Size([4, 1]), torch.Size([4, 3]), torch.Size([4, 3]))
    """

    skip_scale: Tensor

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
        cell_evidence: bool = True,
    ) -> None:
        super().__init__()
        self.attention_mode = attention_mode
        self.gate = BottleneckGate(
            n_timesteps, n_features, attention_mode=attention_mode, cell_evidence=cell_evidence
        )
        self.encoder = WindowLSTM(
            n_timesteps,
            n_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            position_embedding=position_embedding,
        )
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(2 * hidden_size, n_outputs)
        self.skip = nn.Linear(n_timesteps * n_features, n_outputs, bias=False)  # U / s
        nn.init.zeros_(self.skip.weight)
        self.register_buffer("skip_scale", torch.ones(()))  # s
        self.sensitivity = gate_sensitivity

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Predict (B, O); in training, return the L0 penalty of the gates (B,) too."""
        prediction, _, penalty = self._run(X, mask)
        return (prediction, penalty) if self.training else prediction

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the attention weights that the mode defines and their sources.

        The sources are ``"gate"`` and ``"gate_sensitivity"``, of the shape of the mode's own
        weights.
        """
        prediction, gates = self.predict_with_gates(X, mask)
        sensitivity = self.sensitivity(self.gate, X, mask)
        relevance = torch.maximum(gates, sensitivity)
        if self.gate.evidence is not None:
            relevance = relevance + CLOSED_RELEVANCE * self.gate.openness(X, mask)
        relevance = override_gates(relevance, mask)
        weights = attention_of_mode(cell_attention(relevance, mask), self.attention_mode)
        # All cells of a step, or of a feature, have the same gate, except padding.
        if self.attention_mode == "time":
            gates, sensitivity = gates.amax(dim=2), sensitivity.amax(dim=2)  # (B, T)
        elif self.attention_mode == "feature":
            gates, sensitivity = gates.amax(dim=1), sensitivity.amax(dim=1)  # (B, F)
        return prediction, weights | {"gate": gates, "gate_sensitivity": sensitivity}

    def predict_with_gates(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict (B, O), and return the gates (B, T, F); faster than :meth:`attend`."""
        prediction, gates, _ = self._run(X, mask)
        return prediction, gates

    def predict_exchanged(
        self,
        X: Tensor,
        mask: Tensor | None = None,
        *,
        gates: Tensor,
        inputs: Tensor,
        signs: Tensor,
    ) -> Tensor:
        """Predict (B, O) with the inputs of some gates replaced by those of other gates.

        Parameters
        ----------
        X : Tensor of shape (B, T, F)
        mask : Tensor of shape (B, T) or None, default=None
        gates, inputs : Tensor of int of shape (n,)
            Numbers of the gates, and of those whose inputs they get, in the order of
            :meth:`BottleneckGate.group_by_gate`.
        signs : Tensor of shape (n,)
            Factors of these inputs.
        """
        Z, values, _ = self.gate(X, mask)
        group = self.gate.group_by_gate
        Z, values, X = group(Z), group(values), group(zero_padding(X, mask))
        Z[:, gates] = values[:, gates] * X[:, inputs] * signs[:, None]
        return self._predict(self.gate.ungroup(Z), mask)

    @torch.no_grad()
    def expand(self, group: Tensor) -> None:
        """Open a group of gates fully, and scale the weights of its cells down by as much.

        The weights of the skip connection are scaled by the mean of the group's gates before. So
        are the LSTM's, which belong to features: this affects other open cells of these features.

        Parameters
        ----------
        group : Tensor of bool, of the shape of the mode
        """
        T, F = self.gate.input_logits.shape
        fraction = self.gate.expand(group)
        cells = group.expand(T, F)
        self.skip.weight.mul_(torch.where(cells.flatten(), fraction, 1.0))
        self.encoder.lstm.get_parameter("weight_ih_l0")[:, :F].mul_(
            torch.where(cells.any(dim=0), fraction, 1.0)
        )

    @torch.no_grad()
    def slow_skip_connection(self) -> None:
        """Make the skip connection learn more slowly, without changing the prediction.

        An optimizer such as Adam changes all weights by the same amount, so the prediction of a
        linear map changes the more, the more inputs it has. The map is s times its weights; s is
        lowered from 1 to min(1, √(20 / (T F))), and the weights are divided by it.
        """
        scale = min(1.0, (SKIP_INPUTS / self.skip.in_features) ** 0.5)
        self.skip.weight.mul_(self.skip_scale / scale)
        self.skip_scale.fill_(scale)

    def _run(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        Z, gates, penalty = self.gate(X, mask)
        return self._predict(Z, mask), gates, penalty

    def _predict(self, Z: Tensor, mask: Tensor | None) -> Tensor:
        """Predict (B, O) from gated inputs (B, T, F)."""
        states = self.encoder(Z, mask)  # (B, T, H)
        context = torch.cat([states[:, -1], masked_mean(states, mask)[:, 0]], dim=1)  # (B, 2 H)
        prediction: Tensor = self.head(self.dropout(context))
        linear: Tensor = self.skip(Z.flatten(1))
        return prediction + self.skip_scale * linear
