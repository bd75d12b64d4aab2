"""Predictions and attention of a trained net, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from .._data._batches import INFERENCE_BATCH, WindowDataset
from ..attention._missing import attention_of_observed


def predict(net: NeuralNet, dataset: WindowDataset) -> NDArray[np.float64]:
    """Predict every window.

    Returns
    -------
    prediction : ndarray of shape (n, n_outputs), float64
        The target. Of shape (n, n_outputs, n_quantiles) with the loss of quantiles; probabilities
        of shape (n, n_classes) with that of classes.
    """
    outputs = outputs_of(net, dataset)
    batches = [net.criterion_.loss.predict(batch).cpu().numpy() for batch in outputs]
    return np.concatenate(batches).astype(np.float64)


def outputs_of(net: NeuralNet, dataset: WindowDataset) -> Iterator[Tensor]:
    """Yield what the network computes for the windows, batch by batch."""
    return _in_batches(net, dataset, net.module_)


def attend(net: NeuralNet, dataset: WindowDataset) -> Iterator[dict[str, NDArray[np.float64]]]:
    """Yield the attention weights of the windows, batch by batch, by the axes that they are of."""
    outputs = _in_batches(net, dataset, net.module_.attend)
    for indices, (_, weights) in zip(_batches(dataset), outputs, strict=True):
        observed = dataset.observed(indices)
        if observed is not None:
            weights = attention_of_observed(weights, observed)
        yield {axes: w.cpu().numpy().astype(np.float64) for axes, w in weights.items()}


def _in_batches(
    net: NeuralNet, dataset: WindowDataset, method: Callable[..., Any]
) -> Iterator[Any]:
    """Call ``method`` on all batches, without gradients."""
    net.module_.eval()  # a callback may predict in the middle of training
    flatten_recurrent_weights(net.module_)
    for indices in _batches(dataset):
        with torch.inference_mode():
            output = method(**dataset.batch(indices))
        yield output


def _batches(dataset: WindowDataset) -> tuple[Tensor, ...]:
    """Return the positions of the windows of each batch."""
    return torch.arange(len(dataset)).split(INFERENCE_BATCH)  # type: ignore[no-any-return, no-untyped-call]


def flatten_recurrent_weights(network: nn.Module) -> None:
    """Make the weights of recurrent layers contiguous, as cuDNN needs them: copies are not."""
    for layer in network.modules():
        if isinstance(layer, nn.RNNBase):
            layer.flatten_parameters()
