"""What the gate let through: coverage and precision of pseudo-labels, streamed from their table."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import iter_batches, open_table, same_ids
from selfsame.selection.balance import divergence
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share

ROUND_THRESHOLDS = np.array([0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999], dtype=np.float32)
# Evenly spaced in nines (0, 0.9, 0.99, 0.999, 0.9999), since confidences crowd just below one; float32 like
# the confidences, so that a row at a threshold is on the same side here as at the gate.
THRESHOLDS = np.union1d((1 - 10 ** -np.linspace(0, 4, 161)).astype(np.float32), ROUND_THRESHOLDS)


@dataclass(frozen=True)
class Gate:
    """Coverage and precision of the pool's pseudo-labels.

    A hidden label is known for all pool rows, for some, or for none: precision is a share of the rows
    where it is known, so its ``total`` says what it rests on.

    Attributes:
        record: what was decided, and why.
        teachers: sha256 of the weights of every teacher.
        labeled_per_class, accepted_per_class: (K,) rows by pseudo-label, of the pool and of the accepted.
        known_per_class, right_per_class: (K,) accepted rows whose hidden label is known, and agrees.
        expected_right: accepted rows that are right if the calibrated confidences are.
        at_thresholds: (len(THRESHOLDS), 3) rows that each threshold would keep: all, known, right.
    """

    record: GateRecord
    teachers: tuple[str, ...]
    labeled_per_class: np.ndarray
    accepted_per_class: np.ndarray
    known_per_class: np.ndarray
    right_per_class: np.ndarray
    expected_right: float
    at_thresholds: np.ndarray

    @property
    def threshold(self) -> float | None:
        """Lowest confidence that is accepted, of any class; None where nothing is."""
        return min((value for value in self.record.thresholds if value is not None), default=None)

    @property
    def expected_precision(self) -> float | None:
        """What the calibrated confidences say the precision is, truth or no truth; None of no rows."""
        return self.expected_right / self.coverage.part if self.coverage.part else None

    @property
    def largest_class(self) -> tuple[int, float | None]:
        """The class that most accepted labels name, and its share of them."""
        largest = int(self.accepted_per_class.argmax())
        return largest, Share(int(self.accepted_per_class[largest]), self.coverage.part).value

    @property
    def prior_divergence(self) -> float | None:
        """Share of accepted labels that would have to be of another class to match the prior."""
        return divergence(self.accepted_per_class, np.array(self.record.prior))

    @property
    def coverage(self) -> Share:
        """Share of the pool that was accepted."""
        return Share(int(self.accepted_per_class.sum()), int(self.labeled_per_class.sum()))

    @property
    def precision(self) -> Share:
        """Share of the accepted rows of known truth whose pseudo-label is right."""
        return Share(int(self.right_per_class.sum()), int(self.known_per_class.sum()))

    def coverage_at(self, index: int) -> Share:
        """Return what the coverage would be at ``THRESHOLDS[index]``."""
        return Share(int(self.at_thresholds[index, 0]), self.coverage.total)

    def precision_at(self, index: int) -> Share:
        """Return what the precision would be at ``THRESHOLDS[index]``."""
        _, known, right = self.at_thresholds[index]
        return Share(int(right), int(known))


def measure_gate(pseudo_labels: Path, hidden_labels: Path, class_count: int) -> Gate:
    """Compare pseudo-labels with hidden labels in one pass; memory holds a batch and the hidden labels."""
    expected_right = 0.0
    teachers: set[str] = set()
    per_class = np.zeros((4, class_count), dtype=np.int64)
    kept = np.zeros((len(THRESHOLDS), 3), dtype=np.int64)
    for batch, known, truth in with_truth(pseudo_labels, hidden_labels):
        labels = batch.column("pseudo_label").to_numpy()
        right = np.zeros(len(labels), dtype=bool)
        right[known] = truth == labels[known]

        accepted = batch.column("accepted").to_numpy(zero_copy_only=False)
        for row, mask in enumerate((np.ones_like(known), accepted, accepted & known, accepted & right)):
            per_class[row] += np.bincount(labels[mask], minlength=class_count)
        confidence = batch.column("confidence").to_numpy()
        for column, mask in enumerate((np.ones_like(known), known, right)):
            kept[:, column] += _kept_by_threshold(confidence[mask])
        calibrated = batch.column("calibrated_confidence").to_numpy()
        expected_right += float(calibrated[accepted].sum(dtype=np.float64))
        teachers.update(pc.unique(batch.column("teacher")).to_pylist())
    return Gate(
        record=GateRecord.of(pseudo_labels),
        teachers=tuple(sorted(teachers)),
        labeled_per_class=per_class[0],
        accepted_per_class=per_class[1],
        known_per_class=per_class[2],
        right_per_class=per_class[3],
        expected_right=expected_right,
        at_thresholds=kept,
    )


def with_truth(
    pseudo_labels: Path, hidden_labels: Path
) -> Iterator[tuple[pa.RecordBatch, np.ndarray, np.ndarray]]:
    """Yield every batch of pseudo-labels, where its truth is known (N,), and that truth (M,).

    Raises:
        SelfsameError: the hidden labels aren't rows of this pool in its order.
    """
    hidden = open_table(hidden_labels).to_table(columns=["example_id", "label"])
    position = 0
    for batch in iter_batches(pseudo_labels):
        # Hidden labels are a subset of the pool in the pool's order: this batch's are among the next ones.
        ahead = hidden.slice(position, batch.num_rows)
        is_known = pc.is_in(batch.column("example_id"), value_set=ahead.column("example_id"))
        known = is_known.to_numpy(zero_copy_only=False)
        found = ahead.slice(0, int(known.sum()))
        if not same_ids(batch.column("example_id").filter(is_known), found.column("example_id")):
            break
        position += len(found)
        yield batch, known, found.column("label").to_numpy()
    if position != len(hidden):
        raise SelfsameError(
            f"{hidden_labels}: its rows are not those of {pseudo_labels}, in the same order",
            "run 'dvc repro', so that both come from the same split",
        )


def _kept_by_threshold(confidence: np.ndarray) -> np.ndarray:
    """Count, for each of ``THRESHOLDS``, the confidences at or above it."""
    highest_passed = np.searchsorted(THRESHOLDS, confidence, side="right")
    counts = np.bincount(highest_passed, minlength=len(THRESHOLDS) + 1)
    return len(confidence) - np.cumsum(counts)[:-1]
