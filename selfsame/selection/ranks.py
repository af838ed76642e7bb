"""Exact order statistics of values that are never in memory together."""

from collections.abc import Iterable

import numpy as np

Pieces = Iterable[np.ndarray]  # of float32 values, none negative; gone through more than once
FEW = 1 << 20  # values that are simply sorted
HALF = 16  # bits of a value that one pass counts


def count_values(pieces: Pieces) -> int:
    """Count the values."""
    return sum(map(len, pieces))


def ranked(pieces: Pieces, ranks: np.ndarray) -> np.ndarray:
    """Return the values that stand at ``ranks``, (M,) int64 from 0, in ascending order: (M,) float32.

    The bits of floats that aren't negative are in the order of their values: one pass counts the upper halves
    of the bits, a second one the lower halves of those that a rank falls on. Memory is bounded by the number
    of different upper halves asked for, half a megabyte for each.
    """
    if count_values(pieces) <= FEW:
        return np.sort(np.concatenate([np.ascontiguousarray(piece, np.float32) for piece in pieces]))[ranks]
    upper = np.zeros(1 << HALF, np.int64)
    for piece in pieces:
        upper += np.bincount(_bits(piece) >> HALF, minlength=1 << HALF)
    up_to = np.cumsum(upper)
    group = np.searchsorted(up_to, ranks, side="right")
    wanted, slot = np.unique(group, return_inverse=True)
    slots = np.full(1 << HALF, -1)
    slots[wanted] = np.arange(len(wanted))
    lower = np.zeros(len(wanted) << HALF, np.int64)
    for piece in pieces:
        bits = _bits(piece)
        place = slots[bits >> HALF]
        inside = place >= 0
        keys = (place[inside] << HALF) | (bits[inside] & ((1 << HALF) - 1))
        lower += np.bincount(keys, minlength=len(lower))
    within = ranks - (up_to - upper)[group]
    sums = np.cumsum(lower.reshape(-1, 1 << HALF), axis=1)
    found = [np.searchsorted(sums[row], rank, side="right") for row, rank in zip(slot, within, strict=True)]
    return ((group << HALF) | np.array(found, np.int64)).astype(np.uint32).view(np.float32)


def _bits(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.int64)
