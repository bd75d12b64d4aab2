"""Bahdanau's additive score."""

from __future__ import annotations

from torch import Tensor, nn

from ._padding import masked_softmax
from ._tanh import tanh


class BahdanauScore(nn.Module):
    """Weigh items by a small network, ``α = softmax_l(vᵀ tanh(W q + U k_l))``.

    Parameters
    ----------
    key_size, query_size : int
        K and Q.
    score_size : int, default=None
        n′, the number of tanh units; None takes ``key_size``.

    **Shape**: keys (B, L, K), query (B, Q), mask (B, L) or None → weights (B, L).

    **Source**: Bahdanau, Cho and Bengio 2015, appendix A.1.2: W is their W_a, U their U_a, v their
    v_a; their query is the decoder's state. pip ``attention``'s ``score="bahdanau"`` carries over
    as ``query.weight = W1.T``, ``key.weight = W2.T``, ``value.weight = v.T``.

    Examples
    --------
    >>> import torch
    >>> BahdanauScore(16, 5)(torch.randn(4, 10, 16), torch.randn(4, 5)).shape
    torch.Size([4, 10])
    """

    def __init__(self, key_size: int, query_size: int, *, score_size: int | None = None) -> None:
        super().__init__()
        units = key_size if score_size is None else score_size
        self.query = nn.Linear(query_size, units, bias=False)  # W_a
        self.key = nn.Linear(key_size, units, bias=False)  # U_a
        self.value = nn.Linear(units, 1, bias=False)  # v_a

    def forward(self, keys: Tensor, query: Tensor, mask: Tensor | None = None) -> Tensor:
        units = tanh(self.query(query)[:, None, :] + self.key(keys))  # (B, L, n')
        logits = self.value(units)[:, :, 0]  # e_ij: (B, L)
        return masked_softmax(logits, mask, dim=1)  # α_ij: (B, L)

    def zero_(self) -> None:
        """Make the weights uniform, whatever the keys; training can still move them."""
        nn.init.zeros_(self.value.weight)
