"""The switch that makes all attention uniform: what would a fitted network say without its weights?

Inside ``with uniform_attention():`` every weight is the mean of the weights it stands among, and
everything else is computed as always. Weights of a softmax have the mean ``1 / L`` over their L
observed items; gates and RETAIN's β, which need not sum to one, have a mean of their own in each
window, over its observed cells. A new mechanism takes part by making its weights with
``masked_softmax``, or by passing what is no softmax through :func:`override_gates`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class UniformUse:
    """How often weights were made uniform inside a ``with uniform_attention() as use:`` block."""

    n_uses: int = 0


# A context variable, so that other threads keep the attention that they have.
_USE: ContextVar[UniformUse | None] = ContextVar("uniform_attention", default=None)


@contextmanager
def uniform_attention() -> Iterator[UniformUse]:
    """Make the attention of all networks of this library uniform inside a ``with`` block.

    Each weight becomes the mean of those it stands among: ``1 / L`` over L observed items for the
    softmaxes, the window's own mean over its observed cells for gates (and, for RETAIN's β, over
    the observed steps and the directions of the embedding). Padding keeps weight zero. Weights,
    parameters and the global random states of the estimator are left alone, and behind the block
    it predicts as before, bit for bit.

    The switch holds in the thread (and the asynchronous task) that has set it, and nowhere else:
    neither in threads running beside it nor in worker processes.

    Yields
    ------
    use : UniformUse
        Its ``n_uses`` counts how often weights were made uniform, so that a caller can tell
        whether any attention was computed at all.

    See Also
    --------
    sk_tsattn.inspection.uniform_attention_check : Compare predictions with and without the weights.

    Examples
    --------
    >>> import torch
    >>> from sk_tsattn.attention import BahdanauScore
    >>> score, keys, query = BahdanauScore(16, 5), torch.randn(4, 10, 16), torch.randn(4, 5)
    >>> with uniform_attention() as use:
    ...     print(round(score(keys, query).max().item(), 6), use.n_uses)
    0.1 1
    """
    token = _USE.set(UniformUse())
    try:
        use = _USE.get()
        assert use is not None
        yield use
    finally:
        _USE.reset(token)


def override_logits(logits: Tensor) -> Tensor:
    """Return ``logits``, or where attention is to be uniform zeros, whose softmax is 1 / L."""
    use = _USE.get()
    if use is None:
        return logits
    use.n_uses += 1
    return torch.zeros_like(logits)


def override_gates(gates: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``gates`` (B, T, K), or where attention is to be uniform each window's mean of them.

    The mean is that over the observed steps and K; padded steps get zero.
    """
    use = _USE.get()
    if use is None:
        return gates
    use.n_uses += 1
    if mask is None:
        return gates.mean(dim=(1, 2), keepdim=True).expand_as(gates)  # (B, T, K)
    observed = mask[:, :, None].expand_as(gates)  # (B, T, K)
    total = gates.masked_fill(~observed, 0.0).sum(dim=(1, 2), keepdim=True)
    return observed * (total / observed.sum(dim=(1, 2), keepdim=True))  # (B, T, K)
