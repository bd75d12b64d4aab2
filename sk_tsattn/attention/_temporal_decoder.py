"""DA-RNN's second stage: a decoder LSTM that attends to all encoder states at every step.

In the loop the batch is the last axis. Equation numbers are those of Qin et al. 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._padding import masked_softmax
from ._recurrence import additive_logits, double_g, lstm_linear, lstm_update


class TemporalAttentionDecoder(nn.Module):
    """Predict from encoder states by an LSTM that attends to all of them at every step.

    ``l_t^i = v_dᵀ tanh(W_d [d_{t-1}; s'_{t-1}] + U_d h_i)``, ``β_t = softmax_i l_t``,
    ``c_t = Σ_i β_t^i h_i``, ``ỹ_t = w̃ᵀ [y_t; c_t] + b̃``, ``d_t = LSTM(ỹ_t, d_{t-1})``, and at the
    end ``ŷ = V_y (W_y [d_T; c_T] + b_w) + b_v``.

    A window ends with y_T, the newest known target, where the paper knows y_1 … y_{T-1} and
    predicts y_T; so the history enters without the paper's shift by one step. Without a history
    the decoder's inputs are the contexts alone.

    Parameters
    ----------
    hidden_size : int
        H, size of the encoder's states and of the decoder's, their m and p.
    n_outputs : int
        O.
    history : bool, default=False
        Whether ``forward`` is given the target's history.

    **Shape**: states (B, T, H), history (B, T) or None, mask (B, T) or None → (B, O), weights
    (B, T): β_T, those of the context c_T that the prediction reads.

    **Source**: Qin et al. 2017, eq. 12 to 22. ``state``, ``key``, ``value``, ``combine``,
    ``hidden`` and ``output`` are their W_d, U_d, v_d, [w̃_c, w̃_y] with b̃, W_y with b_w, and v_y
    with b_v (Keras kernels transposed); ``gates`` as in :class:`InputAttentionEncoder`.

    Examples
    --------
    >>> import torch
    >>> prediction, weights = TemporalAttentionDecoder(16, 1)(torch.randn(4, 10, 16))
    >>> prediction.shape, weights.shape
    (torch.Size([4, 1]), torch.Size([4, 10]))
    """

    def __init__(self, hidden_size: int, n_outputs: int, *, history: bool = False) -> None:
        super().__init__()
        self.state = nn.Linear(2 * hidden_size, hidden_size, bias=False)  # W_d
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)  # U_d
        self.value = nn.Linear(hidden_size, 1, bias=False)  # v_d
        self.combine = nn.Linear(hidden_size + history, 1)  # w̃, b̃
        self.gates = lstm_linear(1, hidden_size)
        self.hidden = nn.Linear(2 * hidden_size, hidden_size)  # W_y, b_w
        self.output = nn.Linear(hidden_size, n_outputs)  # v_y, b_v
        self.hidden_size = hidden_size

    def forward(
        self, states: Tensor, history: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        B, T, H = states.shape
        encoded = states.permute(2, 1, 0).contiguous()  # h_i: (H, T, B)
        # Before the loop: U_d h_i and w̃_cᵀ h_i, the same at every step (the mean of the latter
        # under β is w̃_cᵀ c), and the doubling of the arguments of tanh.
        keys = torch.mm(2 * self.key.weight, encoded.flatten(1)).view(H, T, B)
        w_d, v_d = 2 * self.state.weight, 2 * self.value.weight  # (H, 2H), (1, H)
        sizes = [H, self.combine.in_features - H]
        w_c, w_y = torch.split(self.combine.weight, sizes, dim=1)
        inputs = torch.addmm(self.combine.bias, w_c, encoded.flatten(1)).view(T, B)
        weight, bias = double_g(self.gates.weight), double_g(self.gates.bias)[:, None]
        observed = None if mask is None else mask.t()  # (T, B)
        d = s = states.new_zeros(H, B)
        beta = states.new_zeros(T, B)
        for t in range(T):
            query = torch.mm(w_d, torch.cat([d, s])) if t else None  # W_d [d; s']: (H, B)
            logits = additive_logits(query, keys, v_d)  # eq. 12: (T, B)
            beta = masked_softmax(logits, observed, dim=0)  # eq. 13
            y = (beta * inputs).sum(dim=0, keepdim=True)  # eq. 14, 15: ỹ_t (1, B)
            if history is not None:
                y = y + w_y * history[:, t]
            gates = torch.addmm(bias, weight, torch.cat([y, d]))  # W [ỹ; d] + b: (4H, B)
            d, s = lstm_update(gates, s)  # eq. 16 to 21
            if mask is not None:  # the state is 0 before the first observed step
                d, s = d * mask[:, t], s * mask[:, t]
        context = (beta * encoded).sum(dim=1)  # eq. 14: c_T (H, B)
        prediction = self.output(self.hidden(torch.cat([d, context]).t()))  # eq. 22: (B, O)
        return prediction, beta.t()
