"""Saving and loading: the state of an estimator is parameters, numbers, text and arrays."""

from __future__ import annotations

import copy
import warnings
from typing import Any, Self

import pandas as pd

from . import _training as training
from ._data._plain import history_from_plain, history_to_plain
from ._data._scaling import Standardizer
from ._version import __version__

VERSION = "_sk_tsattn_version"
SCALERS = ("_x_scaler", "_y_scaler")


class SavingMixin:
    """The state that pickle, joblib and skops save, without the objects of other libraries.

    The net and the frames are made anew when the state is loaded, so that it can be read with
    other versions of torch and pandas, and on machines without the device of ``fit``.
    """

    device: str
    warm_start: bool

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        if "net_" in state:
            net = state.pop("net_")
            state["_net_state"] = training.get_state(net, with_optimizer=self.warm_start)
            state["_history"] = history_to_plain(state["_history"])
            for name in SCALERS:
                state[name] = dict(vars(state[name]))
            del state["history_"], state["context_"]
            if "path_" in state:
                state["path_"] = state["path_"].to_dict("list")
        return state | {VERSION: __version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        saved = state.pop(VERSION, "another version")
        if saved != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved with sk_tsattn {saved} and is loaded with "
                f"{__version__}: its predictions may differ or fail. Load it with the version that "
                "saved it, or fit it again.",
                UserWarning,
                stacklevel=2,
            )
        net_state = state.pop("_net_state", None)
        super().__setstate__(state)  # type: ignore[misc]
        if net_state is None:
            return
        for name in SCALERS:
            setattr(self, name, Standardizer(**state[name]))
        self._history = history_from_plain(state["_history"])
        self.context_ = self._history.context
        self.net_ = training.make_net(**state["_net_arguments"], device=self._device_to_load_on())
        training.set_state(self.net_, net_state)
        self.history_ = pd.DataFrame(training.history(self.net_))
        if "path_" in state:
            self.path_ = pd.DataFrame(state["path_"])

    def __copy__(self) -> Self:
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def _device_to_load_on(self) -> str:
        """Return the device of the parameter, or the CPU where there is none."""
        try:
            return training.resolve_device(self.device)
        except ValueError:
            warnings.warn(
                f"This {type(self).__name__} has device={self.device!r}, which is not available "
                "here. It is loaded on the CPU; set device='auto' before saving to avoid this.",
                UserWarning,
                stacklevel=4,
            )
            return "cpu"
