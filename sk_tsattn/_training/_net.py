"""The skorch net: network, loss and optimizer, built from the estimator's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet
from torch import nn

from .._data._batches import INFERENCE_BATCH, Batches
from .._random import random_numbers
from ..attention._network import build_network
from ._initial_weights import initial_weights
from ._loss import WeightedLoss
from ._loss_functions import LOSSES, PointLoss
from ._path import PHASES
from ._user_callbacks import copy_callbacks

# Options of skorch that net_params must not set, and what to do instead.
RESERVED = {
    "batch_size": "set the parameter batch_size",
    "callbacks": "set the parameter callbacks",
    "dataset": "X is cut into batches by the estimator",
    "device": "set the parameter device",
    "iterator_train__batch_size": "set the parameter batch_size",
    "iterator_train": "X is cut into batches by the estimator",
    "iterator_train__shared": "several processes fit together if torch.distributed is initialised",
    "iterator_valid": "X is cut into batches by the estimator",
    "lr": "set the parameter lr",
    "max_epochs": "set the parameter max_epochs",
    "module": "set attention, attention_mode and attention_params",
    "optimizer__lr": "set the parameter lr",
    "optimizer__weight_decay": "set the parameter weight_decay",
    "train_split": "set validation_fraction and early_stopping, or give X_val to fit",
    "predict_nonlinearity": "predictions are those of the network",
    "use_caching": "callbacks use the predictions of the batches",
    "verbose": "set the parameter verbose",
    "warm_start": "set the parameter warm_start",
}
# The loss that a criterion in net_params takes the place of.
DEFAULT_LOSS = "squared_error"
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


# What is set for the loss by the estimator.
LOSS_RESERVED = ("criterion__loss", "criterion__quantiles", "criterion__reduction")


def check_net_params(net_params: Mapping[str, Any] | None, loss: str) -> None:
    """Raise a ValueError if ``net_params`` has an option that the estimator sets itself."""
    if loss != DEFAULT_LOSS and "criterion" in (net_params or {}):
        raise ValueError(
            f"net_params must leave the criterion to the estimator, whose loss is {loss!r}. Got "
            f"{net_params!r} instead; drop 'criterion', or use AttentionLSTMRegressor with "
            f"loss={DEFAULT_LOSS!r}."
        )
    for name, value in (net_params or {}).items():
        if not isinstance(name, str):
            raise ValueError(
                f"net_params must have names of skorch's options as keys. Got {name!r} instead."
            )
        if name in RESERVED or name.startswith("module__"):
            instead = RESERVED.get(name, RESERVED["module"])
            raise ValueError(
                f"net_params must leave skorch's {name!r} to the estimator. Got "
                f"{value!r} for it; {instead}."
            )
        if name in LOSS_RESERVED:
            raise ValueError(
                f"net_params must leave {name!r} to the estimator, which weighs the loss of each "
                f"sample. Got {value!r} for it; set 'criterion' and its other options."
            )
        if name == "iterator_train__shuffle" and not isinstance(value, bool):
            raise ValueError(f"net_params[{name!r}] must be True or False. Got {value!r} instead.")
        kind = {"criterion": nn.Module, "optimizer": torch.optim.Optimizer}.get(name)
        if kind is not None and not (isinstance(value, type) and issubclass(value, kind)):
            example = {"criterion": "torch.nn.SmoothL1Loss", "optimizer": "torch.optim.SGD"}[name]
            raise ValueError(
                f"net_params[{name!r}] must be a class such as {example}, with its options in "
                f"'{name}__...'. Got {value!r} instead."
            )


def make_network(*, dtype: str, **arguments: Any) -> nn.Module:
    """Build the network in a precision, ``"float32"`` or ``"float64"``."""
    return build_network(**arguments).to(getattr(torch, dtype))


def make_net(
    *,
    module: Mapping[str, Any],
    n_targets: int,
    loss: str,
    loss_options: Mapping[str, Any],
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
        Arguments of :func:`make_network`, except ``n_outputs``.

    n_targets : int
        Columns of the target.

    loss : str
        A key of :data:`LOSSES`. A criterion in ``net_params`` takes the place of the default.

    loss_options : dict
        Arguments of the loss.

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
        If ``net_params`` has an option that skorch does not know, or with which a training step
        fails; or if an item of ``callbacks`` is not a callback.
    """
    options = dict(net_params or {})
    if "optimizer" not in options:
        options["optimizer"] = torch.optim.AdamW
        options.setdefault("optimizer__weight_decay", weight_decay)  # AdamW's own is 0.01
        options.setdefault("optimizer__fused", True)  # one kernel: a step takes an eighth less
    elif weight_decay:
        options.setdefault("optimizer__weight_decay", weight_decay)
    options.setdefault("iterator_train__shuffle", True)
    options.setdefault("iterator_valid__batch_size", max(batch_size, INFERENCE_BATCH))

    def build(callbacks: Sequence[Any], **options: Any) -> NeuralNet:
        function = make_loss()
        net = NeuralNet(
            make_network,
            criterion=WeightedLoss,
            criterion__loss=function,
            predict_nonlinearity=function.predict_point,
            lr=lr,
            batch_size=batch_size,
            device=device,
            callbacks=callbacks,
            iterator_train=Batches,
            iterator_train__shared=True,
            iterator_valid=Batches,
            verbose=int(verbose >= 2),
            **{f"module__{key}": value for key, value in module.items()},
            **options,
        )
        with initial_weights(seed):
            return net.initialize()

    copied = copy_callbacks(callbacks)
    try:
        make_loss = _loss_maker(loss, loss_options, options)
        module = {**module, "n_outputs": make_loss().n_outputs(n_targets)}
        if net_params:
            of_net = {k: v for k, v in options.items() if not k.startswith("callbacks__")}
            _try_training_step(build([], **of_net), module, n_targets)
        net = build(copied, **options)
        _check_callback_options(net, options)
    except Exception as error:
        if not net_params:
            raise
        raise ValueError(
            "net_params must hold options of skorch.NeuralNet or, with a prefix, of its parts, "
            f"such as 'optimizer__momentum'. Got {dict(net_params)!r} instead, of which skorch "
            f"or torch says: {type(error).__name__}: {error}"
        ) from error
    net.module_.eval()
    return net


