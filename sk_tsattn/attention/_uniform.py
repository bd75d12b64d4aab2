"""Make all attention uniform: what would a fitted network predict without its weights?

Inside ``with uniform_attention():`` every weight is replaced by a mean, and everything else is
computed as before. The weights of a softmax become ``1 / L`` over their L observed items. Gates and
RETAIN's β, which need not sum to 1, become their mean over the observed cells of the window. A new
mechanism is included if it computes its weights with ``masked_softmax``, or passes other weights
through :func:`override_gates`.
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

    Weights of a softmax become ``1 / L`` over L observed items. Gates become the window's mean over
    its observed cells (RETAIN's β: over the observed steps and the directions of the embedding).
    Padding keeps weight zero. Parameters and global random states are not changed: after the
    block, predictions are the same bits as before it.

    It affects the current thread (and asynchronous task) only, not other threads or worker
    processes.

    Yields
    ------
    use : UniformUse
        ``n_uses`` counts how often weights were made uniform: 0 if no attention was computed.

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
    """Return ``logits``, or inside ``uniform_attention`` zeros, whose softmax is 1 / L."""
    use = _USE.get()
    if use is None:
        return logits
    use.n_uses += 1
    return torch.zeros_like(logits)


def override_gates(gates: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``gates`` (B, T, K), or inside ``uniform_attention`` their mean in each window.

    The mean is over the observed steps and K; padded steps get zero.
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
