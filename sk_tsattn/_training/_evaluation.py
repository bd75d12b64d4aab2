"""Evaluation of a network whose gates have an L0 penalty: losses, density, use of the gates."""

from __future__ import annotations

import torch
from skorch import NeuralNet
from torch import Tensor

from .._data._batches import INFERENCE_BATCH, Batches, WindowDataset
from ._selection import Evaluation

# Windows from which quartiles are estimated, at most.
MAX_WINDOWS = 1024


def feature_quartiles(training: WindowDataset) -> Tensor:
    """Compute the first and third quartile of each feature, (2, F), on a subsample."""
    batch = evenly_spaced(training, MAX_WINDOWS)
    values = batch["X"][batch["mask"]] if "mask" in batch else batch["X"].flatten(0, 1)
    values = values.sort(dim=0).values  # torch.quantile takes few values only
    return values[[len(values) // 4, 3 * len(values) // 4]]


@torch.no_grad()
def evaluate(net: NeuralNet, windows: WindowDataset) -> Evaluation:
    """Compute the loss of each window, and the mean gate."""
    net.module_.eval()
    losses, weights, means = [], [], []
    for batch, (y, weight) in Batches(windows, INFERENCE_BATCH):
        prediction, gates = net.module_.predict_with_gates(**batch)
        losses.append(net.criterion_.per_sample(prediction, y))
        weights.append(weight)
        means.append(gates.flatten(1).mean(dim=1))
    weight = torch.cat(weights)
    density = float((torch.cat(means) * weight).sum() / weight.sum())
    return Evaluation(losses=torch.cat(losses), weight=weight, density=density)


@torch.no_grad()
def gate_usage(net: NeuralNet, windows: WindowDataset) -> dict[str, Tensor]:
    """Average the gates and their sensitivity over a subsample of the windows.

    Returns
    -------
    usage : dict of Tensor, each of the shape of the mode's gates
        By the name of the gate's buffer: for ``"active"`` the mean gate, for ``"input_active"`` the
        mean sensitivity of the other gates to a cell.
    """
    net.module_.eval()
    _, weights = net.module_.attend(**evenly_spaced(windows, INFERENCE_BATCH))
    shape = net.module_.gate.active.shape
    return {
        name: weights[weight].mean(dim=0).reshape(shape)
        for name, weight in (("active", "gate"), ("input_active", "gate_sensitivity"))
    }


def close_gates(net: NeuralNet, windows: WindowDataset, name: str, kept: Tensor) -> None:
    """Close all gates, or all inputs of the gating network, that are not kept, permanently.

    ``name`` is that of the gate's buffer, as in :func:`gate_usage`.
    """
    gate = net.module_.gate
    if name == "active":
        gate.set_active(name, gate.active & kept)
    else:
        gate.restrict_inputs(kept, **evenly_spaced(windows, INFERENCE_BATCH))


def make_static(net: NeuralNet, windows: WindowDataset) -> None:
    """Make the gates the same for all windows."""
    net.module_.gate.make_static(**evenly_spaced(windows, INFERENCE_BATCH))


@torch.no_grad()
def evaluate_null_model(
    net: NeuralNet, training: WindowDataset, windows: WindowDataset
) -> Evaluation:
    """Compute the losses on ``windows`` of the constant that is best on the training set."""
    outputs = net.criterion_.loss.null_prediction(training.y, training.weight)
    losses = net.criterion_.per_sample(outputs.expand(len(windows), -1), windows.y)
    return Evaluation(losses, windows.weight, density=0.0)


def evenly_spaced(windows: WindowDataset, n_max: int) -> dict[str, Tensor]:
    """Return a batch of at most ``n_max`` evenly spaced windows."""
    return windows.batch(torch.arange(0, len(windows), -(-len(windows) // n_max)))