def _loss_maker(
    loss: str, loss_options: Mapping[str, Any], options: dict[str, Any]
) -> Callable[[], Any]:
    """Return what makes a loss function; take its class and arguments out of skorch's options."""
    given = [name for name in options if name.startswith("criterion__")]
    arguments = {name.removeprefix("criterion__"): options.pop(name) for name in given}
    if "criterion" in options:
        return partial(PointLoss, options.pop("criterion"), **arguments)
    return partial(LOSSES[loss], **loss_options, **arguments)


def _check_callback_options(net: NeuralNet, net_params: Mapping[str, Any]) -> None:
    """Raise if an option is that of a callback which the net does not have: skorch ignores it."""
    known = net.get_params()
    for option in net_params:
        if option.startswith("callbacks__") and "__".join(option.split("__")[:2]) not in known:
            raise ValueError(f"there is no callback of which {option!r} could be an option")


def _try_training_step(net: NeuralNet, module: Mapping[str, Any], n_targets: int) -> None:
    """Take a training step with a net that is not used any more, to raise for wrong options."""
    dtype = getattr(torch, module["dtype"])
    X = torch.zeros(2, module["n_timesteps"], module["n_features"], dtype=dtype, device=net.device)
    y = torch.zeros(2, n_targets, dtype=dtype, device=net.device)
    weight = torch.ones(2, dtype=dtype, device=net.device)
    windows = _TwoWindows({"X": X}, (y, weight))
    for training in (True, False):
        for batch in net.get_iterator(windows, training=training):
            with random_numbers(0):
                step = net.train_step if training else net.validation_step
                loss = step(batch)["loss"]
            if loss.shape:
                raise ValueError(f"the loss must be a number, but has shape {tuple(loss.shape)}")


class _TwoWindows(torch.utils.data.Dataset[Any]):
    """A data set of one batch."""

    def __init__(self, X: dict[str, torch.Tensor], y: tuple[torch.Tensor, torch.Tensor]) -> None:
        self.X, self.y = X, y

    def __len__(self) -> int:
        return 2

    def batch(self, which: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.X

    def targets(self, which: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.y

    def shuffled(self) -> torch.Tensor:
        return torch.arange(2)


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
