"""Arrays that may be larger than memory: they lie in unnamed files, and memory holds the piece at work."""

import mmap
import os
from collections.abc import Callable, Iterable, Iterator
from math import prod
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import DTypeLike

from selfsame.core.layout import SCRATCH

PIECE = 1 << 16  # rows that are worked on at once
SMALL = 1 << 22  # bytes: an array of so many is held in memory


def space(shape: tuple[int, ...], dtype: DTypeLike, held: float | None = None) -> np.ndarray:
    """Return an array of zeros: in memory, or of more than ``held`` bytes (``SMALL``) mapped from a file.

    Raises:
        OSError: the disk has no room for it.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    if size <= (SMALL if held is None else held):
        return np.zeros(shape, dtype)
    with _unnamed() as file:
        if hasattr(os, "posix_fallocate"):  # else a disk that becomes full ends the process without a word
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, dtype, "r+", shape=shape)


def pieces(*arrays: np.ndarray) -> Iterator[tuple[Any, ...]]:
    """Yield the place of some rows, a slice, and these of every array; memory lets go of them afterwards."""
    total = len(arrays[0])
    for start in range(0, total, PIECE):
        rows = slice(start, min(start + PIECE, total))
        yield rows, *(each[rows] for each in arrays)
        let_go(*arrays)


def let_go(*arrays: np.ndarray) -> None:
    """Leave to the system what memory holds of mapped arrays: nothing is lost, and it may take it back."""
    for each in arrays:
        base: Any = each.base
        if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # Windows has none
            base.madvise(mmap.MADV_DONTNEED)


def made(dtype: DTypeLike, make: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """Return what is made of arrays row by row: (N,), see ``space``."""
    found = space((len(arrays[0]),), dtype)
    for _, own, *values in pieces(found, *arrays):
        own[:] = make(*values)
    return found


def taken(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an array's values in some ascending rows; memory holds of it what lies around these."""
    found = [array[:0]]
    for here, values in pieces(array):
        found.append(
            values[rows[np.searchsorted(rows, here.start) : np.searchsorted(rows, here.stop)] - here.start]
        )
    return np.concatenate(found)


class Growing:
    """An array that grows row by row; see ``space``."""

    def __init__(self, dtype: DTypeLike, *shape_of_row: int) -> None:
        self._dtype, self._shape = np.dtype(dtype), shape_of_row
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def append(self, rows: np.ndarray) -> None:
        """Add some rows."""
        self._held += np.ascontiguousarray(rows, self._dtype).tobytes()
        if len(self._held) > SMALL:
            self._file = self._file or _unnamed()
            self._file.write(self._held)
            self._held.clear()

    def array(self) -> np.ndarray:
        """Return all rows; none can be added any more."""
        if self._file is None:
            return np.frombuffer(self._held, self._dtype).reshape(-1, *self._shape)
        with self._file as file:
            file.write(self._held)
            rows = file.tell() // (self._dtype.itemsize * prod(self._shape))
            return np.memmap(file, self._dtype, "r+", shape=(rows, *self._shape))


def in_ranges(
    parts: Callable[[], Iterable[np.ndarray]], of: Callable[[np.ndarray], np.ndarray], ranges: int
) -> Iterator[np.ndarray]:
    """Yield records range by range, those of each in the order in which they came.

    Args:
        parts: gives the records some at a time, the same each time.
        of: says the number of each one's range, int64 from 0.
    """
    counts, whole = np.zeros(ranges, np.int64), np.empty(0)
    for some in parts():
        counts += np.bincount(of(some), minlength=ranges)
    ends = counts.cumsum()
    places = ends - counts
    for some in parts():
        whole = whole if len(whole) else space((int(ends[-1]),), some.dtype)
        number = of(some)
        order = np.argsort(number, kind="stable")
        number = number[order]
        whole[places[number] + np.arange(len(some)) - np.searchsorted(number, number)] = some[order]
        places += np.bincount(number, minlength=ranges)
        let_go(whole)
    for end, count in zip(ends[counts > 0], counts[counts > 0], strict=True):
        yield whole[end - count : end]
        let_go(whole)


def _unnamed() -> IO[bytes]:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    return TemporaryFile(dir=SCRATCH)
