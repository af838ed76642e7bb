"""Near copies: rows that judge and rows that are learned, so alike that a score tells nothing.

A row has a near copy if its nearest neighbors are ``JUMP`` times nearer than the neighbor that comes after
them: it is the gap that tells copies from rows that only are close, as all rows are where there are many.
Measured: of 40 patients with 10 rows each, a tenth of a standard deviation apart, every judging row (30
features and more); of rows that are independent 18 % with one feature, 4 % with two, none with five; of
handwritten digits, houses, wines and bank customers up to 5 %.
"""

from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo, count_rows, inputs_of, iter_batches

JUMP = 5.0
NEIGHBORS = 64  # that are looked at: a gap behind more copies than these isn't seen
JUDGES = 200  # rows that judge are looked at, evenly spaced over each of their tables
VALUES = 5_000_000  # of learned rows are looked at, evenly spaced: 160,000 rows of 30 features
PIECE, PIECE_VALUES = 2048, 2**20  # learned rows, and values of theirs, that are compared at a time
LIMIT = 0.3  # of the judging rows, and ``LEAST`` rows: more with a near copy stop the split
LEAST = 5
NAMED = 3


def look_for_copies(judging: list[Path], learned: list[Path]) -> list[tuple[int, int]]:
    """Compare tables of rows that judge with tables of rows that are learned.

    Returns:
        for every judging row that was looked at its place in the source and that of the learned row of
        which it is a near copy; -1 where there is none.
    """
    looked = [_sample(table, JUDGES // len(judging)) for table in judging]
    judges, own = (
        np.concatenate(part) for part in zip(*(each for one in looked for each in one), strict=True)
    )
    mean, spread = (
        getattr(np.ma.masked_invalid(judges), name)(axis=0).filled(0.0) for name in ("mean", "std")
    )
    spread[spread == 0] = 1.0

    def scaled(inputs: np.ndarray) -> np.ndarray:
        standard: np.ndarray = np.nan_to_num((inputs - mean) / spread)
        return standard

    rows: list[np.ndarray] = []

    def parts() -> Iterator[np.ndarray]:
        for table in learned:
            for inputs, places in _sample(table, VALUES // judges.shape[1]):
                rows.append(places)
                yield scaled(inputs)

    found = near_copies(scaled(judges), parts())
    copies = np.where(found >= 0, np.append(np.concatenate(rows), -1)[found], -1)
    return list(zip(own.tolist(), copies.tolist(), strict=True))


def _sample(table: Path, limit: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield some rows of a table, evenly spaced, in pieces: (N, F) inputs and (N,) places in the source."""
    info, total, start = TableInfo.of(table), count_rows(table), 0
    rows = np.arange(total) if total <= limit else np.linspace(0, total - 1, limit).astype(np.int64)
    width = prod(info.input_shape)
    most = max(min(PIECE, PIECE_VALUES // width), 1)
    yield np.empty((0, width)), np.empty(0, np.int64)
    for batch in iter_batches(table, [*(each.name for each in info.input_fields()), "source_row"]):
        inside = rows[(rows >= start) & (rows < start + batch.num_rows)] - start
        start += batch.num_rows
        for first in range(0, len(inside), most):
            piece = batch.take(pa.array(inside[first : first + most]))
            inputs = inputs_of(piece, info).reshape(piece.num_rows, -1).astype(np.float64)
            yield inputs, piece.column("source_row").to_numpy()


def near_copies(judges: np.ndarray, learned: Iterable[np.ndarray]) -> np.ndarray:
    """Find the judging rows that have a near copy among those that are learned.

    Args:
        judges: (N, F) inputs, in units of their standard deviations, without NaN.
        learned: parts (M, F) of the same.

    Returns:
        (N,) int64: the nearest row's position among the learned ones; -1 where it is no near copy.
    """
    squares = (judges**2).sum(axis=1)[:, None]
    nearest = np.full((len(judges), NEIGHBORS), np.inf)
    places = np.full((len(judges), NEIGHBORS), -1)
    start = 0
    for part in learned:
        distances = np.maximum(squares + (part**2).sum(axis=1) - 2 * judges @ part.T, 0)
        nearer = np.flatnonzero((distances < nearest.max(axis=1)[:, None]).any(axis=0))
        own = np.broadcast_to(start + nearer, (len(judges), len(nearer)))
        distances, own = np.hstack([nearest, distances[:, nearer]]), np.hstack([places, own])
        first = np.argpartition(distances, NEIGHBORS - 1, axis=1)[:, :NEIGHBORS]
        nearest, places = (np.take_along_axis(each, first, axis=1) for each in (distances, own))
        start += len(part)
    order = np.argsort(nearest, axis=1)
    nearest, places = (np.take_along_axis(each, order, axis=1) for each in (nearest, places))
    nearest[np.isinf(nearest)] = np.nan
    floor = np.maximum(nearest[:, :-1], 1e-12 * squares + 1e-300)  # what rounding leaves of equal rows
    copied = (nearest[:, 1:] > JUMP**2 * floor).any(axis=1)
    return np.where(copied, places[:, 0], -1)


def refuse_copies(found: list[tuple[int, int]], examples: str) -> None:
    """Stop if too many rows that judge have a near copy among those that are learned."""
    pairs = [(row, copy) for row, copy in found if copy >= 0]
    if len(pairs) < LEAST or len(pairs) <= LIMIT * len(found):
        return
    named = ", ".join(f"rows {row} and {copy}" for row, copy in pairs[:NAMED])
    raise SelfsameError(
        f"{examples}: {len(pairs)} of {len(found)} validation and holdout rows that were looked at have a "
        f"near copy among the rows that are learned ({named}{' …' if len(pairs) > NAMED else ''}): their "
        "scores would say nothing of new rows",
        "name the column of what such rows share (a patient, a camera, a film) in split.group_column; or "
        "set split.near_copies to allow, if new rows will have near copies among these too",
    )
