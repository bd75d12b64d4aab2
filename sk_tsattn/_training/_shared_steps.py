"""Steps of several processes: each computes the gradient of its share of a batch."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from .._data._batches import WindowDataset
from .._processes import add_up, average, check_same


class SharedSteps(Callback):  # type: ignore[misc] # skorch is untyped
    """Average the gradients and the training losses of all processes.

    All then take the same steps. What is decided between them, by losses of the validation set,
    each process computes for itself, from the same weights.
    """

    def on_grad_computed(
        self, net: NeuralNet, named_parameters: Any, batch: Any, training: bool, **kwargs: Any
    ) -> None:
        """Average the gradients of a step."""
        gradients = [p.grad for _, p in named_parameters if p.grad is not None]
        average(gradients, n_samples=len(batch[1][1]))

    def on_epoch_end(self, net: NeuralNet, dataset_train: WindowDataset, **kwargs: Any) -> None:
        """Average the loss of each batch, before the mean of the epoch is recorded."""
        batches = [batch for batch in net.history[-1]["batches"] if "train_loss" in batch]
        # In the precision and on the device of the network, which its process group can add.
        like = next(net.module_.parameters()).detach()
        losses = like.new_tensor([batch["train_loss"] for batch in batches])
        sizes = like.new_tensor([batch["train_batch_size"] for batch in batches])
        losses = add_up(losses * sizes) / add_up(sizes)
        n_left = len(dataset_train)
        for batch, loss in zip(batches, losses.tolist(), strict=True):
            size = min(net.batch_size, n_left)
            batch.update(train_loss=loss, train_batch_size=size)
            n_left -= size


def check_same_fit(
    net: NeuralNet, training: WindowDataset, validation: WindowDataset | None, n_epochs: int
) -> None:
    """Raise a ValueError unless all processes fit the same network to the same data."""
    check_same(
        {
            "the number of training windows": len(training),
            "the number of validation windows": 0 if validation is None else len(validation),
            "max_epochs": n_epochs,
            "batch_size": net.batch_size,
            "the checksum of the targets": _checksum(training.y),
            "the checksum of the initial weights": _checksum_of_weights(net),
        },
        "give all the same, or call torch.distributed.destroy_process_group() before fits that "
        "each process does by itself",
    )


def check_same_weights(net: NeuralNet) -> None:
    """Raise a ValueError unless all processes have trained the network to the same weights."""
    check_same(
        {"the checksum of the fitted weights": _checksum_of_weights(net)},
        "use machines of one kind, with the same versions and numbers of threads, since each "
        "process decides by losses that it computes itself",
    )


def _checksum_of_weights(net: NeuralNet) -> str:
    return _checksum(torch.cat([p.detach().reshape(-1) for p in net.module_.parameters()]))


def _checksum(values: torch.Tensor) -> str:
    return hashlib.sha256(values.cpu().numpy().tobytes()).hexdigest()[:8]
