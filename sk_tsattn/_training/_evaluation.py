"""Evaluation of a network whose gates have an L0 penalty: losses, density, use of the gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from skorch import NeuralNet
from torch import Tensor

from .._data._batches import INFERENCE_BATCH, Batches, WindowDataset
from ..attention._padding import zero_padding
from ._loss_functions import PointLoss

# Windows from which quartiles and the linear model are estimated, at most.
MAX_WINDOWS = 1024
# Penalties of the linear model, of which cross-validation selects one.
RIDGE_PENALTIES = np.logspace(-1, 5, 13)


@dataclass
class Evaluation:
    """Losses and gate density of a network at a step of its training."""

    losses: Tensor  # of each window
    weight: Tensor  # of each window
    density: float  # mean gate
    step: int = 0
    epoch: int = 0
    state: Any = None
    loss: float = field(init=False)  # weighted mean

    def __post_init__(self) -> None:
        self.loss = float((self.losses * self.weight).sum() / self.weight.sum())

    def difference(self, other: Evaluation) -> tuple[float, float]:
        """Return the mean paired difference of the losses, and its standard error."""
        differences = self.losses - other.losses
        weight = self.weight / self.weight.sum()
        mean = (differences * weight).sum()
        variance = ((differences - mean) ** 2 * weight**2).sum()
        return float(mean), float(variance.sqrt())


def mean_evaluation(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Average the losses of several evaluations on the same windows."""
    losses = torch.stack([evaluation.losses for evaluation in evaluations]).mean(dim=0)
    return Evaluation(losses, evaluations[0].weight, evaluations[0].density)


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
def gate_usage(net: NeuralNet, windows: WindowDataset) -> dict[str, tuple[Tensor, Tensor]]:
    """Average the gates and their sensitivity over a subsample of the windows.

    Returns
    -------
    usage : dict of (use, penalty), each of the shape of the mode's gates
        By the name of the gate's buffer: for ``"active"`` the mean gate, for ``"input_active"`` the
        mean sensitivity of the other gates to a cell; and the fraction of its penalty that is paid.
    """
    net.module_.eval()
    _, weights = net.module_.attend(**evenly_spaced(windows, INFERENCE_BATCH))
    gate = net.module_.gate
    density = weights["gate"].mean(dim=0).reshape(gate.active.shape)
    sensitivity = weights["gate_sensitivity"].mean(dim=0).reshape(gate.active.shape)
    inputs = gate.input_gates().sum_to_size(gate.active.shape)
    return {"active": (density, density), "input_active": (sensitivity, inputs)}


@torch.no_grad()
def gate_effects(net: NeuralNet, windows: WindowDataset) -> tuple[Tensor, Tensor]:
    """Compute the effect of each gate on the prediction, over a subsample of the windows.

    Returns
    -------
    effect : Tensor of the shape of the mode's gates
        Mean loss of the prediction without the gate, with the prediction as the target.

    density : Tensor of the shape of the mode's gates
        Mean gate.
    """
    net.module_.eval()
    active = net.module_.gate.active
    effect, density = torch.zeros(2, *active.shape, device=active.device)
    batch = evenly_spaced(windows, INFERENCE_BATCH)
    for gate, values, prediction, without in net.module_.ablate_gates(**batch):
        effect[gate] = net.criterion_.loss.divergence(without, prediction).sum() / len(values)
        density[gate] = values.mean()
    return effect, density


def close_gates(net: NeuralNet, windows: WindowDataset, name: str, kept: Tensor) -> None:
    """Close all gates, or all inputs of the gating network, that are not kept, permanently.

    ``name`` is that of the gate's buffer, as in :func:`gate_usage`.
    """
    gate = net.module_.gate
    if name == "active":
        gate.set_active(name, gate.active & kept)
    else:
        gate.restrict_inputs(kept, **evenly_spaced(windows, INFERENCE_BATCH))


@torch.no_grad()
def null_model_loss(net: NeuralNet, training: WindowDataset, windows: WindowDataset) -> float:
    """Compute the loss on ``windows`` of the constant that is best on the training set."""
    outputs = net.criterion_.loss.null_prediction(training.y, training.weight)
    losses = net.criterion_.per_sample(outputs.expand(len(windows), -1), windows.y)
    return float((losses * windows.weight).sum() / windows.weight.sum())


@torch.no_grad()
def linear_model_loss(net: NeuralNet, training: WindowDataset, windows: WindowDataset) -> float:
    """Compute the loss on ``windows`` of ridge regression on a subsample of the training set."""
    indices = _evenly_spaced_indices(training, MAX_WINDOWS)
    is_point = isinstance(net.criterion_.loss, PointLoss)
    is_known = ~training.targets(indices)[0].isnan().any(dim=1)
    indices = indices[is_known.cpu()]
    if len(indices) < 2 or not is_point:  # nothing to leave out for cross-validation; or classes
        return null_model_loss(net, training, windows)
    y, weight = (values.cpu().numpy() for values in training.targets(indices))
    scaler = make_pipeline(MaxAbsScaler(), StandardScaler())  # windows may be unscaled, and huge
    # Not a step of the pipeline, which refuses weights if metadata routing is enabled.
    ridge = RidgeCV(RIDGE_PENALTIES)
    ridge.fit(scaler.fit_transform(_flattened(training.batch(indices))), y, sample_weight=weight)
    losses = []
    for batch, (target, target_weight) in Batches(windows, INFERENCE_BATCH):
        prediction = ridge.predict(scaler.transform(_flattened(batch)))
        prediction = target.new_tensor(prediction).view_as(target)
        losses.append(net.criterion_.per_sample(prediction, target) * target_weight)
    return float(torch.cat(losses).sum() / windows.weight.sum())


def _flattened(batch: dict[str, Tensor]) -> NDArray[Any]:
    """Return windows as rows for scikit-learn."""
    rows: NDArray[Any] = zero_padding(batch["X"], batch.get("mask")).flatten(1).cpu().numpy()
    return rows


def evenly_spaced(windows: WindowDataset, n_max: int) -> dict[str, Tensor]:
    """Return a batch of at most ``n_max`` evenly spaced windows."""
    return windows.batch(_evenly_spaced_indices(windows, n_max))


def _evenly_spaced_indices(windows: WindowDataset, n_max: int) -> Tensor:
    return torch.arange(0, len(windows), -(-len(windows) // n_max))
