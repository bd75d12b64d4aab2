"""An information bottleneck on the input: what a closed gate hides, no later layer can use."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .._encoder import WindowLSTM
from .._normalize import attention_of_mode, cell_attention
from .._padding import masked_mean, zero_padding
from .._uniform import override_gates
from ._gate import BottleneckGate

# A slow linear map of more inputs than these moves the prediction, by a step of all of its weights,
# as one of so many does.
MAP_INPUTS = 20


class BottleneckLSTM(nn.Module):
    r"""Gates → LSTM and, beside it, a linear map of the open cells.

    .. math:: \hat y = V\,[h_T; \tfrac{1}{T} \textstyle\sum_t h_t] + c + \sum_{t,f} U_{tf}\, z_{tf},
        \qquad h = \mathrm{LSTM}([z_1; p_1] \dots [z_T; p_T])

    In training, :class:`BottleneckGate` draws its gates and asks a penalty for those that are open,
    which ``forward`` gives beside the prediction. Attention is the greater of a cell's gate and its
    :meth:`~BottleneckGate.sensitivity`, normalised: a marker or a switch that is itself closed, but
    decides what is open, has a part in the prediction too. Gates alone say how much of the input
    is used at all: where nothing can be learnt, all of them close.

    The mean state is there because closed cells lie between an open one and the newest step; the
    LSTM need not carry a value across all of them. What is linear is learnt in a few epochs by U;
    then U is slowed (:meth:`slow_skip_connection`), since of many inputs that are alike each of its steps would
    move the prediction by much, and it would stay near a linear one.

    The estimator trains it in phases: *learn* with free gates, while and behind which features are
    shut that only do harm; *squeeze*, the penalty rising until only what is worth a lot stays open;
    *relax*, the penalty falling and gates reopening in the order of their worth; then the sparsest
    gates within ``tolerance`` are taken, those used next to nowhere and features that are not
    needed are closed for good, and the rest is *refit* without noise; before that, what validated
    better, but not surely, while more was open is *tried*: it is refit and stands if it surely is
    better then; behind it, what there is *doubt* about is closed too, and at last what is *idle*:
    open gates that the network has learnt to ignore. Where the same gates for all windows do as
    well as steered ones, or fewer gates as well as more, those stand. Where inputs say the same,
    each with noise of its own, so that they can be exchanged at next to no cost in error, all of
    their gates *share* instead, wholly open: a few would do, and which would be chance. The weights
    that are compared, and kept, are averages over the last steps (Polyak and Juditsky,
    "Acceleration of Stochastic Approximation by Averaging", SIAM J. Control Optim. 1992), whose
    error jitters less.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        What is gated.
    hidden_size, num_layers, dropout, position_embedding
        See :class:`WindowLSTM`; dropout acts before the linear head too.

    **Shape**: (B, T, F), mask (B, T) or None → (B, O); in training also the penalty (B,).

    **Source**: gates as in Louizos, Welling and Kingma, "Learning Sparse Neural Networks through L0
    Regularization" (ICLR 2018), eq. 10 and 11, on cells of the input instead of weights; a gate
    costs the softplus, not the sigmoid, of the argument of eq. 12, whose slope does not vanish.
    Hiding input to explain as in Schulz et al., "Restricting the Flow: Information Bottlenecks for
    Attribution" (ICLR 2020); the linear map as in LSTNet (Lai et al., SIGIR 2018,
    section 3.6). The gating_network and the training are this library's own.

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
    ) -> None:
        super().__init__()
        self.attention_mode = attention_mode
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
        self.skip = nn.Linear(n_timesteps * n_features, n_outputs, bias=False)  # U / s
        nn.init.zeros_(self.skip.weight)
        self.register_buffer("skip_scale", torch.ones(()))  # s

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Predict, (B, O); in training also give the penalty of the open gates, (B,)."""
        prediction, _, penalty = self._run(X, mask)
        return (prediction, penalty) if self.training else prediction

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and give the weights that the mode defines and what they come from.

        Those are ``"gate"`` and ``"gate_sensitivity"``, of the shape of the mode's own weights.
        """
        prediction, gates = self.predict_with_gates(X, mask)
        steering = self.gate.sensitivity(X, mask)
        used = override_gates(torch.maximum(gates, steering), mask)
        weights = attention_of_mode(cell_attention(used, mask), self.attention_mode)
        # Of a step, or of a feature, all cells have the same gate, but for padding.
        of_mode = {"both": lambda w: w, "time": lambda w: w.amax(2), "feature": lambda w: w.amax(1)}
        own = of_mode[self.attention_mode]
        return prediction, weights | {"gate": own(gates), "gate_sensitivity": own(steering)}

    def predict_with_gates(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Predict (B, O), and give the gates (B, T, F), which is all that it takes."""
        prediction, gates, _ = self._run(X, mask)
        return prediction, gates

    def ablate_gates(
        self, X: Tensor, mask: Tensor | None = None
    ) -> Iterator[tuple[tuple[int, int], Tensor, Tensor, Tensor]]:
        """Predict without each gate in turn, from the windows in which it is open.

        Yields its place among the mode's gates, (t, f); how far it is open in each window, (B,);
        and the predictions (B', O) with and without it of the B' windows in which it is.
        """
        Z, gates, _ = self.gate(X, mask)
        prediction = self._predict(Z, mask)
        Z = self.gate.group_by_gate(Z)
        opened = self.gate.group_by_gate(gates).amax(dim=2)  # but for padding, all are the same
        for t, f in torch.nonzero(self.gate.active).tolist():
            place = t * self.gate.active.shape[1] + f
            which = opened[:, place].nonzero()[:, 0]
            if len(which):
                without = Z[which]
                without[:, place] = 0.0
                observed = None if mask is None else mask[which]
                other = self._predict(self.gate.ungroup(without), observed)
                yield (t, f), opened[:, place], prediction[which], other

    def predict_exchanged(
        self,
        X: Tensor,
        mask: Tensor | None = None,
        *,
        gates: Tensor,
        inputs: Tensor,
        signs: Tensor,
    ) -> Tensor:
        """Predict (B, O) with some gates letting through, in place of their own, inputs of others.

        Gates and inputs are (n,) places in the order of :meth:`BottleneckGate.group_by_gate`, and the
        inputs are multiplied by signs (n,).
        """
        Z, opened, _ = self.gate(X, mask)
        Z, opened, X = (self.gate.group_by_gate(a) for a in (Z, opened, zero_padding(X, mask)))
        Z[:, gates] = opened[:, gates] * X[:, inputs] * signs[:, None]
        return self._predict(self.gate.ungroup(Z), mask)

    @torch.no_grad()
    def expand(self, places: Tensor) -> None:
        """Open gates, of the mode's shape, wholly, and read as much of them all together as before.

        Nothing may steer them. What else of their features is open is read as much less too, since
        the LSTM's weights are those of features.
        """
        T, F = self.gate.input_logits.shape
        share = self.gate.expand(places)
        cells = places.expand(T, F)
        self.skip.weight.mul_(torch.where(cells.flatten(), share, 1.0))
        self.encoder.lstm.get_parameter("weight_ih_l0")[:, :F].mul_(
            torch.where(cells.any(dim=0), share, 1.0)
        )

    @torch.no_grad()
    def slow_skip_connection(self) -> None:
        """Let the linear map be learnt more slowly from now on, without changing the prediction.

        It is s times its weights. An optimizer such as Adam moves all weights alike, and so the
        prediction by the more, the more inputs the map has: s is lowered from 1 to
        min(1, √(20 / (T F))). An optimizer that keeps its moments slows it more at first.
        """
        slow = min(1.0, (MAP_INPUTS / self.skip.in_features) ** 0.5)
        self.skip.weight.mul_(self.skip_scale / slow)
        self.skip_scale.fill_(slow)

    def _run(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        Z, gates, penalty = self.gate(X, mask)
        return self._predict(Z, mask), gates, penalty

    def _predict(self, Z: Tensor, mask: Tensor | None) -> Tensor:
        """Predict (B, O) from what the gates let through."""
        states = self.encoder(Z, mask)  # (B, T, H)
        context = torch.cat([states[:, -1], masked_mean(states, mask)[:, 0]], dim=1)  # (B, 2 H)
        return self.head(self.dropout(context)) + self.skip_scale * self.skip(Z.flatten(1))
