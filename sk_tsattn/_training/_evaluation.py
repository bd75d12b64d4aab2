"""What a training in phases sees of its network, at averaged weights: losses, gates, their use."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from torch import Tensor

from .._data._batches import INFERENCE_BATCH, Batches
from ..attention._padding import zero_padding

# Windows that tell which values a feature often has, and what a linear map of them can predict.
TELLING_WINDOWS = 1024
# What such a map's squared weights cost: the best of these.
RIDGE_PENALTIES = np.logspace(-1, 5, 13)


@dataclass
class Look:
    """The network at a step of its training."""

    losses: Tensor  # of each window
    weight: Tensor  # of each window
    openness: float  # mean gate
    step: int = 0
    epoch: int = 0
    state: Any = None

    def __post_init__(self):
        self.loss = float((self.losses * self.weight).sum() / self.weight.sum())

    def excess(self, other):
        """Give the mean of the paired differences to another look, and its standard error."""
        differences = self.losses - other.losses
        weight = self.weight / self.weight.sum()
        mean = (differences * weight).sum()
        variance = ((differences - mean) ** 2 * weight**2).sum()
        return float(mean), float(variance.sqrt())


def mean_of(looks):
    """Average the losses of windows over several looks at them."""
    losses = torch.stack([look.losses for look in looks]).mean(dim=0)
    return Look(losses, looks[0].weight, looks[0].openness)


def quartiles(training):
    """Find each feature's quartiles (2, F) in training windows, evenly spaced if they are many."""
    batch = evenly_spaced(training, TELLING_WINDOWS)
    values = batch["X"][batch["mask"]] if "mask" in batch else batch["X"].flatten(0, 1)
    values = values.sort(dim=0).values  # torch.quantile takes few values only
    return values[[len(values) // 4, 3 * len(values) // 4]]


@torch.no_grad()
def look(net, windows):
    """Measure the loss of each window, and how far the gates are open."""
    net.module_.eval()
    losses, weights, opened = [], [], []
    for batch, (y, weight) in Batches(windows, INFERENCE_BATCH):
        prediction, gates = net.module_.predict_with_gates(**batch)
        losses.append(net.criterion_.per_sample(prediction, y))
        weights.append(weight)
        opened.append(gates.flatten(1).mean(dim=1))
    weight = torch.cat(weights)
    openness = float((torch.cat(opened) * weight).sum() / weight.sum())
    return Look(losses=torch.cat(losses), weight=weight, openness=openness)


@torch.no_grad()
def usage(net, windows):
    """Average the gates, and what steers them, over windows (evenly spaced, if many)."""
    net.module_.eval()
    _, weights = net.module_.attend(**evenly_spaced(windows, INFERENCE_BATCH))
    gate = net.module_.gate
    opened = weights["gate"].mean(dim=0).reshape(gate.active.shape)
    steering = weights["gate_sensitivity"].mean(dim=0).reshape(gate.active.shape)
    read = gate.input_gates().sum_to_size(gate.active.shape)
    return {"active": (opened, opened), "input_active": (steering, read)}


@torch.no_grad()
def moves(net, windows):
    """Average, over windows (evenly spaced, if many), what each gate does to the prediction.

    Returns the loss of the prediction without it, held against the prediction with it, and how far
    it is open; both of the shape of the mode's gates.
    """
    net.module_.eval()
    kept = net.module_.gate.active
    moved, used = torch.zeros(2, *kept.shape, device=kept.device)
    batch = evenly_spaced(windows, INFERENCE_BATCH)
    for gate, opened, prediction, without in net.module_.ablate_gates(**batch):
        moved[gate] = net.criterion_.per_sample(without, prediction).sum() / len(opened)
        used[gate] = opened.mean()
    return moved, used


def close(net, windows, name, kept):
    """Close for good all gates, or all that is read, but what is kept.

    ``name`` is that of the gate's buffer, as in :func:`usage`.
    """
    gate = net.module_.gate
    if name == "active":
        gate.active &= kept
    else:
        gate.restrict_inputs(kept, **evenly_spaced(windows, INFERENCE_BATCH))


@torch.no_grad()
def reference(net, windows):
    """Measure the loss, on windows, of predicting the mean of the training targets."""
    losses = net.criterion_.per_sample(torch.zeros_like(windows.y), windows.y)
    return float((losses * windows.weight).sum() / windows.weight.sum())


@torch.no_grad()
def linear_reference(net, training, windows):
    """Measure the loss, on windows, of ridge regression on training windows (some, if many)."""
    which = _some(training, TELLING_WINDOWS)
    y, weight = training.targets(which)
    y, weight = y.cpu().numpy(), weight.cpu().numpy()
    scaler = make_pipeline(MaxAbsScaler(), StandardScaler())  # windows may be unscaled, and huge
    # Not a step of that: where a user has metadata routing on, pipelines refuse its weights.
    ridge = RidgeCV(RIDGE_PENALTIES)
    ridge.fit(scaler.fit_transform(_rows(training.batch(which))), y, sample_weight=weight)
    losses = []
    for batch, (y, weight) in Batches(windows, INFERENCE_BATCH):
        prediction = y.new_tensor(ridge.predict(scaler.transform(_rows(batch)))).view_as(y)
        losses.append(net.criterion_.per_sample(prediction, y) * weight)
    return float(torch.cat(losses).sum() / windows.weight.sum())


def _rows(batch):
    """Write windows as rows for scikit-learn."""
    return zero_padding(batch["X"], batch.get("mask")).flatten(1).cpu().numpy()


def evenly_spaced(windows, n_most):
    """Give a batch of windows, evenly spaced if they are more than so many."""
    return windows.batch(_some(windows, n_most))


def _some(windows, n_most):
    return torch.arange(0, len(windows), -(-len(windows) // n_most))
