"""The state of a trained net as arrays and numbers, from which the same net can be made again."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch import NeuralNet

from ._net import change_net


def get_state(net: NeuralNet, *, with_optimizer: bool) -> dict[str, Any]:
    """Return what training has changed in a net.

    Parameters
    ----------
    net : skorch.NeuralNet
        Made by :func:`make_net`.

    with_optimizer : bool
        Whether to include the state of the optimizer, such as the moments of the gradient, which
        has twice the size of the weights.

    Returns
    -------
    state : dict
        Of numbers, text and arrays, on no device.
    """
    state = {
        "weights": _to_arrays(net.module_.state_dict()),
        "history": list(net.history),
        "options": {"lr": net.lr, "batch_size": net.batch_size},
    }
    if with_optimizer:
        state["optimizer"] = _to_arrays(net.optimizer_.state_dict())
    return state


def set_state(net: NeuralNet, state: dict[str, Any]) -> None:
    """Set what training had changed in a net that was made with the same arguments."""
    net.module_.load_state_dict(_to_tensors(state["weights"]))
    change_net(net, **state["options"])
    net.history.extend(state["history"])
    if "optimizer" in state:
        net.optimizer_.load_state_dict(_to_tensors(state["optimizer"]))


def _to_arrays(value: Any) -> Any:
    """Replace the tensors in dicts and lists by arrays."""
    if isinstance(value, dict):
        return {key: _to_arrays(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_arrays(item) for item in value]
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _to_tensors(value: Any) -> Any:
    """Replace the arrays in dicts and lists by tensors, as copies: they may be memory maps."""
    if isinstance(value, dict):
        return {key: _to_tensors(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_to_tensors(item) for item in value]
    return torch.tensor(value) if isinstance(value, np.ndarray) else value
