"""DA-RNN's first stage: an LSTM whose own state weighs the features of its next input.

In the loop the batch is the last axis. Equation numbers are those of Qin et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._encoder import PositionEmbedding
from ._padding import masked_softmax, zero_padding
from ._recurrence import additive_logits, double_g, lstm_linear, lstm_update


class InputAttentionEncoder(nn.Module):
    """Read a window by an LSTM whose last state weighs the features of the next step.

    ``e_t^k = v_eᵀ tanh(W_e [h_{t-1}; s_{t-1}] + U_e x^k)``, ``α_t = softmax_k e_t``,
    ``h_t = LSTM(α_t ⊙ x_t, h_{t-1})``: the keys are the features' whole series x^k. Without the
    tanh, the term of the state is the same for all k, the softmax cancels it, and α is the same
    at every step.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F (their n).
    hidden_size : int, default=32
        H, their m.
    score_size : int, default=None
        Number S of tanh units; None takes T, as the paper does.
    rescale : bool, default=True
        Multiply α_t ⊙ x_t by F, so that uniform weights leave the input unchanged; False is the
        paper.
    position_embedding : bool, default=True
        Put a learned vector of the step's position beside α_t ⊙ x_t; False is the paper.

    **Shape**: X (B, T, F), mask (B, T) or None → states (B, T, H), weights (B, T, F), which sum to
    1 over the features at each observed step and are 0 at the others.

    **Source**: Qin et al. 2017, eq. 2 to 11. ``state``, ``series`` and ``value`` are their W_e, U_e
    and v_e (Keras kernels transposed). ``gates.weight`` is [W_x, W_h], gates in the order
    i, f, g, o; a Keras ``LSTM`` carries over as W_x = kernel.T, W_h = recurrent_kernel.T,
    ``gates.bias = bias``.

    Examples
    --------
    >>> import torch
    >>> states, weights = InputAttentionEncoder(10, 3, hidden_size=16)(torch.randn(4, 10, 3))
    >>> states.shape, weights.shape
    (torch.Size([4, 10, 16]), torch.Size([4, 10, 3]))
    """

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        *,
        hidden_size: int = 32,
        score_size: int | None = None,
        rescale: bool = True,
        position_embedding: bool = True,
    ) -> None:
        super().__init__()
        units = n_timesteps if score_size is None else score_size
        self.state = nn.Linear(2 * hidden_size, units, bias=False)  # W_e
        self.series = nn.Linear(n_timesteps, units, bias=False)  # U_e
        self.value = nn.Linear(units, 1, bias=False)  # v_e
        self.gates = lstm_linear(n_features, hidden_size)
        bound = hidden_size**-0.5
        self.position = PositionEmbedding(n_timesteps) if position_embedding else None
        self.position_gates: nn.Parameter | None = None
        if self.position is not None:  # the gates' columns of the position embedding
            size = (4 * hidden_size, self.position.size)
            self.position_gates = nn.Parameter(nn.init.uniform_(torch.empty(size), -bound, bound))
        self.hidden_size = hidden_size
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, F = X.shape
        X = zero_padding(X, mask)
        series = X.permute(1, 2, 0).contiguous()  # (T, F, B)
        inputs = series * F if self.rescale else series
        # Before the loop: U_e x^k, the same at every step; the arguments of tanh are doubled.
        keys = torch.mm(2 * self.series.weight, series.flatten(1)).view(-1, F, B)  # (S, F, B)
        w_e, v_e = 2 * self.state.weight, 2 * self.value.weight  # (S, 2H), (1, S)
        bias = self.gates.bias[:, None].expand(-1, T)  # (4H, T)
        if self.position is not None and self.position_gates is not None:
            bias = bias + self.position_gates @ self.position.weight.t()
        biases = torch.split(double_g(bias), 1, dim=1)
        w_x, w_h = torch.split(double_g(self.gates.weight), [F, self.hidden_size], dim=1)
        s = X.new_zeros(self.hidden_size, B)
        query, past = None, biases[0]  # terms of the previous state, which is zero at first
        states, weights = [], []
        for t in range(T):
            logits = additive_logits(query, keys, v_e)  # eq. 8: (F, B)
            alpha = masked_softmax(logits, None, dim=0)  # eq. 9: (F, B)
            gates = torch.addmm(past, w_x, alpha * inputs[t])  # eq. 10: W [x̃; h] + b (4H, B)
            h, s = lstm_update(gates, s)  # eq. 3 to 7, 11
            if mask is not None:  # the state is 0 before the first observed step
                h, s, alpha = h * mask[:, t], s * mask[:, t], alpha * mask[:, t]
            if t + 1 < T:
                query = torch.mm(w_e, torch.cat([h, s]))  # W_e [h; s]: (S, B)
                past = torch.addmm(biases[t + 1], w_h, h)  # (4H, B)
            states.append(h)
            weights.append(alpha)
        return torch.stack(states, dim=1).permute(2, 1, 0), torch.stack(weights).permute(2, 0, 1)
