"""Arrays that are read a part at a time, and never as a whole.

They may lie on disk, as those of HDF5 and zarr do, or be computed when they are read, as those of
dask are: all that is asked of them is ``shape``, ``dtype`` and slices of their first axis.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

# Bytes read at a time.
BLOCK_BYTES = 2**22
# Rows with no more than this between them are read in one slice: it takes no longer than to begin
# another.
MAX_GAP_BYTES = 2**16
# Packages whose objects are read in other ways.
OTHERS = {"builtins", "numpy", "pandas", "polars", "torch"}


def is_stored(data: Any) -> bool:
    """Return whether ``data`` is an array of numbers that is read in slices."""
    if type(data).__module__.partition(".")[0] in OTHERS and not isinstance(data, StoredArray):
        return False
    if scipy.sparse.issparse(data) or not hasattr(data, "__getitem__"):
        return False
    try:
        return len(data.shape) > 0 and np.dtype(data.dtype).kind in "biuf"
    except (AttributeError, TypeError):
        return False


def rows_in_a_block(values: Any, itemsize: int = 8) -> int:
    """Return how many rows of an array are read at a time."""
    return max(1, BLOCK_BYTES // max(1, itemsize * int(np.prod(values.shape[1:]))))


class StoredArray:
    """The rows of an array, read when they are asked for.

    Parameters
    ----------
    source : array
        Of any library: it needs ``shape``, ``dtype``, and slices that :func:`numpy.asarray` takes.

    before : ndarray or None, default=None
        Rows in memory to put before them.

    n_steps : int or None, default=None
        Only of windows, (n, n_timesteps, n_features): the number of newest steps to read.
    """

    def __init__(
        self, source: Any, before: NDArray[Any] | None = None, n_steps: int | None = None
    ) -> None:
        self.source = source
        self.before = before
        self.n_steps = n_steps
        n_rows, *rest = source.shape
        if n_steps is not None:
            rest[0] = n_steps
        self.n_before = 0 if before is None else len(before)
        self.dtype: np.dtype[Any] = np.dtype(source.dtype)
        if before is not None:
            self.dtype = np.result_type(self.dtype, before.dtype)
        self.shape = (int(n_rows) + self.n_before, *map(int, rest))
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Refuse to be read as a whole."""
        raise TypeError("A StoredArray is read in parts: index it, or read it all with [:].")

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """Read a slice of rows, or rows in any order and shape, given as integers or booleans."""
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._read(start, max(start, stop))
            rows = np.arange(start, stop, step)
        rows = np.asarray(rows)
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        rows = np.where(rows < 0, rows + len(self), rows)
        wanted, inverse = np.unique(rows, return_inverse=True)
        read = np.empty((len(wanted), *self.shape[1:]), dtype=self.dtype)
        done = 0
        for start, stop in self._spans(wanted):
            here = wanted[done : done + np.searchsorted(wanted[done:], stop)]
            read[done : done + len(here)] = self._read(start, stop)[here - start]
            done += len(here)
        return read[inverse.reshape(rows.shape)]

    def _spans(self, wanted: NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """Yield slices that contain these rows, which increase, and few others."""
        step = rows_in_a_block(self)
        max_gap = max(1, step * MAX_GAP_BYTES // BLOCK_BYTES)
        for run in np.split(wanted, np.flatnonzero(np.diff(wanted) > max_gap) + 1):
            done = 0
            while done < len(run):
                end = done + int(np.searchsorted(run[done:], run[done] + step))
                yield int(run[done]), int(run[end - 1]) + 1
                done = end

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        """Read the rows from ``start`` to ``stop``, a block at a time."""
        read = np.empty((stop - start, *self.shape[1:]), dtype=self.dtype)
        n_before = min(max(self.n_before - start, 0), stop - start)
        if self.before is not None:
            read[:n_before] = self.before[start : start + n_before]
        step = rows_in_a_block(self.source)
        for done in range(n_before, stop - start, step):
            first = start + done - self.n_before
            last = min(first + step, stop - self.n_before)
            part = np.asarray(self.source[first:last])
            if self.n_steps is not None:
                part = part[:, part.shape[1] - self.n_steps :]
            read[done : done + last - first] = part
        return read

    def newest_steps(self, n_steps: int) -> StoredArray:
        """Return the newest steps of all windows."""
        return StoredArray(self.source, self.before, n_steps)

    def blocks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the first row of each block, and its rows."""
        step = rows_in_a_block(self)
        for first in range(0, len(self), step):
            yield first, self[first : first + step]


def put_before(before: NDArray[Any], values: Any) -> Any:
    """Put rows before those of an array, which is copied only if it is not large."""
    if isinstance(values, StoredArray) or values.nbytes > BLOCK_BYTES:
        return StoredArray(values, before)
    return np.concatenate([before, values])
