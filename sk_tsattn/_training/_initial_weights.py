"""Initial weights: drawn from a generator of their own, biases at the null model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from .._data._batches import WindowDataset
from .._random import generator, random_numbers
from ._loss_functions import PointLoss

# Parameters that shift the outputs of a network by a constant. (Those of IMV-LSTM belong to the
# variables, whose weights sum to 1.)
OUTPUT_BIASES = ("head.bias", "head.output.bias", "mean_bias")


@torch.no_grad()
def start_at_null_model(net: NeuralNet, training: WindowDataset) -> None:
    """Set the biases of the outputs to the best constants on the training set.

    Otherwise the first epochs would go into the frequencies of the classes, or the order of the
    quantiles. A target that is predicted itself is centred by its scaling.
    """
    if isinstance(net.criterion_.loss, PointLoss):
        return
    for parameter in _output_biases(net.module_):
        parameter.zero_()
    shift_outputs(net.module_, net.criterion_.loss.null_prediction(training.y, training.weight))


@torch.no_grad()
def shift_outputs(network: nn.Module, shifts: Tensor) -> None:
    """Add a constant to each output of a network, (O,)."""
    for parameter in _output_biases(network):
        parameter.add_(shifts.view(-1, 1) if parameter.ndim > 1 else shifts)


def _output_biases(network: nn.Module) -> list[nn.Parameter]:
    return [p for name, p in network.named_parameters() if name in OUTPUT_BIASES]


@contextmanager
def initial_weights(seed: int) -> Iterator[None]:
    """Seed all that torch draws inside a ``with`` block, without its global generator.

    The constructors of torch's layers cannot be given a generator.
    """
    with random_numbers(seed), _OwnGenerator():  # type: ignore[no-untyped-call] # torch's
        yield


class _OwnGenerator(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's
    """Let every random operation of the present thread draw from the fit's own generator."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        draws, func = _with_generator(func)
        if draws and kwargs.get("generator") is None:
            device = args[0].device if isinstance(args[0], torch.Tensor) else kwargs.get("device")
            kwargs["generator"] = generator(device or "cpu")
        return func(*args, **kwargs)


def _with_generator(func: Any) -> tuple[bool, Callable[..., Any]]:
    """Return whether an operation takes a generator, and its overload that does."""
    if any(argument.name == "generator" for argument in func._schema.arguments):
        return True, func
    packet = func.overloadpacket
    if func._overloadname == "default" and "generator" in packet.overloads():
        return True, packet.generator
    return False, func
