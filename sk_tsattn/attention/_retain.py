"""RETAIN: a linear model whose coefficients two reverse-time RNNs compute for each window."""

from __future__ import annotations

from torch import Tensor, nn

from ._dropout import Dropout, UpperLayers
from ._encoder import PositionEmbedding
from ._normalize import attention_of_mode, cell_attention
from ._padding import masked_softmax, zero_padding
from ._uniform import override_gates


class RETAIN(nn.Module):
    """Predict by ``W Σ_t α_t β_t ⊙ v_t + b`` with ``v_t = W_emb x_t``: exact contributions.

    α_t weighs steps (a softmax over time), β_t ∈ (-1, 1)^H weighs the directions of the embedding
    (signed). Both come from RNNs that read the window from its newest step backwards. Given α
    and β the prediction is linear in x, so each cell's contribution to it is exact.

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        ``"both"`` is the paper. ``"time"`` leaves β out (β = 1), ``"feature"`` leaves α out
        (α = 1 / T).
    hidden_size : int, default=32
        H, the size of the embedding (their m) and of the states of both RNNs (their p and q).
    num_layers : int, default=1
        Layers of each RNN.
    dropout : float, default=0.0
        Fraction of the values dropped between these layers and of the context.
    position_embedding : bool, default=True
        Put a learned vector of the step's position beside the RNNs' input. It affects α and β;
        the contributions stay exact.

    **Shape**: X (B, T, F), mask (B, T) or None → (B, O). Attention is α in mode "time", otherwise
    the absolute contributions of the cells, divided by their sum.

    **Source**: Choi et al. 2016, steps 1 to 5 of section 2.2 and the contribution ω of section
    2.3. w_α has no bias here: the softmax cancels it. Keras ``GRU`` (``reset_after=True``) orders
    its gates z, r, h and torch r, z, n; after reordering, kernels carry over transposed, all
    others as ``weight = kernel.T``.

    Examples
    --------
    >>> import torch
    >>> network, X = RETAIN(10, 3, 1), torch.randn(4, 10, 3)
    >>> network.contributions(X).shape
    torch.Size([4, 10, 3, 1])
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
    ) -> None:
        super().__init__()
        self.attention_mode = attention_mode
        self.embed = nn.Linear(n_features, hidden_size, bias=False)  # W_emb
        self.position = PositionEmbedding(n_timesteps) if position_embedding else None
        input_size = hidden_size + (self.position.size if self.position is not None else 0)

        def rnn() -> nn.GRU:
            return nn.GRU(input_size, hidden_size, batch_first=True)

        def upper(is_used: bool) -> UpperLayers:
            return UpperLayers(nn.GRU, hidden_size, num_layers - 1 if is_used else 0, dropout)

        self.alpha_rnn = rnn() if attention_mode != "feature" else None
        self.alpha_upper = upper(attention_mode != "feature")
        self.alpha = nn.Linear(hidden_size, 1, bias=False) if attention_mode != "feature" else None
        self.beta_rnn = rnn() if attention_mode != "time" else None
        self.beta_upper = upper(attention_mode != "time")
        self.beta = nn.Linear(hidden_size, hidden_size) if attention_mode != "time" else None
        self.dropout = Dropout(dropout)
        self.head = nn.Linear(hidden_size, n_outputs)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict, (B, O)."""
        X = zero_padding(X, mask)
        embedded = self.embed(X)  # step 1: v_t (B, T, H)
        alpha, beta = self._coefficients(embedded, mask)
        context = (alpha * beta * embedded).sum(dim=1)  # step 4: c (B, H)
        prediction: Tensor = self.head(self.dropout(context))  # step 5: (B, O)
        return prediction

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the attention weights that the mode defines."""
        prediction = self.forward(X, mask)
        if self.attention_mode == "time":
            alpha, _ = self._coefficients(self.embed(zero_padding(X, mask)), mask)
            return prediction, {"time": alpha[:, :, 0]}
        size = self.contributions(X, mask).abs().sum(dim=3)  # (B, T, F)
        return prediction, attention_of_mode(cell_attention(size, mask), self.attention_mode)

    def contributions(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return contributions (B, T, F, O): prediction = their sum over cells + ``head.bias``."""
        X = zero_padding(X, mask)
        alpha, beta = self._coefficients(self.embed(X), mask)
        # ω(y, x_{t,k}) = α_t W (β_t ⊙ W_emb[:, k]) x_{t,k}
        weight = (alpha * beta)[:, :, None, :] * self.head.weight  # (B, T, O, H)
        return (weight @ self.embed.weight).transpose(2, 3) * X[:, :, :, None]

    def _coefficients(self, embedded: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Compute steps 2 and 3: α (B, T, 1) and β (B, T, H), (B, T, 1) in mode "time"."""
        B, T, _ = embedded.shape
        inputs = embedded if self.position is None else self.position(embedded)
        backwards = inputs.flip(1)  # newest first, padding last
        observed = embedded.new_ones(B, T) if mask is None else mask.to(embedded.dtype)
        alpha = observed / observed.sum(dim=1, keepdim=True)  # (B, T)
        if self.alpha_rnn is not None and self.alpha is not None:
            logits = self.alpha(self.alpha_upper(self.alpha_rnn(backwards)[0])).flip(
                1
            )  # e_t (B, T, 1)
            alpha = masked_softmax(logits[:, :, 0], mask, dim=1)  # step 2
        beta = embedded.new_ones(B, T, 1)
        if self.beta_rnn is not None and self.beta is not None:
            beta = self.beta(self.beta_upper(self.beta_rnn(backwards)[0]).flip(1)).tanh()  # step 3
            beta = override_gates(beta, mask)
        return alpha[:, :, None], beta
