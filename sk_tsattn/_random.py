"""Random numbers of a fit: generators of its own, in place of torch's global ones.

Code that draws random numbers asks :func:`generator` for the one to draw from. Inside a ``with``
block of :func:`random_numbers` that is the fit's own. The choice holds for the present thread
alone, and no module stores a generator: modules can be copied and pickled at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


class _Local(threading.local):
    """The generators of the present thread, by device; None outside of fits."""

    seed: int = 0
    process: int | None = None
    generators: dict[tuple[str, int | None], torch.Generator] | None = None


_local = _Local()


@contextmanager
def random_numbers(seed: int, process: int | None = None) -> Iterator[None]:
    """Draw from generators with this seed inside a ``with`` block.

    Parameters
    ----------
    seed : int
        From 0 to 2^31.

    process : int or None, default=None
        The number of this process, if several fit together. Each draws numbers of its own, but
        for those that are in common.
    """
    outer = _local.seed, _local.process, _local.generators
    _local.seed, _local.process, _local.generators = seed, process, {}
    try:
        yield
    finally:
        _local.seed, _local.process, _local.generators = outer


def generator(
    device: torch.device | str = "cpu", *, common: bool = False
) -> torch.Generator | None:
    """Return the generator to draw from on a device; None is torch's global one.

    With ``common``, all processes that fit together draw the same numbers.
    """
    if _local.generators is None:
        return None
    process = None if common else _local.process
    name = str(device), process
    if name not in _local.generators:
        seed = _local.seed
        if process is not None:  # torch reads 32 bits of a seed
            seed = int(np.random.SeedSequence([seed, process]).generate_state(1)[0])
        _local.generators[name] = torch.Generator(device).manual_seed(seed)
    return _local.generators[name]
