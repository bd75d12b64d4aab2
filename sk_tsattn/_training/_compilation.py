"""Compilation of the training steps by ``torch.compile``."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback


class CompiledSteps(Callback):  # type: ignore[misc] # skorch is untyped
    """Compile the network's forward and backward passes in training; all else is as it is."""

    def __init__(self) -> None:
        self.compiled_: Any = None

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Prepare the compilation, which happens in the first step."""
        # For any number of windows: the last batch of an epoch is smaller.
        net.module_.compile(dynamic=True)
        self.compiled_ = net.module_._compiled_call_impl
        net.module_._compiled_call_impl = None

    def on_batch_begin(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """Begin a step."""
        net.module_._compiled_call_impl = self.compiled_ if training else None

    def on_batch_end(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """End a step."""
        self.close(net)

    def close(self, net: NeuralNet) -> None:
        """Leave the network as it was, also after a step that failed."""
        net.module_._compiled_call_impl = None


def check_compiler(device: str) -> None:
    """Raise a ValueError if torch cannot compile for a device here."""
    try:
        torch.compile(_add_one)(torch.zeros(1, device=device))
    except Exception as error:
        raise ValueError(
            "The 'compile' parameter needs a torch.compile that works here: on CPUs a C++ "
            "compiler, on GPUs Triton. Got compile=True instead, for which torch says: "
            f"{type(error).__name__}: {error}; install what it lacks, or set compile=False."
        ) from error


def _add_one(x: torch.Tensor) -> torch.Tensor:
    return x + 1
