"""IMV-LSTM: one LSTM per variable, mixed by attention over time and over variables.

In the loop the batch is the last axis, (F, units, B): one batched product serves all variables.
Equation numbers are those of Guo, Lin and Antulov-Fantulin 2019.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._dropout import Dropout
from ._encoder import PositionEmbedding
from ._normalize import attention_of_mode
from ._padding import masked_softmax, zero_padding


def _uniform(*shape: int, bound: float) -> nn.Parameter:
    return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))


class VariableLSTM(nn.Module):
    """Run one LSTM per variable, ``h̃_t`` (F, d), whose row n is the state of variable n.

    Parameters
    ----------
    n_features : int
        F, the number of variables (their N).
    input_size : int
        I, values per variable and step: 1 for the data, d for a layer upon another.
    variable_size : int
        d, units per variable.
    variant : {"tensor", "full"}, default="tensor"
        ``"tensor"``: each variable's gates see that variable alone; row n depends on no other.
        ``"full"``: gates see all variables (``3 F d × F (d + I)`` weights), the update alone keeps
        them apart.
    n_steps_embedded : int, default=0
        T for windows of fixed length with a position embedding beside the input, 0 without.

    **Shape**: inputs (T, F, I, B), mask (B, T) or None → states (T, F, d, B).

    **Source**: Guo et al. 2019, eq. 1 (update), 2 to 4 (full), 5 to 7 (tensor). ``weight`` is
    [U, W] of eq. 1 and 5, for the gates i, f, o and the update j; row n of it is that of
    variable n, so a Keras ``LSTM(d)`` of one variable carries over to row n with its kernels
    transposed and its gates (i, f, c, o) reordered to (i, f, o, c).

    Examples
    --------
    >>> import torch
    >>> VariableLSTM(3, 1, 8)(torch.randn(10, 3, 1, 4)).shape
    torch.Size([10, 3, 8, 4])
    """

    def __init__(
        self,
        n_features: int,
        input_size: int,
        variable_size: int,
        *,
        variant: str = "tensor",
        n_steps_embedded: int = 0,
    ) -> None:
        super().__init__()
        F, d = n_features, variable_size
        self.variable_size = d
        self.variant = variant
        n_own = 4 if variant == "tensor" else 1  # computed from a variable alone: i, f, o, j, or j
        bound = d**-0.5
        self.weight = _uniform(F, n_own * d, input_size + d, bound=bound)
        self.bias = _uniform(F, n_own * d, 1, bound=bound)
        self.position: PositionEmbedding | None = None
        self.position_weight: nn.Parameter | None = None
        if n_steps_embedded:
            self.position = PositionEmbedding(n_steps_embedded)
            self.position_weight = _uniform(F, n_own * d, self.position.size, bound=bound)
        self.gates: nn.Linear | None = None
        if variant == "full":
            self.gates = nn.Linear(F * (input_size + d), 3 * F * d)

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        T, F, _, B = inputs.shape
        d = self.variable_size
        bias = self.bias.expand(T, -1, -1, -1)  # (T, F, 4d, 1)
        if self.position is not None and self.position_weight is not None:
            bias = (
                bias
                + torch.einsum("fgp,tp->tfg", self.position_weight, self.position.weight)[..., None]
            )
        h = c = inputs.new_zeros(F, d, B)
        states = []
        for t in range(T):
            x = torch.cat([inputs[t], h], dim=1)  # (F, I + d, B)
            own = torch.baddbmm(bias[t], self.weight, x)  # eq. 1, 5: (F, 4d, B)
            if self.gates is not None:  # eq. 2: from all variables
                shared = torch.addmm(self.gates.bias[:, None], self.gates.weight, x.flatten(0, 1))
                own = torch.cat([shared.view(F, 3 * d, B), own], dim=1)
            i, f, o, j = own.chunk(4, dim=1)  # (F, d, B) each
            c = f.sigmoid() * c + i.sigmoid() * j.tanh()  # eq. 3, 6
            h = o.sigmoid() * c.tanh()  # eq. 4, 7
            if mask is not None:  # the state is 0 before the first observed step
                h, c = h * mask[:, t], c * mask[:, t]
            states.append(h)
        return torch.stack(states)  # (T, F, d, B)


class IMVLSTM(nn.Module):
    """Predict by a mixture over variables, ``ŷ = Σ_n β_n φ_n([h_T^n; g^n])``.

    ``g^n = Σ_t α_t^n h_t^n`` pools the states of variable n by an attention over time of its own,
    and ``β = softmax_n f([h_T^n; g^n])`` weighs the variables. Scores are linear: passed through a
    tanh, as in a popular reimplementation, no weight could exceed another by more than e².

    Parameters
    ----------
    n_timesteps, n_features, n_outputs : int
        T, F and O.
    attention_mode : {"time", "feature", "both"}, default="both"
        ``"both"`` is the paper. ``"time"`` weighs all variables equally (β = 1 / F),
        ``"feature"`` leaves g out and reads h_T^n alone.
    hidden_size : int, default=32
        Sets ``variable_size`` if that is None.
    num_layers : int, default=1
        Variable-wise LSTM layers on top of each other; the paper has one.
    dropout : float, default=0.0
        Fraction of the values dropped between the layers and before the mixture.
    position_embedding : bool, default=True
        Put a learned vector of the step's position beside every variable's input.
    variable_size : int, default=None
        d, units per variable; None takes a quarter of ``hidden_size``, at least 4. The network has
        F × d units.
    variant : {"tensor", "full"}, default="tensor"
        See :class:`VariableLSTM`.

    **Shape**: X (B, T, F), mask (B, T) or None → (B, O). Attention on a cell is β_f α_t^f.

    **Source**: Guo, Lin and Antulov-Fantulin 2019, section 3. The paper trains the likelihood of
    the mixture; this gives its mean, to be trained with any loss. Scores of α and β have no bias:
    the softmax cancels it.

    Examples
    --------
    >>> import torch
    >>> IMVLSTM(10, 3, 1)(torch.randn(4, 10, 3)).shape
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
        variable_size: int | None = None,
        variant: str = "tensor",
    ) -> None:
        super().__init__()
        if variant not in ("tensor", "full"):
            raise ValueError(f"variant must be 'tensor' or 'full'. Got {variant!r} instead.")
        d = max(4, hidden_size // 4) if variable_size is None else variable_size
        self.attention_mode = attention_mode
        self.layers = nn.ModuleList(
            VariableLSTM(
                n_features,
                1 if layer == 0 else d,
                d,
                variant=variant,
                n_steps_embedded=n_timesteps if position_embedding and layer == 0 else 0,
            )
            for layer in range(num_layers)
        )
        self.dropout = Dropout(dropout)
        bound = d**-0.5
        size = d if attention_mode == "feature" else 2 * d  # of h_T^n or [h_T^n; g^n]
        self.time_score: nn.Parameter | None = None
        if attention_mode != "feature":
            self.time_score = _uniform(n_features, d, 1, bound=bound)  # f_n
        self.variable_score: nn.Parameter | None = None
        if attention_mode != "time":
            self.variable_score = _uniform(size, 1, bound=bound)  # f
        self.mean_weight = _uniform(n_features, n_outputs, size, bound=bound)  # φ_n
        self.mean_bias = _uniform(n_features, n_outputs, 1, bound=bound)

    def forward(self, X: Tensor, mask: Tensor | None = None) -> Tensor:
        """Predict, (B, O)."""
        return self.attend(X, mask)[0]

    def attend(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the attention weights that the mode defines."""
        B, T, F = X.shape
        states = zero_padding(X, mask).permute(1, 2, 0)[:, :, None, :]  # (T, F, 1, B)
        for number, layer in enumerate(self.layers):
            states = layer(self.dropout(states) if number else states, mask)  # h̃: (T, F, d, B)
        states = self.dropout(states)
        summary = states[-1]  # h_T^n: (F, d, B)
        alpha = X.new_full((T, F, B), 1 / T)
        if self.time_score is not None:
            logits = (states * self.time_score).sum(dim=2)  # f_n(h_t^n): (T, F, B)
            alpha = masked_softmax(logits, None if mask is None else mask.t()[:, None, :], dim=0)
            pooled = (states * alpha[:, :, None, :]).sum(dim=0)  # g^n: (F, d, B)
            summary = torch.cat([summary, pooled], dim=1)  # (F, 2d, B)
        beta = X.new_full((F, B), 1 / F)
        if self.variable_score is not None:
            scores = (summary * self.variable_score).sum(dim=1)  # f([h_T^n; g^n]): (F, B)
            beta = masked_softmax(scores, None, dim=0)  # p(z = n): (F, B)
        means = torch.baddbmm(self.mean_bias, self.mean_weight, summary)  # φ_n: (F, O, B)
        prediction = (beta[:, None, :] * means).sum(dim=0).t()  # (B, O)
        cell = (beta * alpha).permute(2, 0, 1)  # β_n α_t^n: (B, T, F)
        return prediction, attention_of_mode(cell, self.attention_mode)
