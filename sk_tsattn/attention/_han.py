"""Attention with a learned query, as in hierarchical attention networks (HAN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._padding import masked_softmax
from ._tanh import tanh


class HANScore(nn.Module):
    """Weigh items by a learned query u_w, ``α = softmax_l(u_wᵀ tanh(W k_l + b))``.

    The query is a parameter: the same for all windows.

    Parameters
    ----------
    key_size : int
        K.
    score_size : int, default=None
        Size S of the tanh layer; None takes ``key_size``.

    **Shape**: keys (B, L, K), mask (B, L) or None → weights (B, L). A ``query`` may be passed,
    as to the other scores, and is ignored.

    **Source**: Yang et al. 2016, eq. 5 and 6. A Keras layer with ``Dense(S, activation="tanh")``
    and a vector u_w (S,) carries over as ``key.weight = kernel.T``, ``key.bias = bias``,
    ``query.weight = u_w[None, :]``.

    Examples
    --------
    >>> import torch
    >>> HANScore(16)(torch.randn(4, 10, 16)).shape
    torch.Size([4, 10])
    """

    def __init__(self, key_size: int, *, score_size: int | None = None) -> None:
        super().__init__()
        units = key_size if score_size is None else score_size
        self.key = nn.Linear(key_size, units)  # W, b
        self.query = nn.Linear(units, 1, bias=False)  # u_w

    def forward(
        self, keys: Tensor, query: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        units = tanh(self.key(keys))  # eq. 5: u_it (B, L, S)
        logits = self.query(units)[:, :, 0]  # u_itᵀ u_w: (B, L)
        return masked_softmax(logits, mask, dim=1)  # eq. 6: (B, L)

    def zero_(self) -> None:
        """Make the weights uniform, whatever the keys; training can still move them."""
        nn.init.zeros_(self.query.weight)


class HANReadout(nn.Module):
    """Pool the states of a window with a learned query, ``s = Σ_t α_t h_t``.

    Parameters
    ----------
    hidden_size : int
        H, the size of a state.
    score_size : int, default=None
        See :class:`HANScore`.

    **Shape**: states (B, T, H), mask (B, T) or None → (B, H), weights (B, T).

    **Source**: Yang et al. 2016, eq. 5 to 7. The paper pools words, then sentences: positions at
    both levels.

    Examples
    --------
    >>> import torch
    >>> pooled, weights = HANReadout(16)(torch.randn(4, 10, 16))
    >>> pooled.shape, weights.shape
    (torch.Size([4, 16]), torch.Size([4, 10]))
    """

    def __init__(self, hidden_size: int, *, score_size: int | None = None) -> None:
        super().__init__()
        self.score = HANScore(hidden_size, score_size=score_size)
        self.output_size = hidden_size

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        weights = self.score(states, mask=mask)  # eq. 6: (B, T)
        return torch.einsum("bt,bth->bh", weights, states), weights  # eq. 7: (B, H)
