"""Checks of a training that has ended: a finite loss, and better than a constant prediction."""

from __future__ import annotations

import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback

from .._data._batches import INFERENCE_BATCH, WindowDataset

# Windows on which the loss is compared, at most; with fewer than the second, it is not.
MAX_WINDOWS, MIN_WINDOWS = 10_000, 20
# A fit is worse than a constant if its loss is higher by more than this fraction, and by
# this number of standard errors.
EXCESS, N_ERRORS = 0.1, 3


class DivergenceCheck(Callback):  # type: ignore[misc] # skorch is untyped
    """Raise a ValueError as soon as the loss is not finite."""

    def on_batch_end(self, net: NeuralNet, training: bool, **kwargs: object) -> None:
        """Check the loss of the batch, which skorch has recorded."""
        kind = "train_loss" if training else "valid_loss"
        loss = net.history[-1]["batches"][-1][kind]
        if not math.isfinite(loss):
            raise diverged(net, f"The {'training' if training else 'validation'} loss is {loss}")


def diverged(net: NeuralNet, what: str) -> ValueError:
    """Return the error of a training that has diverged."""
    lr = net.optimizer_.param_groups[0]["lr"]
    return ValueError(
        f"{what} in epoch {len(net.history)}, with lr={lr:.3g}. Training has diverged, or the data "
        "are out of range: try a lower lr, clip the gradients with "
        "callbacks=[skorch.callbacks.GradientNormClipping(1.0)], and set standardize=True if it "
        "is not."
    )


def check_convergence(
    net: NeuralNet, training: WindowDataset, validation: WindowDataset | None
) -> None:
    """Warn if the net predicts worse than the constant that is best on the training set.

    Raises
    ------
    ValueError
        If a prediction is not finite.
    """
    windows = training if validation is None else validation
    losses, null_losses, weights = [], [], []
    constant = net.criterion_.loss.null_prediction(training.y, training.weight)
    indices = torch.arange(0, len(windows), -(-len(windows) // MAX_WINDOWS))
    for part in indices.split(INFERENCE_BATCH):  # type: ignore[no-untyped-call] # torch's
        y, weight = windows.targets(part)
        with torch.inference_mode():
            losses.append(net.criterion_.per_sample(net.module_(**windows.batch(part)), y))
            null_losses.append(net.criterion_.per_sample(constant.expand(len(y), -1), y))
        weights.append(weight)
    # Some devices have no double precision.
    loss, null_loss = torch.cat(losses).cpu().double(), torch.cat(null_losses).cpu().double()
    weight = torch.cat(weights).cpu().double()
    weight = weight / weight.sum()
    fitted, null = float((loss * weight).sum()), float((null_loss * weight).sum())
    if not math.isfinite(fitted):
        raise diverged(net, f"The loss of the final weights is {fitted}")
    if len(loss) < MIN_WINDOWS or null == 0:  # nothing can predict better than the constant
        return
    variance = ((loss - null_loss - (fitted - null)) ** 2 * weight**2).sum()
    if fitted - null > max(EXCESS * null, N_ERRORS * float(variance.sqrt())):
        which = "training" if validation is None else "validation"
        warnings.warn(
            f"The fit is worse than a constant prediction: its loss on the {which} set is "
            f"{fitted:.4g} instead of {null:.4g}. Try a lower lr, more epochs or more data; "
            "with a validation set that differs from the training set, check both.",
            ConvergenceWarning,
            stacklevel=2,
        )
