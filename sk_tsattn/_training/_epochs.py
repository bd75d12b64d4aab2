"""The epochs of a training: skorch's loop, with less Python in each optimisation step."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from skorch.utils import TeeGenerator

from .._data._batches import WindowDataset


def run_epochs(
    net: NeuralNet, training: WindowDataset, validation: WindowDataset | None, n_epochs: int
) -> None:
    """Train for some epochs, as skorch's ``fit_loop`` does.

    Batches are tensors on the device already, and the network changes to training mode only after
    an evaluation. skorch converts and changes in every step, which takes longer than a step of a
    small network needs otherwise.
    """
    datasets = {"dataset_train": training, "dataset_valid": validation}
    batches = net.get_iterator(training, training=True)
    held_out = None if validation is None else net.get_iterator(validation, training=False)
    for _ in range(n_epochs):
        net.notify("on_epoch_begin", **datasets)
        net.run_single_epoch(batches, True, "train", lambda batch: _train_step(net, batch))
        net.run_single_epoch(held_out, False, "valid", net.validation_step)
        net.notify("on_epoch_end", **datasets)


def _train_step(net: NeuralNet, batch: Any) -> dict[str, Any]:
    """Take a step of the optimizer; return the loss and the prediction before it."""
    network, criterion, optimizer = net.module_, net.criterion_, net.optimizer_
    if not network.training:
        network.train()
        criterion.train()
    X, target = batch
    first: dict[str, Any] = {}

    def compute_gradient() -> Any:  # some optimizers call it several times
        optimizer.zero_grad()
        prediction = network(**X)
        loss = criterion(prediction, target)
        loss.backward()
        net.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(net.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        if not first:
            first.update(loss=loss, y_pred=prediction)
        return loss

    optimizer.step(compute_gradient)
    return first
