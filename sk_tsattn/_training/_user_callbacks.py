"""The user's skorch callbacks: which of them work here, and copies of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import BatchScoring, Callback, EpochScoring, InputShapeSetter
from skorch.utils import to_numpy

# Callbacks that cannot be used, and why.
REFUSED = {
    BatchScoring: "batches hold weights beside the targets; use EpochScoring",
    InputShapeSetter: "the shape of the network is that of X",
}


def copy_callbacks(callbacks: Sequence[Any] | None) -> list[Any]:
    """Return copies of the callbacks, whose state leaves the user's parameter as it was.

    Raises
    ------
    ValueError
        If an item is not a callback of skorch, or one that cannot be used.
    """
    return [_copy(item) for item in callbacks or []]


def _copy(item: Any) -> Any:
    name, callback = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
    kind = callback if isinstance(callback, type) else type(callback)
    if not issubclass(kind, Callback):
        raise ValueError(
            "The 'callbacks' parameter must hold skorch callbacks, or pairs of a name and a "
            f"callback. Got {item!r} instead."
        )
    for refused, reason in REFUSED.items():
        if issubclass(kind, refused) and not issubclass(kind, EpochScoring):
            raise ValueError(f"The callback {kind.__name__} cannot be used: {reason}.")
    if not isinstance(callback, type):
        callback = copy.copy(callback)
        if isinstance(callback, EpochScoring):
            if not callback.use_caching:
                raise ValueError(
                    "The callback EpochScoring cannot be used with use_caching=False: its targets "
                    "are those of the batches; set use_caching=True."
                )
            if callback.target_extractor is to_numpy:
                callback.target_extractor = _targets
    return callback if name is None else (name, callback)


def _targets(target: Any) -> NDArray[Any]:
    """Return the targets of a batch, without the weights."""
    targets: NDArray[Any] = to_numpy(target[0])
    return targets


def check_monitors(net: NeuralNet, *, validated: bool) -> None:
    """Raise a ValueError if a callback monitors the validation loss without a validation set."""
    for _, callback in net.callbacks_:
        monitor = getattr(callback, "monitor", None)
        if not validated and isinstance(monitor, str) and monitor.startswith("valid_loss"):
            raise ValueError(
                f"The callback {type(callback).__name__} monitors {monitor!r}, which needs a "
                "validation set. Got none; set early_stopping=True, give X_val to fit, or set the "
                f"callback's monitor to {monitor.replace('valid', 'train')!r}."
            )
