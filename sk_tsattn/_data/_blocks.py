"""Windows of data that do not fit into memory: blocks of rows are read, and windows cut from them.

Training shuffles by blocks. The order of the blocks is drawn first; then as many as are held at a
time are read, one after another, and their windows are shuffled together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._windows import Windows

# Blocks held at a time, at most; and at least, where they are large because windows are long.
N_HELD, MIN_HELD = 16, 4


class BlockedWindows:
    """Windows that are cut from blocks of rows, the blocks of the latest ones being held.

    A block also has the rows before it that its first windows need, so that each window lies
    within the block of its newest row.

    Parameters
    ----------
    windows : Windows
        What is cut. Its values are only read in slices, or a few of them at a time.

    load : callable
        Takes rows of the values and their positions (int ndarray), and returns them as a tensor:
        scaled, in the network's precision, on its device.

    held_bytes : int
        Size of the blocks held, as tensors. Exceeded if windows are longer than a twentieth of it.

    like : Tensor
        An empty tensor of the dtype and on the device of those that ``load`` returns.
    """

    def __init__(
        self,
        windows: Windows,
        load: Callable[[NDArray[Any], Any], Tensor],
        held_bytes: int,
        like: Tensor,
    ) -> None:
        self.windows = windows
        self.load = load
        values = windows.values
        self.is_series = values.ndim == 2
        self.margin = windows.lookback - 1 if self.is_series else 0
        row_bytes = like.element_size() * int(np.prod(values.shape[1:]))
        # Blocks of long windows: the rows before them are read twice, and should be few.
        self.n_rows = max(held_bytes // N_HELD // row_bytes - self.margin, 4 * self.margin, 1)
        n_held = held_bytes // ((self.n_rows + self.margin) * row_bytes)
        self.block = (windows.last // self.n_rows).astype(np.int32)
        n_slots = min(N_HELD, max(MIN_HELD, n_held), -(-len(values) // self.n_rows))
        # Allocated now, and only written to when blocks are read.
        self.held = like.new_empty((n_slots, self.n_rows + self.margin, *values.shape[1:]))
        self.block_of_slot = np.full(n_slots, -1)
        self.last_use = np.zeros(n_slots, dtype=np.int64)
        self.n_uses = 0

    def shuffled(self, generator: torch.Generator | None) -> Tensor:
        """Draw an order of the windows, such that those of the blocks held together follow.

        If all blocks can be held, each order is equally probable.
        """
        present = np.unique(self.block)
        if len(present) > len(self.block_of_slot):
            present = present[torch.randperm(len(present), generator=generator).numpy()]
        turn = np.empty(int(self.block.max()) + 1, dtype=np.int64)
        turn[present] = np.arange(len(present)) // len(self.block_of_slot)
        turn_of_window = turn[self.block]
        by_turn = np.argsort(turn_of_window, kind="stable")
        ends = np.cumsum(np.bincount(turn_of_window))
        parts = [
            part[torch.randperm(len(part), generator=generator).numpy()]
            for part in np.split(by_turn, ends[:-1])
        ]
        return torch.from_numpy(np.concatenate(parts))

    def take(self, which: NDArray[np.intp], offsets: NDArray[np.intp]) -> tuple[Tensor, Any]:
        """Cut the windows at ``which``; see :meth:`Windows.take`."""
        blocks, inverse = np.unique(self.block[which], return_inverse=True)
        if len(blocks) > len(self.block_of_slot):
            return self._take_one_by_one(which, offsets)
        slots = self._hold(blocks)[inverse]
        position, mask = self.windows.positions(which, offsets)
        # Positions in the blocks held, as if they lay one after another.
        width = self.held.shape[1]
        shift = slots * width + self.margin - self.block[which] * self.n_rows
        position = position + (shift[:, None] if self.is_series else shift)
        index = torch.from_numpy(position).to(self.held.device)
        return self.held.flatten(0, 1)[index], mask

    def _take_one_by_one(
        self, which: NDArray[np.intp], offsets: NDArray[np.intp]
    ) -> tuple[Tensor, Any]:
        """Read the rows of a few windows that are far apart."""
        position, mask = self.windows.positions(which, offsets)
        distinct, inverse = np.unique(position, return_inverse=True)
        rows = self.windows.rows_at(distinct)
        index = torch.from_numpy(inverse.reshape(position.shape)).to(self.held.device)
        return self.load(self.windows.values[rows], rows)[index], mask

    def _hold(self, blocks: NDArray[np.intp]) -> NDArray[np.intp]:
        """Read the blocks that are not held, in place of those not used for longest.

        Returns
        -------
        slots : int ndarray of shape (n_blocks,)
            Where each block is held.
        """
        self.n_uses += 1
        self.last_use[np.isin(self.block_of_slot, blocks)] = self.n_uses
        for block in np.setdiff1d(blocks, self.block_of_slot):
            slot = int(np.argmin(self.last_use))
            first = block * self.n_rows - self.margin
            start, stop = max(first, 0), min((block + 1) * self.n_rows, len(self.windows.values))
            order = self.windows.order
            rows = slice(start, stop) if order is None else order[start:stop]
            self.block_of_slot[slot] = -1  # if reading fails
            self.held[slot, start - first : stop - first] = self.load(
                self.windows.values[rows], rows
            )
            self.block_of_slot[slot], self.last_use[slot] = block, self.n_uses
        by_block = np.argsort(self.block_of_slot)
        found: NDArray[np.intp] = by_block[
            np.searchsorted(self.block_of_slot, blocks, sorter=by_block)
        ]
        return found
