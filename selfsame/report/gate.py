"""What the gate let through, measured where the truth is known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.errors import SelfsameError
from selfsame.core.space import Growing, let_go, pieces, space
from selfsame.core.tables import count_rows, iter_batches, open_table, same_ids
from selfsame.selection.agreement import AgreementRecord, root_mean_square
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share


@dataclass(frozen=True)
class Kept:
    """What a level keeps of the pool.

    Attributes:
        coverage: share of the pool.
        right: share of the kept rows of known truth that are right; of values: close.
        expected: share of them that is right if the calibrated confidences are; None of values.
        error: root mean square error where the truth is known; None of classes.
    """

    level: float | None
    coverage: Share
    right: Share
    expected: float | None
    error: float | None

    @property
    def goodness(self) -> float:
        """How good the labels are, the more the better; only where a truth is known."""
        return (self.right.value or 0.0) if self.error is None else -self.error


@dataclass(frozen=True)
class Offer:
    """Another setting of the gate.

    Attributes:
        setting: as in ``params.yaml``.
        kept: what it would have kept.
        expectation: how good that would be, as far as labeled rows can tell, to go on a sentence.
        worthy: whether so good that it is worth learning.
    """

    setting: str
    kept: Kept
    expectation: str
    worthy: bool


@dataclass(frozen=True)
class Gate:
    """The pool's machine-made labels, row by row; how the gate decided stands in its record.

    What is of every row may lie in a file (``core.space``): whoever goes through all rows takes pieces.

    Attributes:
        labels: (N,) the pseudo-labels.
        trust: (N,) float32 by which the gate decides: confidence, or ensemble standard deviation.
        rising: whether a row passes at or above a level (confidence), not at or below.
        levels: ascending, those to explore.
        rounds: those of them to tabulate.
        accepted: (N,) bool.
        truth: (N,) the hidden labels, NaN where none is known.
        right: (N,) bool, whether the label is right, or close; False where the truth isn't known.
        calibrated: (N,) calibrated confidences; None of values.
        errors: (N,) label − truth, NaN where that isn't known; None of classes.
    """

    record: GateRecord | AgreementRecord
    labels: np.ndarray
    trust: np.ndarray
    rising: bool
    levels: np.ndarray
    rounds: np.ndarray
    accepted: np.ndarray
    truth: np.ndarray
    right: np.ndarray
    calibrated: np.ndarray | None = None
    errors: np.ndarray | None = None

    @property
    def level(self) -> float | None:
        """The level chosen: lowest confidence, or largest spread, accepted; None where nothing is."""
        return self.record.level

    @cached_property
    def coverage(self) -> Share:
        """Share of the pool that was accepted."""
        return self.of_accepted.coverage

    @cached_property
    def of_accepted(self) -> Kept:
        """What was accepted."""
        return self._rows(lambda _, accepted: accepted)

    @cached_property
    def of_rejected(self) -> Kept:
        """What was not."""
        return self._rows(lambda _, accepted: ~accepted)

    @cached_property
    def by_class(self) -> np.ndarray:
        """Count the labels of each class: all, the accepted, of known truth among them, and right: (4, K)."""
        assert isinstance(self.record, GateRecord)
        classes = len(self.record.prior)
        found = np.zeros((4, classes), np.int64)
        for _, labels, accepted, truth, right in pieces(self.labels, self.accepted, self.truth, self.right):
            known = accepted & ~np.isnan(truth)
            for counts, rows in zip(found, (slice(None), accepted, known, known & right), strict=True):
                counts += np.bincount(labels[rows], minlength=classes)
        return found

    @cached_property
    def explored(self) -> list[Kept]:
        """What each level alone would keep; nothing left out for balance."""
        found = np.zeros((5, len(self.levels) + 1))
        for trust, accepted, *columns in self._columns():
            passed = np.searchsorted(self.levels, trust, side="right" if self.rising else "left")
            for sums, column in zip(found, (np.ones(len(accepted)), *columns), strict=True):
                np.add.at(sums, passed, column.astype(float))  # one after the other, in however many pieces
        up_to = found.cumsum(axis=1)
        sums = (up_to[:, -1:] - up_to if self.rising else up_to)[:, :-1]
        return [
            self._kept(float(level), int(rows), *found)
            for level, rows, *found in zip(self.levels, *sums, strict=True)
        ]

    def at(self, level: float) -> Kept:
        """Return what a level alone would keep, whether or not it is among those to explore."""
        least = np.float32(level)
        kept = self._rows(lambda trust, _: trust >= least if self.rising else trust <= least)
        return replace(kept, level=level)

    def _rows(self, choose: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Kept:
        """Return what those keep that are chosen by trust and by whether they were accepted."""
        counts = np.zeros(3, np.int64)
        found = [None if each is None else Growing(each.dtype) for each in (self.calibrated, self.errors)]
        for trust, accepted, known, right, *columns in self._columns():
            rows = choose(trust, accepted)
            counts += [rows.sum(), known[rows].sum(), right[rows].sum()]
            for chosen, column in zip(found, columns, strict=True):
                if chosen is not None:
                    chosen.append(column[rows])
        # Summed at once: the sum of the pieces' sums would have other last digits.
        sums = (0.0 if each is None else float(each.array().sum(dtype=float)) for each in found)
        return self._kept(self.level, *counts.tolist(), *sums)

    def _columns(self) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield, of some rows at a time, trust; whether accepted, of known truth, right; and what is summed.

        That is the calibrated confidence and the squared error, 0 where there is none.
        """
        extra = [each for each in (self.calibrated, self.errors) if each is not None]
        for _, trust, accepted, truth, right, *more in pieces(
            self.trust, self.accepted, self.truth, self.right, *extra
        ):
            nothing = np.zeros(len(trust))
            yield (
                trust,
                accepted,
                ~np.isnan(truth),
                right,
                nothing if self.calibrated is None else more[0],
                nothing if self.errors is None else np.nan_to_num(more[-1]) ** 2,
            )

    def _kept(
        self, level: float | None, rows: int, known: float, right: float, expected: float, squares: float
    ) -> Kept:
        return Kept(
            level,
            Share(rows, len(self.labels)),
            Share(int(right), int(known)),
            None if self.calibrated is None or not rows else float(expected) / rows,
            None if self.errors is None or not known else float(np.sqrt(squares / known)),
        )

    def tenths(self) -> list[tuple[float, float | None]]:
        """Return mean trust and root mean square error of each tenth of the pool, the most trusted first."""
        assert self.errors is not None
        parts = np.array_split(np.argsort(self.trust, kind="stable"), 10)
        return [
            (
                float(self.trust[rows].mean()),
                root_mean_square(self.errors[rows][~np.isnan(self.errors[rows])]),
            )
            for rows in parts
            if len(rows)
        ]


