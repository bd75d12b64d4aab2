"""Dropout from the fit's own generator, alone and between recurrent layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .._random import generator


class Dropout(nn.Module):
    """Set values to 0 at random in training, and scale the others by 1 / (1 - p).

    As ``torch.nn.Dropout``, but in a fit the values are drawn from the fit's own generator.

    Parameters
    ----------
    p : float, default=0.5
        Fraction of the values that are dropped.

    **Shape**: any → the same.

    Examples
    --------
    >>> import torch
    >>> sorted(Dropout(0.5)(torch.ones(1000)).unique().tolist())
    [0.0, 2.0]
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, X: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return X
        kept = torch.empty_like(X).bernoulli_(1 - self.p, generator=generator(X.device))
        return X * kept / (1 - self.p)

    def extra_repr(self) -> str:
        """Return the fraction, for the module's ``repr``."""
        return f"p={self.p}"


class UpperLayers(nn.Module):
    """Recurrent layers on top of a first one, with dropout before each.

    Those of ``nn.LSTM(num_layers=…, dropout=…)`` would draw from torch's global generator.

    Parameters
    ----------
    layer : type
        ``nn.LSTM`` or ``nn.GRU``.
    hidden_size : int
        H, the size of a state.
    n_layers : int
        Number of layers on top of the first; may be 0.
    dropout : float
        Fraction of the values dropped before each of them.

    **Shape**: states (B, T, H) → states (B, T, H).
    """

    def __init__(
        self, layer: type[nn.LSTM] | type[nn.GRU], hidden_size: int, n_layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            layer(hidden_size, hidden_size, batch_first=True) for _ in range(n_layers)
        )
        self.dropout = Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        for layer in self.layers:
            states = layer(self.dropout(states))[0]
        return states
