"""The recurrent encoder that most mechanisms share: position embedding, padding, fused LSTM."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._dropout import UpperLayers
from ._padding import newest_last, observed_first


class PositionEmbedding(nn.Module):
    """Concatenate a learned vector to every step's input: ``[x_t; p_t]``.

    An LSTM cannot count well enough to find a fixed step of a window; with p_t it need not.
    Positions are relative to the newest step (the last row of ``weight``), so they stay valid for
    windows with left padding.

    Parameters
    ----------
    n_timesteps : int
        T, the length of the windows.
    size : int, default=8
        Length P of each p_t.

    **Shape**: (B, T, K) → (B, T, K + P).

    Examples
    --------
    >>> import torch
    >>> PositionEmbedding(10)(torch.randn(4, 10, 3)).shape
    torch.Size([4, 10, 11])
    """

    def __init__(self, n_timesteps: int, *, size: int = 8) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_timesteps, size))
        self.size = size

    def forward(self, X: Tensor) -> Tensor:
        B, T, _ = X.shape
        return torch.cat([X, self.weight.expand(B, T, self.size)], dim=2)  # (B, T, K + P)


class WindowLSTM(nn.Module):
    """LSTM states of a window, ``h_1 … h_T = LSTM([x_1; p_1] … [x_T; p_T])``.

    ``nn.LSTM`` cannot skip padding at the old end. Each window is therefore rolled until its
    observed steps come first, and the states are rolled back: padding does not affect the state
    of an observed step.

    Parameters
    ----------
    n_timesteps, input_size : int
        T and the number of values per step.
    hidden_size : int, default=32
        H, the size of a state.
    num_layers : int, default=1
        Number of stacked LSTM layers.
    dropout : float, default=0.0
        Fraction of the values dropped between the layers; no effect with one layer.
    position_embedding : bool, default=True
        Concatenate a :class:`PositionEmbedding` to the input.

    **Shape**: (B, T, K), mask (B, T) or None → states (B, T, H). States at padded steps
    are undefined.

    Examples
    --------
    >>> import torch
    >>> WindowLSTM(10, 3, hidden_size=16)(torch.randn(4, 10, 3)).shape
    torch.Size([4, 10, 16])
    """

    def __init__(
        self,
        n_timesteps: int,
        input_size: int,
        *,
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        position_embedding: bool = True,
    ) -> None:
        super().__init__()
        self.position = PositionEmbedding(n_timesteps) if position_embedding else None
        self.lstm = nn.LSTM(
            input_size + (self.position.size if self.position is not None else 0),
            hidden_size,
            batch_first=True,
        )
        self.upper = UpperLayers(nn.LSTM, hidden_size, num_layers - 1, dropout)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.position is not None:
            X = self.position(X)  # (B, T, K + P)
        if mask is None:
            states: Tensor = self.upper(self.lstm(X)[0])  # (B, T, H)
            return states
        states = self.upper(self.lstm(observed_first(X, mask))[0])
        return newest_last(states, mask)  # (B, T, H)
