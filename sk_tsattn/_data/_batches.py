"""Windows with their targets as tensors, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._processes import share_of
from .._random import generator
from .._threads import use_one_thread_after_fork
from ._blocks import BlockedWindows
from ._missing import fill_missing, observed_cells
from ._scaling import Standardizer
from ._stored import rows_in_a_block
from ._windows import Windows

# Data up to this size (in the network's precision) are put on the device whole. Of larger ones this
# much is held at a time, and the order of training is drawn by blocks, see BlockedWindows.
RESIDENT_BYTES = 2**26
# Windows at a time where nothing is learnt.
INFERENCE_BATCH = 512


class WindowDataset(torch.utils.data.Dataset[Any]):
    """Windows, scaled and cut a batch at a time, with the targets that belong to them.

    Parameters
    ----------
    windows : Windows
        Of numpy arrays, memory maps or a :class:`StoredArray`.

    scaler : Standardizer
        Scaling of the features.

    dtype : str
        Precision of the network, ``"float32"`` or ``"float64"``.

    device : str
        Where the batches are wanted.

    y : ndarray of shape (n, n_outputs) or None, default=None
        Scaled targets.

    weight : ndarray of shape (n,) or None, default=None
        Sample weights.
    """

    def __init__(
        self,
        windows: Windows,
        scaler: Standardizer,
        *,
        dtype: str,
        device: str,
        y: NDArray[np.float64] | None = None,
        weight: NDArray[np.float64] | None = None,
    ) -> None:
        use_one_thread_after_fork()
        self.dtype = getattr(torch, dtype)
        self.device = device
        self.scaler: Standardizer = scaler
        values = windows.values
        self.used = windows.is_used()
        like = torch.empty(0, dtype=self.dtype, device=device)
        self.blocks: BlockedWindows | None = None
        self.windows: Windows = windows
        self.offsets: Any = np.arange(1 - windows.lookback, 1)
        if values.size * self.dtype.itemsize <= RESIDENT_BYTES:
            resident = like.new_empty(values.shape)
            step = rows_in_a_block(values)
            for first in range(0, len(values), step):
                rows = slice(first, first + step)
                resident[rows] = self._scaled(values[rows], rows)
            self.windows = windows.convert(resident, self._on_device)
            self.offsets = self._on_device(self.offsets)
        else:
            self.blocks = BlockedWindows(windows, self._scaled, RESIDENT_BYTES, like)
        # In data that are read again and again, missing values are looked for in each batch.
        self.may_miss = self.blocks is not None or bool(self.windows.values.isnan().any())
        if y is not None:
            assert weight is not None
            self.y = self._numbers(y)
            self.weight = self._numbers(weight / weight.mean())

    def _on_device(self, array: NDArray[Any]) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self.device)

    def _numbers(self, array: NDArray[Any]) -> Tensor:
        """Put numbers on the device; in its precision before, as it may have no other."""
        return torch.as_tensor(np.ascontiguousarray(array)).to(self.dtype).to(self.device)

    def _scaled(self, values: NDArray[Any], rows: Any) -> Tensor:
        """Scale rows that have been read, at these positions."""
        return self._numbers(self.scaler.transform(values, self.used[rows]))

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, which: Tensor) -> dict[str, Tensor]:
        """Cut the windows at ``which`` (int tensor on the CPU), and fill their missing cells."""
        X, mask = self._cut(which)
        if self.may_miss:
            X, mask = fill_missing(X, mask)
        return {"X": X} if mask is None else {"X": X, "mask": mask}

    def observed(self, which: Tensor) -> Tensor | None:
        """Return which cells of the windows at ``which`` hold a value; None if no cell is NaN."""
        return observed_cells(*self._cut(which)) if self.may_miss else None

    def _cut(self, which: Tensor) -> tuple[Tensor, Tensor | None]:
        """Cut windows, with NaN at missing cells and a mask of the steps that they have."""
        if self.blocks is None:
            X, mask = self.windows.take(which.to(self.device), self.offsets)
            return X, mask
        X, mask = self.blocks.take(which.numpy(), self.offsets)
        return X, None if mask is None else self._on_device(mask)

    def shuffled(self) -> Tensor:
        """Draw an order of the windows, the same in all processes that fit together."""
        common = generator(common=True)
        if self.blocks is None:
            return torch.randperm(len(self), generator=common)
        return self.blocks.shuffled(common)

    def targets(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Take the targets and the weights at ``which``."""
        which = which.to(self.device)
        return self.y[which], self.weight[which]


class Batched(Sized, Protocol):
    """Samples that are cut a batch at a time."""

    def batch(self, which: Tensor) -> dict[str, Tensor]:
        """Return the arguments of the network for some samples."""

    def targets(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Return the targets and the weights of some samples."""

    def shuffled(self) -> Tensor:
        """Draw an order of the samples."""


class Batches:
    """Iterate over a :class:`WindowDataset` in batches.

    Parameters
    ----------
    dataset : WindowDataset
        What is cut.

    batch_size : int
        Windows in a batch; the last one may have fewer.

    shuffle : bool, default=False
        Draw a new order each time, from the fit's generator. A single batch has none.

    shared : bool, default=False
        Cut only this process' share of each batch, if several fit together.
    """

    def __init__(
        self, dataset: Batched, batch_size: int, shuffle: bool = False, shared: bool = False
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle and len(dataset) > batch_size
        self.shared = shared

    def __iter__(self) -> Iterator[tuple[dict[str, Tensor], tuple[Tensor, Tensor]]]:
        order = self.dataset.shuffled() if self.shuffle else torch.arange(len(self.dataset))
        for which in order.split(self.batch_size):  # type: ignore[no-untyped-call]
            which = share_of(which) if self.shared else which
            yield self.dataset.batch(which), self.dataset.targets(which)
