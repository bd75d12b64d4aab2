"""Luong's multiplicative score."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._padding import masked_softmax


class LuongScore(nn.Module):
    """Weigh items by a bilinear form, ``α = softmax_l(k_lᵀ W q)``.

    Parameters
    ----------
    key_size, query_size : int
        K and Q.
    score : {"general", "dot"}, default="general"
        ``"dot"`` leaves W out, has no parameters and needs K = Q.

    **Shape**: keys (B, L, K), query (B, Q), mask (B, L) or None → weights (B, L).

    **Source**: Luong, Pham and Manning 2015, eq. 7 and 8. pip ``attention``'s
    ``score="luong"`` has ``score_s = h · (Hs[s] W)`` with a Dense kernel W; it carries over as
    ``query.weight = kernel``, **not** transposed, because it is applied to the query here (one
    product for a window instead of T).

    Examples
    --------
    >>> import torch
    >>> LuongScore(16, 5)(torch.randn(4, 10, 16), torch.randn(4, 5)).shape
    torch.Size([4, 10])
    """

    def __init__(self, key_size: int, query_size: int, *, score: str = "general") -> None:
        super().__init__()
        if score not in ("general", "dot"):
            raise ValueError(f"score must be 'general' or 'dot'. Got {score!r} instead.")
        if score == "dot" and key_size != query_size:
            raise ValueError(
                "score='dot' needs keys and query of one size. Got keys of "
                f"{key_size} and a query of {query_size} values; use score='general', or, for "
                "attention over features, query='mean'."
            )
        self.query = nn.Linear(query_size, key_size, bias=False) if score == "general" else None

    def forward(self, keys: Tensor, query: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.query is not None:
            query = self.query(query)  # W q: (B, K)
        logits = torch.einsum("blk,bk->bl", keys, query)  # eq. 8
        return masked_softmax(logits, mask, dim=1)  # eq. 7: (B, L)

    def zero_(self) -> None:
        """Make the weights uniform, whatever the keys; training can still move them."""
        if self.query is not None:
            nn.init.zeros_(self.query.weight)
