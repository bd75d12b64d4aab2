"""The two uses of a score: as a readout over the states of an LSTM, or as a gate on features.

A score maps ``keys (B, L, K), query (B, Q), mask`` to ``weights (B, L)``: non-negative, summing to
1 over the L items. The items are the T steps in the readout and the F features in the gate.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ._padding import zero_padding


class ScoreReadout(nn.Module):
    """Read a window's states with the newest as the query, ``a = tanh([c; h_T] W_c)``.

    ``c = Σ_t α_t h_t`` with ``α = score(h_1 … h_T, h_T)``. The newest state attends to itself too.

    Parameters
    ----------
    score : nn.Module
        keys (B, T, H), query (B, H), mask → weights (B, T); see :class:`LuongScore`.
    hidden_size : int
        H, the size of a state.
    units : int, default=None
        Size U of the result; None takes ``hidden_size``.

    **Shape**: states (B, T, H), mask (B, T) or None → (B, U), weights (B, T).

    **Source**: Luong et al. 2015, eq. 5, as in pip ``attention``'s ``Attention(units)``, whose
    ``attention_vector`` kernel W_c carries over as ``combine.weight = kernel.T``.

    Examples
    --------
    >>> import torch
    >>> from sk_tsattn.attention import LuongScore
    >>> attended, weights = ScoreReadout(LuongScore(16, 16), 16)(torch.randn(4, 10, 16))
    >>> attended.shape, weights.shape
    (torch.Size([4, 16]), torch.Size([4, 10]))
    """

    def __init__(self, score: nn.Module, hidden_size: int, *, units: int | None = None) -> None:
        super().__init__()
        self.score = score
        self.output_size = hidden_size if units is None else units
        self.combine = nn.Linear(2 * hidden_size, self.output_size, bias=False)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        newest = states[:, -1]  # h_T: (B, H)
        weights = self.score(states, newest, mask)  # α: (B, T)
        context = torch.einsum("bt,bth->bh", weights, states)  # c: (B, H)
        return self.combine(torch.cat([context, newest], dim=1)).tanh(), weights


class ScoreFeatureGate(nn.Module):
    """Weigh features by their series, ``x̃_{t,f} = F α_f x_{t,f}``.

    ``α = score(series of each feature, query)``: one key per feature, its T values in the window.
    A score depends on the contents alone, not on which feature they belong to. Weights start
    uniform.

    Parameters
    ----------
    score : nn.Module
        keys (B, F, T), query → weights (B, F); see :class:`LuongScore`. Its ``zero_()`` is called
        if it has one.
    query : {"newest", "mean"}, default="newest"
        ``"newest"``: the newest observation x_T (B, F). ``"mean"``: the mean series of the features
        (B, T), which has the size of the keys, as ``score="dot"`` requires.
    rescale : bool, default=True
        Multiply by F, so that uniform weights leave the input unchanged.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F), which sum
    to 1 over the features at each observed step and are 0 at the others.

    **Source**: a gate as in Qin et al. 2017, eq. 8 to 10 (keys are driving series), with a query
    that needs no recurrence.

    Examples
    --------
    >>> import torch
    >>> from sk_tsattn.attention import LuongScore
    >>> gated, weights = ScoreFeatureGate(LuongScore(10, 3))(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(self, score: nn.Module, *, query: str = "newest", rescale: bool = True) -> None:
        super().__init__()
        if query not in ("newest", "mean"):
            raise ValueError(f"query must be 'newest' or 'mean'. Got {query!r} instead.")
        self.score = score
        zero_: Any = getattr(score, "zero_", None)
        if zero_ is not None:
            zero_()
        self.query = query
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, F = X.shape
        X = zero_padding(X, mask)
        query = X[:, -1] if self.query == "newest" else X.mean(dim=2)  # (B, F) or (B, T)
        weights = self.score(X.transpose(1, 2), query)  # (B, F)
        weights = zero_padding(weights[:, None, :].expand(B, T, F), mask)
        scale = F if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)
