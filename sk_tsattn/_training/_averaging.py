"""Averages of a network's weights over the last optimisation steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """Average of a network's weights over its last steps (Polyak and Juditsky 1992).

    Its loss fluctuates less than that of the weights of a single step. Over the first ``n_max``
    steps it is the arithmetic mean, later the exponential moving average of the same span.

    Parameters
    ----------
    network : nn.Module
        Its parameters are averaged.

    n_max : int
        Span of the average, in steps.
    """

    def __init__(self, network: nn.Module, n_max: int) -> None:
        self.n_max = n_max
        self.parameters = list(network.parameters())
        self.weights: list[Tensor] = []
        self.n_steps = 0

    def reset(self) -> None:
        """Begin a new average, for instance after other weights were loaded."""
        self.n_steps = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the present weights to the average."""
        self.n_steps += 1
        current = [p.detach() for p in self.parameters]
        if self.n_steps == 1:
            self.weights = [p.clone() for p in current]
        else:
            decay = 1 - 1 / min(self.n_steps, self.n_max)
            get_ema_multi_avg_fn(decay)(self.weights, current, self.n_steps)  # type: ignore[no-untyped-call] # torch's

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Load the averaged weights, if there are any, inside a ``with`` block."""
        if self.n_steps == 0:
            yield
            return
        current = [p.detach().clone() for p in self.parameters]
        self._load(self.weights)
        try:
            yield
        finally:
            self._load(current)

    @torch.no_grad()
    def _load(self, weights: list[Tensor]) -> None:
        for parameter, weight in zip(self.parameters, weights, strict=True):
            parameter.copy_(weight)
