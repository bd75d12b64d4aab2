"""DA-RNN: input attention in the encoder, temporal attention in the decoder."""

from __future__ import annotations

from torch import Tensor, nn

from ._dropout import Dropout
from ._encoder import WindowLSTM
from ._input_attention import InputAttentionEncoder
from ._normalize import attention_of_mode, cell_attention
from ._padding import zero_padding
from ._temporal_decoder import TemporalAttentionDecoder


class DARNN(nn.Module):
    """Predict from a window by input attention, temporal attention, or both stages.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        ``"both"`` is the paper. ``"feature"``: the input attention encoder, whose newest state a
        linear head reads. ``"time"``: a plain LSTM encoder and the decoder.
    hidden_size : int, default=32
        H, the size of encoder and decoder states.
    num_layers : int, default=1
        LSTM layers of the encoder; those above the first are plain.
    dropout : float, default=0.0
        Fraction of the values dropped between the layers and of the encoder's states.
    position_embedding : bool, default=True
        Put a learned vector of the step's position beside the encoder's input.
    target_feature : int, default=None
        Which column of X is the target's own history: the decoder reads it, as in the paper. It
        stays one of the driving series too, so that its feature attention is known. None: the
        decoder's inputs are the contexts alone.
    score_size, rescale
        See :class:`InputAttentionEncoder`.

    **Shape**: X (B, T, F), mask (B, T) or None → (B, O). Attention on a cell is β_{T,t} α_{t,f}:
    the last decoder step's weight of the encoder state times that state's weight of the feature.

    **Source**: Qin et al. 2017.

    Examples
    --------
    >>> import torch
    >>> DARNN(10, 3, 1, target_feature=2)(torch.randn(4, 10, 3)).shape
    torch.Size([4, 1])
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
        target_feature: int | None = None,
        score_size: int | None = None,
        rescale: bool = True,
    ) -> None:
        super().__init__()
        if target_feature is not None and not 0 <= target_feature < n_features:
            raise ValueError(
                f"target_feature must be the index of one of the {n_features} features, 0 to "
                f"{n_features - 1}, or None. Got {target_feature!r} instead."
            )
        self.attention_mode = attention_mode
        self.target_feature = target_feature
        self.input_attention: InputAttentionEncoder | None = None
        self.encoder: WindowLSTM | None = None
        if attention_mode == "time":
            self.encoder = WindowLSTM(
                n_timesteps,
                n_features,
                hidden_size=hidden_size,
                num_layers=num_layers,
                dropout=dropout,
                position_embedding=position_embedding,
            )
        else:
            self.input_attention = InputAttentionEncoder(
                n_timesteps,
                n_features,
                hidden_size=hidden_size,
                score_size=score_size,
                rescale=rescale,
                position_embedding=position_embedding,
            )
            if num_layers > 1:
                self.encoder = WindowLSTM(
                    n_timesteps,
                    hidden_size,
                    hidden_size=hidden_size,
                    num_layers=num_layers - 1,
                    dropout=dropout,
                    position_embedding=False,
                )
        self.dropout = Dropout(dropout)
        if attention_mode == "feature":
            self.head: nn.Module = nn.Linear(hidden_size, n_outputs)
        else:
            history = target_feature is not None
            self.head = TemporalAttentionDecoder(hidden_size, n_outputs, history=history)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict, (B, O)."""
        return self._run(X, mask)[0]

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the attention weights that the mode defines."""
        prediction, alpha, beta = self._run(X, mask)
        if alpha is None:
            assert beta is not None
            return prediction, {"time": beta}
        if beta is None:
            return prediction, attention_of_mode(cell_attention(alpha, mask), "feature")
        return prediction, attention_of_mode(beta[:, :, None] * alpha, "both")

    def _run(self, X: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the prediction (B, O), α (B, T, F) and β_T (B, T), or None, by the mode."""
        X = zero_padding(X, mask)
        states, alpha = X, None
        if self.input_attention is not None:
            states, alpha = self.input_attention(X, mask)  # (B, T, H), α (B, T, F)
        if self.encoder is not None:
            states = self.encoder(states, mask)  # (B, T, H)
        states = self.dropout(states)
        if self.attention_mode == "feature":
            return self.head(states[:, -1]), alpha, None
        history = None if self.target_feature is None else X[:, :, self.target_feature]
        prediction, beta = self.head(states, history, mask)  # (B, O), β_T (B, T)
        return prediction, alpha, beta
