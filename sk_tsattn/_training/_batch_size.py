"""The number of windows in an optimisation step."""

from __future__ import annotations

# Up to so many steps an epoch, "auto" is the smallest batch; with more windows it doubles.
SMALLEST, LARGEST, MAX_STEPS = 64, 512, 300


def resolve_batch_size(batch_size: int | str, n_windows: int) -> int:
    """Return the batch size: for ``"auto"`` 64, or more where it makes too many steps an epoch."""
    if not isinstance(batch_size, str):
        return batch_size
    size = SMALLEST
    while size < LARGEST and n_windows > size * MAX_STEPS:
        size *= 2
    return size
