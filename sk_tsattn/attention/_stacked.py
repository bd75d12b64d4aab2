"""The feature attention of a stacked network: an LSTM's states weigh the features of the input."""

from __future__ import annotations

from torch import Tensor, nn

from ._encoder import WindowLSTM
from ._padding import masked_softmax, zero_padding


class StackedFeatureGate(nn.Module):
    """Weigh the features of each step by an LSTM's state, ``A_t = softmax_f(W h_t + b)``.

    The first half of LSTM → attention → LSTM → attention. The usual way of stacking them weighs
    hidden units, and no weight belongs to a feature. Here the first LSTM is only the query: its
    state at t weighs the *features* of step t. The second LSTM reads only the weighted input; a
    readout over its states then weighs the *time steps*.

    :class:`DenseFeatureGate` is the case ``h_t = x_t``. In :class:`InputAttentionEncoder` the query
    is the second LSTM's own state, which needs a loop over time. Weights start uniform.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    hidden_size : int, default=32
        H, the size of the first LSTM's states.
    position_embedding : bool, default=True
        Put a learned vector of the step's position beside the first LSTM's input.
    rescale : bool, default=True
        Multiply by F, so that uniform weights leave the input unchanged.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F), which sum
    to 1 over the features at each observed step and are 0 at the others. They are causal: those of
    step t depend on steps 1 to t.

    **Source**: stacks of ``attention_3d_block`` (LSTM → block → LSTM → block), with the first block
    moved to the input. A Keras ``LSTM(H)`` and
    ``Dense(F, activation="softmax")`` carry over as ``encoder.lstm.weight_ih_l0 = kernel.T``,
    ``weight_hh_l0 = recurrent_kernel.T`` (both order gates i, f, g, o), ``bias_ih_l0 = bias``,
    ``bias_hh_l0 = 0``, ``score.weight = kernel.T``, ``score.bias = bias``.

    Examples
    --------
    >>> import torch
    >>> gated, weights = StackedFeatureGate(10, 3)(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        *,
        hidden_size: int = 32,
        position_embedding: bool = True,
        rescale: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = WindowLSTM(
            n_timesteps, n_features, hidden_size=hidden_size, position_embedding=position_embedding
        )
        self.score = nn.Linear(hidden_size, n_features)
        nn.init.zeros_(self.score.weight)
        nn.init.zeros_(self.score.bias)
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _, _, F = X.shape
        states = self.encoder(X, mask)  # h_t: (B, T, H)
        weights = masked_softmax(self.score(states), None, dim=2)
        weights = zero_padding(weights, mask)  # A_t: (B, T, F)
        scale = F if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)
