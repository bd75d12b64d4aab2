"""Dense softmax gates on the input: over time, over features, and their product.

Every gate maps ``X (B, T, F), mask`` to ``(gated X, weights)``, both (B, T, F). The score layers
start at zero, so training starts at uniform weights, and the gated input is scaled such that
uniform weights leave it unchanged. Without that, a gate over 81 features would divide the input
by 81 at first.
"""

from __future__ import annotations

from torch import Tensor, nn

from ._padding import masked_softmax, n_observed


def _zero_linear(n_items: int) -> nn.Linear:
    layer = nn.Linear(n_items, n_items)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class DenseTimeGate(nn.Module):
    """Weigh the steps of each feature by its own series, ``A = softmax_t(Xᵀ W + b)``.

    The score of a step of a feature is a linear form of that feature's whole window; the kernel
    is the same for all features. The result is a gate: the products are not summed.

    Parameters
    ----------
    n_timesteps : int
        T, the length of the windows.
    shared : bool, default=False
        Average the weights over the features and use the mean for all of them
        (``SINGLE_ATTENTION_VECTOR``).
    rescale : bool, default=True
        Multiply by the number of observed steps, so that uniform weights leave the input unchanged.
        False gives the Keras block's output.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F), which sum
    to 1 over time for each feature.

    **Source**: ``attention_3d_block`` of philipperemy/keras-attention (2017). Its
    ``Dense(TIME_STEPS)`` carries over as ``score.weight = kernel.T``, ``score.bias = bias``.

    Examples
    --------
    >>> import torch
    >>> gated, weights = DenseTimeGate(10)(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(self, n_timesteps: int, *, shared: bool = False, rescale: bool = True) -> None:
        super().__init__()
        self.score = _zero_linear(n_timesteps)
        self.shared = shared
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, F = X.shape
        logits = self.score(X.transpose(1, 2))  # Permute((2, 1)), Dense: (B, F, T)
        weights = masked_softmax(logits, None if mask is None else mask[:, None, :], dim=2)
        if self.shared:  # mean over features, repeated F times
            weights = weights.mean(dim=1, keepdim=True).expand(B, F, T)
        weights = weights.transpose(1, 2)  # Permute((2, 1)): (B, T, F)
        scale = n_observed(X, mask) if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)


class DenseFeatureGate(nn.Module):
    """Weigh the features of each step by that step alone, ``A_t = softmax_f(x_t W + b)``.

    Parameters
    ----------
    n_features : int
        F, the number of features.
    shared : bool, default=False
        Average the weights over the observed steps and use the mean at all of them. (The Keras
        block repeats the mean ``input_dim`` times, where it takes ``time_steps``; here the number
        is right.)
    rescale : bool, default=True
        Multiply by F, so that uniform weights leave the input unchanged. False gives the Keras
        block's output.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F), which sum
    to 1 over the features at each observed step and are 0 at the others.

    **Source**: the "feature" variant of ``attention_3d_block`` (PatientEz, 2020), placed before
    the LSTM: after it, it would weigh hidden units. Its ``Dense(input_dim)`` carries over as
    ``score.weight = kernel.T``, ``score.bias = bias``.

    Examples
    --------
    >>> import torch
    >>> gated, weights = DenseFeatureGate(3)(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(self, n_features: int, *, shared: bool = False, rescale: bool = True) -> None:
        super().__init__()
        self.score = _zero_linear(n_features)
        self.shared = shared
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        B, T, F = X.shape
        weights = masked_softmax(self.score(X), None, dim=2)  # Dense: (B, T, F)
        observed = 1 if mask is None else mask[:, :, None]
        if self.shared:  # mean over the observed steps, repeated T times
            mean = (weights * observed).sum(dim=1, keepdim=True) / n_observed(X, mask)
            weights = mean.expand(B, T, F)
        weights = weights * observed  # (B, T, F)
        scale = F if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)


class DenseCellGate(nn.Module):
    """Weigh every cell by the product of a time and a feature gate, ``X ⊙ A_time ⊙ A_feature``.

    Both gates depend on the raw input. Their product is not a joint distribution (its sum is at
    most ``min(T, F)``); it is divided by its sum where it is reported.

    Parameters
    ----------
    n_timesteps, n_features : int
        T and F.
    shared : bool, default=False
        Average each gate along its other axis, see :class:`DenseTimeGate` and
        :class:`DenseFeatureGate`.
    rescale : bool, default=True
        Multiply by F and the number of observed steps, so that uniform weights leave the input
        unchanged.

    **Shape**: X (B, T, F), mask (B, T) or None → gated X (B, T, F), weights (B, T, F).

    **Source**: a common construction in Keras: two Dense layers on the raw input compute a matrix
    over time and one over features, and both are multiplied with the input elementwise. Kernels
    carry over to ``time`` and ``feature`` as for the two gates.

    Examples
    --------
    >>> import torch
    >>> gated, weights = DenseCellGate(10, 3)(torch.randn(4, 10, 3))
    >>> gated.shape, weights.shape
    (torch.Size([4, 10, 3]), torch.Size([4, 10, 3]))
    """

    def __init__(
        self, n_timesteps: int, n_features: int, *, shared: bool = False, rescale: bool = True
    ) -> None:
        super().__init__()
        self.time = DenseTimeGate(n_timesteps, shared=shared)
        self.feature = DenseFeatureGate(n_features, shared=shared)
        self.rescale = rescale

    def forward(self, X: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        _, _, F = X.shape
        _, time = self.time(X, mask)  # (B, T, F), sums to 1 over T
        _, feature = self.feature(X, mask)  # (B, T, F), sums to 1 over F
        weights = time * feature  # (B, T, F)
        scale = F * n_observed(X, mask) if self.rescale else 1
        return X * weights * scale, weights  # (B, T, F)