def hidden_truth(pseudo_labels: Path, hidden_labels: Path) -> np.ndarray:
    """Return the truth of every pool row as float64 (N,), NaN where it isn't known.

    Raises:
        SelfsameError: the hidden labels aren't rows of this pool in its order.
    """
    columns, position = ["example_id", "label"], 0
    hidden, stored = iter_batches(hidden_labels, columns), open_table(hidden_labels).schema
    ahead = pa.schema(map(stored.field, columns)).empty_table()
    truth = space((count_rows(pseudo_labels),), np.float64)
    for batch in iter_batches(pseudo_labels, ["example_id"]):
        # Hidden labels are a subset of the pool in the pool's order: this batch's are among the next ones.
        while len(ahead) < len(batch) and (more := next(hidden, None)) is not None:
            ahead = pa.concat_tables([ahead, pa.Table.from_batches([more])])
        is_known = pc.is_in(batch.column(0), value_set=ahead.column("example_id"))
        rows = np.flatnonzero(is_known)
        here, these = truth[position : position + len(batch)], ahead.slice(0, len(rows))
        position += len(batch)
        if not same_ids(batch.column(0).filter(is_known), these.column("example_id")):
            break
        here[:] = np.nan
        here[rows] = these.column("label").to_numpy()
        let_go(truth)
        ahead = ahead.slice(len(rows))
    if len(ahead) or next(hidden, None) is not None:
        raise SelfsameError(
            f"{hidden_labels}: its rows are not those of {pseudo_labels}, in the same order",
            "run 'dvc repro', so that both come from the same split",
        )
    return truth
