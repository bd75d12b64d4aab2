"""Self-attention over time steps and over features, reported as attention received.

In ``A = softmax_rows(Q Kᵀ / √d)`` every row sums to 1, so rows do not show importance. Columns do:
the column mean is the attention that a token receives. The mean of the attended tokens is the
values weighted by it:
``mean_i (A V)_i = Σ_j received_j v_j``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._padding import masked_softmax, zero_padding


class SelfAttention(nn.Module):
    """Compute the attention of tokens to each other, ``softmax(Q_h K_hᵀ / √d)`` for each head h.

    Parameters
    ----------
    token_size : int
        E, the size of a token.
    num_heads : int, default=4
        Heads N; each has ``d = max(1, E // N)`` channels. Heads split channels, not items.

    **Shape**: tokens (B, L, E), mask (B, L) or None → maps (B, N, L, L), whose last axis sums to
    1. Masked tokens are not attended to.

    **Source**: Vaswani et al. 2017, section 3.2. Keras ``MultiHeadAttention`` kernels
    ``query/kernel`` (E, N, d) carry over as ``query.weight = kernel.reshape(E, N * d).T``, biases
    as ``bias.reshape(N * d)``; likewise for ``key`` (whose bias the softmax cancels, so that it
    has none here).

    Examples
    --------
    >>> import torch
    >>> SelfAttention(16)(torch.randn(4, 10, 16)).shape
    torch.Size([4, 4, 10, 10])
    """

    def __init__(self, token_size: int, *, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.head_size = max(1, token_size // num_heads)
        self.query = nn.Linear(token_size, num_heads * self.head_size)
        self.key = nn.Linear(token_size, num_heads * self.head_size, bias=False)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        B, L, _ = tokens.shape
        heads = (B, L, self.num_heads, self.head_size)
        queries = self.query(tokens).view(heads) / self.head_size**0.5  # Q / √d: (B, L, N, d)
        keys = self.key(tokens).view(heads)  # K: (B, L, N, d)
        logits = torch.einsum("bind,bjnd->bnij", queries, keys)  # (B, N, L, L)
        return masked_softmax(logits, None if mask is None else mask[:, None, None, :], dim=3)


def attention_received(maps: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean of maps (B, N, L, L) over the observed queries, (B, N, L); sums to 1."""
    if mask is None:
        return maps.mean(dim=2)
    observed = mask[:, None, :, None]  # (B, 1, L, 1)
    return (maps * observed).sum(dim=2) / observed.sum(dim=2)


class SelfReadout(nn.Module):
    """Let the states of a window attend to each other, then pool, ``W_o [Σ_t r_t^h v_t^h]_h``.

    The states of the LSTM carry order and position, to which self-attention alone is invariant.
    After the mean over all queries, a state affects the prediction only through ``r``, the
    attention received.

    Parameters
    ----------
    hidden_size : int
        H, the size of a state.
    num_heads : int, default=4
        Heads, see :class:`SelfAttention`.

    **Shape**: states (B, T, H), mask (B, T) or None → (B, H), weights (B, T): attention received,
    mean over heads.

    **Source**: Vaswani et al. 2017, section 3.2.2, followed by a mean over tokens. Keras
    ``value/kernel`` (H, N, d) carries over as ``value.weight = kernel.reshape(H, N * d).T``, and
    ``attention_output/kernel`` (N, d, H) as ``output.weight = kernel.reshape(N * d, H).T``.

    Examples
    --------
    >>> import torch
    >>> pooled, weights = SelfReadout(16)(torch.randn(4, 10, 16))
    >>> pooled.shape, weights.shape
    (torch.Size([4, 16]), torch.Size([4, 10]))
    """

    def __init__(self, hidden_size: int, *, num_heads: int = 4) -> None:
        super().__init__()
        self.attention = SelfAttention(hidden_size, num_heads=num_heads)
        inner_size = num_heads * self.attention.head_size
        self.value = nn.Linear(hidden_size, inner_size)
        self.output = nn.Linear(inner_size, hidden_size)
        self.output_size = hidden_size

    def forward(self, states: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, _ = states.shape
        received = attention_received(self.attention(states, mask), mask)  # r: (B, N, T)
        values = self.value(states).view(B, T, self.attention.num_heads, -1)  # V: (B, T, N, d)
        heads = torch.einsum("bnt,btnd->bnd", received, values)  # mean over i of (A V)_i
        return self.output(heads.flatten(1)), received.mean(dim=1)  # (B, H), (B, T)


class SelfFeatureGate(nn.Module):
    """Let features attend to each other and gate each by what it received, ``x̃ = F r_f x``.

    Tokens are features, as in iTransformer: ``token_f = W (series of f) + e_f``. There, each
    feature predicts itself; here all of them predict y, so a learned e_f tells them apart. The
    mean of the attended tokens would be ``Σ_f r_f v_f``; the gate keeps its terms apart, with the
    series themselves as values, for the LSTM to combine. It starts uniform.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    num_heads : int, default=4
        Heads, see :class:`SelfAttention`.
    token_size : int, default=32
        E, the size of a token.
    rescale : bool, default=True
        Multiply by F, so that uniform weights leave the input unchanged.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F): attention
    received, mean over heads, the same at each observed step and 0 at the others.

    **Source**: Liu et al. 2024 (iTransformer), section 3.1, for the tokens.

    Examples
    --------
    >>> import torch
    >>> gated, weights = SelfFeatureGate(10, 3)(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(
        self,
        n_timesteps: int,
        n_features: int,
        *,
        num_heads: int = 4,
        token_size: int = 32,
        rescale: bool = True,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(n_timesteps, token_size, bias=False)
        self.identity = nn.Parameter(torch.randn(n_features, token_size))
        self.attention = SelfAttention(token_size, num_heads=num_heads)
        nn.init.zeros_(self.attention.key.weight)
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, F = X.shape
        X = zero_padding(X, mask)
        tokens = self.embed(X.transpose(1, 2)) + self.identity  # (B, F, E)
        received = attention_received(self.attention(tokens)).mean(dim=1)  # r: (B, F)
        weights = zero_padding(received[:, None, :].expand(B, T, F), mask)
        scale = F if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)
