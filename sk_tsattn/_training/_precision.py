"""Precision: the type of the numbers that the network computes with."""

from __future__ import annotations

from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

# The values of the parameter ``precision`` but "auto": the type of the weights, and of the
# products in the forward pass of training where it is another one.
PRECISIONS: dict[str, tuple[str, torch.dtype | None]] = {
    "float64": ("float64", None),
    "float32": ("float32", None),
    "bf16": ("float32", torch.bfloat16),
}
# Cells (windows x steps x features) up to which "auto" is double precision. It costs nothing
# noticeable at that size, and makes results independent of how samples are batched.
FLOAT64_CELLS = 100_000


def resolve_precision(precision: str, device: str, n_cells: int) -> str:
    """Return the precision to compute in: for ``"auto"`` double where it costs nothing.

    Raises
    ------
    ValueError
        If the device has no double precision.
    """
    has_double = not device.startswith("mps")
    if precision == "auto":
        return "float64" if n_cells <= FLOAT64_CELLS and has_double else "float32"
    if precision == "float64" and not has_double:
        raise ValueError(
            f"The device {device!r} has no double precision. Got precision='float64' instead; set "
            "precision='auto' or 'float32'."
        )
    return precision


class MixedPrecision(Callback):  # type: ignore[misc] # skorch is untyped
    """Run the training steps with torch's autocast; all else keeps the precision of the weights.

    Parameters
    ----------
    dtype : torch.dtype
        Type of the products.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.context_: Any = None
        self.hook_: Any = None

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Let the network return numbers that losses and metrics can take."""
        self.hook_ = net.module_.register_forward_hook(_in_single_precision)

    def on_batch_begin(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """Begin a step."""
        if training:
            device = torch.device(net.device).type
            # A cache of cast weights would be out of date after a step of the optimizer.
            self.context_ = torch.autocast(device, dtype=self.dtype, cache_enabled=False)
            self.context_.__enter__()

    def on_batch_end(self, net: NeuralNet, training: bool, **kwargs: Any) -> None:
        """End a step."""
        if self.context_ is not None:
            self.context_.__exit__(None, None, None)
            self.context_ = None

    def close(self, net: NeuralNet) -> None:
        """End the training, also after a step that failed."""
        self.on_batch_end(net, training=True)
        if self.hook_ is not None:
            self.hook_.remove()
            self.hook_ = None


def _in_single_precision(module: Any, args: Any, outputs: Any) -> Any:
    if isinstance(outputs, tuple):
        return tuple(output.float() for output in outputs)
    return outputs.float()
