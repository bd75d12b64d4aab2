"""The network of an attention LSTM: gate on the input → LSTM → readout of its states → head."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from ._dropout import Dropout
from ._encoder import WindowLSTM
from ._normalize import attention_of_mode, cell_attention
from ._padding import zero_padding
from ._registry import (
    ATTENTION_MODES,
    attention_places,
    check_attention_params,
    options_of,
)
from ._wrappers import ScoreFeatureGate, ScoreReadout

__all__ = ["ATTENTION_MODES", "AttentionLSTM", "build_network"]


class AttentionLSTM(nn.Module):
    """Predict from a window with an LSTM, with attention before it, after it, or both.

    ``X → gate → [x̃_t; p_t] → LSTM → readout → linear head``. Without a gate the LSTM reads X
    itself; without a readout the head reads the newest state.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"} or None, default=None
        Which weights :meth:`attend` returns.
    gate : nn.Module or None, default=None
        X (B, T, F), mask → gated X (B, T, F), weights (B, T, F), as in
        :class:`~sk_tsattn.attention.DenseFeatureGate`.
    readout : nn.Module or None, default=None
        states (B, T, H), mask → (B, ``readout.output_size``), weights (B, T), as in
        :class:`~sk_tsattn.attention.ScoreReadout`.
    hidden_size, num_layers : int
        Size H of the LSTM's states, and number of its layers.
    dropout : float, default=0.0
        Fraction of the values dropped between LSTM layers and before the head.
    position_embedding : bool, default=True
        Concatenate a learned vector of the step's position to the LSTM's input.

    **Shape**: X (B, T, F), mask (B, T) or None → (B, O). ``mask`` is True where a step was
    observed; padding is at the old end, has no influence, and gets zero weight.

    Examples
    --------
    >>> import torch
    >>> from sk_tsattn.attention import DenseFeatureGate
    >>> network = AttentionLSTM(10, 3, 1, attention_mode="feature", gate=DenseFeatureGate(3))
    >>> prediction, weights = network.attend(torch.randn(4, 10, 3))
    >>> prediction.shape, weights["feature"].shape
    (torch.Size([4, 1]), torch.Size([4, 3]))
    """

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        n_outputs: int,
        *,
        attention_mode: str | None = None,
        gate: nn.Module | None = None,
        readout: nn.Module | None = None,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        position_embedding: bool = True,
    ) -> None:
        super().__init__()
        self.attention_mode = attention_mode
        self.gate = gate
        self.encoder = WindowLSTM(
            n_timesteps,
            n_features,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            position_embedding=position_embedding,
        )
        self.readout = readout
        self.dropout = Dropout(dropout)
        output_size: Any = hidden_size if readout is None else readout.output_size
        self.head = nn.Linear(output_size, n_outputs)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict, (B, O)."""
        return self._run(X, mask)[0]

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the attention weights that the mode defines.

        Each is a distribution per sample: "time" (B, T), "feature" (B, F), and in mode "both" also
        "cell" (B, T, F), of which the other two are the marginals.
        """
        prediction, gate_weights, time = self._run(X, mask)
        if self.attention_mode is None:
            return prediction, {}
        if gate_weights is None:
            assert time is not None, "a mode needs a gate or a readout"
            return prediction, {"time": time}
        cell = cell_attention(gate_weights, mask)  # (B, T, F)
        if time is not None:  # p(t, f) = p(t) p(f | t)
            total = cell.sum(dim=2, keepdim=True)  # of a step
            cell = time[:, :, None] * cell / total.clamp_min(torch.finfo(cell.dtype).tiny)
        return prediction, attention_of_mode(cell, self.attention_mode)

    def _run(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the prediction, and the weights of the gate (B, T, F) and the readout (B, T)."""
        X = zero_padding(X, mask)
        gate_weights = time = None
        if self.gate is not None:
            X, gate_weights = self.gate(X, mask)  # (B, T, F), (B, T, F)
        states = self.encoder(X, mask)  # (B, T, H)
        context = states[:, -1]  # (B, H)
        if self.readout is not None:
            context, time = self.readout(states, mask)  # (B, output_size), (B, T)
        return self.head(self.dropout(context)), gate_weights, time


def build_network(
    *,
    attention: str,
    attention_mode: str | None,
    n_timesteps: int,
    n_features: int,
    n_outputs: int,
    hidden_size: int = 32,
    num_layers: int = 1,
    dropout: float = 0.0,
    position_embedding: bool = True,
    attention_params: dict[str, Any] | None = None,
) -> nn.Module:
    """Build the network of a mechanism in a mode.

    Parameters
    ----------
    attention : str
        A key of :data:`~sk_tsattn.attention.ATTENTION_MECHANISMS`.
    attention_mode : {"time", "feature", "both"} or None
        Axis of the attention; None builds the plain LSTM.
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    hidden_size, num_layers, dropout, position_embedding
        See :class:`AttentionLSTM`.
    attention_params : dict or None, default=None
        Options of the mechanism, see :func:`~sk_tsattn.attention.attention_options`. A mode
        ignores the options of the mechanism's other modes.

    Returns
    -------
    nn.Module
        With ``forward(X, mask=None)``, the prediction (B, O), and ``attend(X, mask=None)``, the
        prediction and a dict of weights with the keys that the mode defines.

    Raises
    ------
    ValueError
        If the mechanism, the mode, their combination or an option does not exist.

    Examples
    --------
    >>> import torch
    >>> network = build_network(
    ...     attention="luong", attention_mode="both", n_timesteps=10, n_features=3, n_outputs=2
    ... )
    >>> network(torch.randn(4, 10, 3)).shape
    torch.Size([4, 2])
    """
    options = dict(attention_params or {})
    check_attention_params(attention, options)
    arguments = {
        "attention_mode": attention_mode,
        "n_timesteps": n_timesteps,
        "n_features": n_features,
        "n_outputs": n_outputs,
        "hidden_size": hidden_size,
        "num_layers": num_layers,
        "dropout": dropout,
        "position_embedding": position_embedding,
    }
    if attention_mode is None:
        return AttentionLSTM(**arguments)  # type: ignore[arg-type]
    places = attention_places(attention, attention_mode)
    if "network" in places:
        return _construct(places["network"], arguments, options)
    gate = readout = None
    if "gate" in places:
        gate = _construct(places["gate"], arguments, options)
    if "feature_score" in places:
        query_size = n_timesteps if options.get("query") == "mean" else n_features
        sizes = {"key_size": n_timesteps, "query_size": query_size}
        score = _construct(places["feature_score"], arguments | sizes, options)
        gate = _construct(ScoreFeatureGate, arguments | {"score": score}, options)
    if "readout" in places:
        readout = _construct(places["readout"], arguments, options)
    if "time_score" in places:
        sizes = {"key_size": hidden_size, "query_size": hidden_size}
        score = _construct(places["time_score"], arguments | sizes, options)
        readout = _construct(ScoreReadout, arguments | {"score": score}, options)
    return AttentionLSTM(**arguments, gate=gate, readout=readout)  # type: ignore[arg-type]


def _construct(
    cls: type[nn.Module], arguments: dict[str, Any], options: dict[str, Any]
) -> nn.Module:
    """Build a module with those of the arguments and options that its constructor names."""
    named = inspect.signature(cls).parameters
    given = {name: value for name, value in arguments.items() if name in named}
    given |= {name: options[name] for name in options_of(cls) if name in options}
    return cls(**given)
