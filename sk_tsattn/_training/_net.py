"""The skorch net: network, loss and optimizer, built from the estimator's parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

from .._data._batches import INFERENCE_BATCH, Batches
from ..attention._network import build_network
from ._loss import WeightedLoss
from ._random import initial_weights
from ._schedule import PHASES

# Options of skorch that net_params must not set, and what to do instead.
RESERVED = {
    "batch_size": "set the parameter batch_size",
    "callbacks": "set the parameter callbacks",
    "dataset": "X is cut into batches by the estimator",
    "device": "set the parameter device",
    "iterator_train": "X is cut into batches by the estimator",
    "iterator_valid": "X is cut into batches by the estimator",
    "lr": "set the parameter lr",
    "max_epochs": "set the parameter max_epochs",
    "module": "set attention, attention_mode and attention_params",
    "optimizer__lr": "set the parameter lr",
    "optimizer__weight_decay": "set the parameter weight_decay",
    "train_split": "set validation_fraction and early_stopping, or give X_val to fit",
    "verbose": "set the parameter verbose",
}
# Columns of skorch's history, and their names in history_.
HISTORY_COLUMNS = {
    "epoch": "epoch",
    "train_loss": "train_loss",
    "valid_loss": "valid_loss",
    "lr": "lr",
    "dur": "seconds",
    "phase": "phase",
    "penalty": "penalty",
}


def check_net_params(net_params: Mapping[str, Any] | None) -> None:
    """Raise a ValueError if ``net_params`` has an option that the estimator sets itself."""
    for name in net_params or {}:
        if name in RESERVED or name.startswith("module__"):
            instead = RESERVED.get(name, RESERVED["module"])
            raise ValueError(
                f"net_params must leave skorch's {name!r} to the estimator. Got "
                f"{net_params[name]!r} for it; {instead}."  # type: ignore[index] # not None here
            )


def make_network(*, dtype: str, **arguments: Any) -> nn.Module:
    """Build the network in a precision, ``"float32"`` or ``"float64"``."""
    return build_network(**arguments).to(getattr(torch, dtype))


def make_net(
    *,
    module: Mapping[str, Any],
    seed: int,
    lr: float,
    weight_decay: float,
    batch_size: int,
    device: str,
    callbacks: Sequence[Any] | None,
    verbose: int,
    net_params: Mapping[str, Any] | None,
) -> NeuralNet:
    """Build and initialise the skorch net.

    Parameters
    ----------
    module : dict
        Arguments of :func:`make_network`.

    seed : int
        Seed of the initial weights.

    lr, weight_decay, batch_size, device, callbacks, verbose, net_params
        The estimator's parameters.

    Returns
    -------
    net : skorch.NeuralNet
        Initialised, in evaluation mode.

    Raises
    ------
    ValueError
        If ``net_params`` has an option that skorch does not know.
    """
    options = dict(net_params or {})
    loss = options.pop("criterion", nn.MSELoss)
    if "optimizer" not in options:
        options["optimizer"] = torch.optim.AdamW
        options.setdefault("optimizer__weight_decay", weight_decay)  # AdamW's own is 0.01
        options.setdefault("optimizer__fused", True)  # one kernel: a step takes an eighth less
    elif weight_decay:
        options.setdefault("optimizer__weight_decay", weight_decay)
    net = NeuralNet(
        make_network,
        criterion=WeightedLoss,
        criterion__loss=loss,
        lr=lr,
        batch_size=batch_size,
        device=device,
        # Callbacks keep state on themselves: copies leave the user's parameter as it was.
        callbacks=[_copy_callback(callback) for callback in callbacks or []],
        iterator_train=Batches,
        iterator_train__shuffle=True,
        iterator_valid=Batches,
        iterator_valid__batch_size=max(batch_size, INFERENCE_BATCH),
        verbose=int(verbose >= 2),
        **{f"module__{key}": value for key, value in module.items()},
        **options,
    )
    try:
        with initial_weights(seed):
            net.initialize()
    except (TypeError, ValueError) as error:
        if "unexpected argument" not in str(error) or not net_params:
            raise
        raise ValueError(
            "net_params must hold options of skorch.NeuralNet or, with a prefix, of its parts. "
            f"Got {sorted(net_params)} instead, of which skorch says: {error}"
        ) from error
    net.module_.eval()
    return net


def _copy_callback(callback: Any) -> Any:
    if isinstance(callback, tuple):
        name, callback = callback
        return name, _copy_callback(callback)
    return callback if isinstance(callback, type) else copy.copy(callback)


def change_net(net: NeuralNet, **options: Any) -> None:
    """Set the net's options that differ from ``options``; the others keep their state."""
    changed = {name: value for name, value in options.items() if getattr(net, name) != value}
    if changed:
        net.set_params(**changed)


def history(net: NeuralNet) -> list[dict[str, Any]]:
    """Return what skorch recorded of each epoch, as rows of a DataFrame."""
    rows = [
        {name: row[key] for key, name in HISTORY_COLUMNS.items() if key in row}
        for row in net.history
    ]
    for row in rows:
        if "phase" in row:
            row["phase"] = PHASES[row["phase"]]
    return rows
