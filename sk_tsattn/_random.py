"""Random numbers of a fit: generators of its own, in place of torch's global ones.

Code that draws random numbers asks :func:`generator` for the one to draw from. Inside a ``with``
block of :func:`random_numbers` that is the fit's own. The choice holds for the present thread
alone, and no module stores a generator: modules can be copied and pickled at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Local(threading.local):
    """The generators of the present thread, by device; None outside of fits."""

    seed: int = 0
    generators: dict[str, torch.Generator] | None = None


_local = _Local()


@contextmanager
def random_numbers(seed: int) -> Iterator[None]:
    """Draw from generators with this seed inside a ``with`` block."""
    outer = _local.seed, _local.generators
    _local.seed, _local.generators = seed, {}
    try:
        yield
    finally:
        _local.seed, _local.generators = outer


def generator(device: torch.device | str = "cpu") -> torch.Generator | None:
    """Return the generator to draw from on a device; None is torch's global one."""
    if _local.generators is None:
        return None
    name = str(device)
    if name not in _local.generators:
        _local.generators[name] = torch.Generator(device).manual_seed(_local.seed)
    return _local.generators[name]
