"""Processes that fit one model together, each on its share of every batch.

They are those of torch's process group: begin it with ``torch.distributed.init_process_group``, as
in a script that ``torchrun`` starts. All of them call ``fit`` with the same data and parameters.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def n_processes() -> int:
    """Return how many processes fit together; 1 if this one fits by itself."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def process_number() -> int | None:
    """Return the number of this process among them, from 0 on; None if it fits by itself."""
    return dist.get_rank() if n_processes() > 1 else None


def share_of(batch: Tensor) -> Tensor:
    """Return this process' share of a batch of positions.

    A batch that has too few for all processes is taken by each of them whole, which has the same
    average.
    """
    if n_processes() == 1 or len(batch) < n_processes():
        return batch
    return batch[dist.get_rank() :: n_processes()]


def add_up(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor over all processes."""
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def average(tensors: list[Tensor], n_samples: int) -> None:
    """Replace tensors by their averages over the samples of all processes.

    Parameters
    ----------
    tensors : list of Tensor
        Averages over the samples of this process. Changed in place.

    n_samples : int
        The number of these samples.
    """
    flat = torch.cat([*(tensor.reshape(-1) for tensor in tensors), tensors[0].new_ones(1)])
    total = add_up(flat * n_samples)
    parts = (total[:-1] / total[-1]).split([tensor.numel() for tensor in tensors])  # type: ignore[no-untyped-call] # torch's
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))


def first_value(value: Any) -> Any:
    """Return the value that the first process has."""
    if n_processes() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def check_same(values: dict[str, Any], advice: str) -> None:
    """Raise a ValueError if the processes differ in any of these values, by its name.

    ``advice`` says what to do then.
    """
    if n_processes() == 1:
        return
    everywhere: list[Any] = [None] * n_processes()
    dist.all_gather_object(everywhere, values)
    for name, value in values.items():
        if any(other[name] != value for other in everywhere):
            raise ValueError(
                f"The processes of a group fit one model, each on its share of the same data. Got "
                f"{name} = {', '.join(str(other[name]) for other in everywhere)} instead; {advice}."
            )
