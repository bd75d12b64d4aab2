"""Names of the devices to compute on."""

from __future__ import annotations

import torch


def resolve_device(device: str) -> str:
    """Return the device to compute on: for ``"auto"`` CUDA if available, else MPS, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device, or cannot compute on it here.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        name = str(torch.device(device))
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "The 'device' parameter must be \"auto\" or a device as torch names it, such as "
            f'"cpu" or "cuda:0". Got {device!r} instead.'
        ) from error
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            "The 'device' parameter must be a device that torch can compute on here. Got "
            f'{device!r} instead, which is not available; set device="auto" or device="cpu".'
        ) from error
    return name
