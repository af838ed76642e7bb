"""The gate for classes: what the teacher is sure of is trusted, where its confidence has shown its worth."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from selfsame.params.pseudo_label import ClassGate, TargetPrecisionGate, ThresholdGate, TopK
from selfsame.selection.balance import Cut, Passed, cut_for, rows_for_prior
from selfsame.selection.calibration import calibrated_confidence, fit_temperature, measure_reliability
from selfsame.selection.gate import Columns, Heard
from selfsame.selection.pool import Briefs, brief
from selfsame.selection.record import GateRecord
from selfsame.selection.threshold import Search, lowest_threshold

SCHEMA = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("pseudo_label", pa.int64(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("calibrated_confidence", pa.float32(), nullable=False),
        pa.field("threshold", pa.float32()),  # null where none guarantees the target precision
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("round", pa.int64(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),  # of all classes, uncalibrated
    ]
)
REASONS = (
    "confidence at or above threshold",
    "left out to balance the classes",
    "no threshold guarantees the target precision",
    "confidence below threshold",
)
OFFERED = (0.8, 0.9, 0.95, 0.99)  # precisions that the record names thresholds for …
OFFERED_AT = 0.95  # … that guarantee them with this confidence


@dataclass(frozen=True)
class Labels:
    """What the teacher says of rows: (N,) int64 labels, (N,) float32 confidences, (N, K) probabilities."""

    labels: np.ndarray
    confidence: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, probabilities: np.ndarray) -> "Labels":
        """Take the most probable class of (N, K) probabilities."""
        labels = probabilities.argmax(
            axis=1
        )  # numpy takes ten times as long for the largest as for its place
        return cls(labels, probabilities[np.arange(len(labels)), labels], probabilities)

    def calibrated(self, temperature: float) -> np.ndarray:
        """Return the calibrated confidences, (N,) float32."""
        return calibrated_confidence(self.probabilities, temperature)


@dataclass(frozen=True)
class ByConfidence:
    """The protocol ``selfsame.selection.gate.Gate`` for classes, by the parameters of ``pseudo_label``."""

    own: ThresholdGate | TargetPrecisionGate
    ensemble: bool = False

    def brief(self, said: np.ndarray) -> np.ndarray:
        """Return labels and confidences, all that thresholds and balance go by."""
        labels = Labels.of(said[0])
        return brief(labels.labels, labels.confidence)

    def decide(self, heard: Heard, pool: Briefs, teaching_round: int) -> "ConfidenceDecision":
        """Calibrate the teacher, choose thresholds, and where the balance cuts."""
        own, calibration = self.own, Labels.of(heard.calibration[0])
        truth = heard.truth.astype(np.int64)
        right = calibration.labels == truth
        temperature = fit_temperature(calibration.probabilities, truth)
        thresholds, verdict = choose_thresholds(own, pool, calibration, right)
        guaranteed = {
            precision: lowest_threshold(
                pool.confidences(), calibration.confidence, right, precision, 1 - OFFERED_AT
            )
            for precision in OFFERED
        }
        record = GateRecord(
            rule=own.rule,
            thresholds=tuple(None if np.isnan(value) else float(value) for value in thresholds),
            guarantee=(own.target_precision, own.confidence_level)
            if isinstance(own, TargetPrecisionGate)
            else None,
            verdict=verdict,
            calibrated_on=heard.calibrated_on,
            calibration_rows=len(right),
            temperature=temperature,
            before=measure_reliability(calibration.confidence, right),
            after=measure_reliability(calibration.calibrated(temperature), right),
            balance=own.balance.name,
            prior=tuple(own.prior(calibration.probabilities.shape[1]).tolist()),
            guaranteed=tuple((precision, search.threshold) for precision, search in guaranteed.items()),
        )
        cut = cut_of(own, pool, thresholds)
        return ConfidenceDecision(record, thresholds, cut, teaching_round, heard.teachers[0])


@dataclass(frozen=True)
class ConfidenceDecision:
    """The protocol ``selfsame.selection.gate.Decision`` for classes.

    Attributes:
        thresholds: (K,) float32, NaN where no label is accepted.
        cut: which of the passed rows the balance keeps; None for all.
    """

    record: GateRecord
    thresholds: np.ndarray
    cut: Cut | None
    teaching_round: int
    teacher: str

    @property
    def schema(self) -> pa.Schema:
        """That of the pseudo-labels, with the record."""
        return self.record.attach(SCHEMA)

    def facts(self, part: int) -> object:
        """Return the round, the teacher, and what the balance keeps of this part."""
        cut = self.cut and [self.cut.confidence.tolist(), self.cut.ties[part].tolist()]
        return [self.teaching_round, self.teacher, self.thresholds.astype(str).tolist(), cut]

    def columns(self, said: np.ndarray, part: int, rows: int) -> Iterator[Columns]:
        """Label every row, calibrate its confidence, and accept it or not, with the reason."""
        pool = Labels.of(said[0])
        accepted, reasons = accept(pool, self.thresholds, self.cut, part)
        for start in range(0, len(accepted), rows):
            some = slice(start, start + rows)
            labels = Labels(pool.labels[some], pool.confidence[some], pool.probabilities[some])
            count = len(labels.labels)
            yield {
                "pseudo_label": pa.array(labels.labels),
                "confidence": pa.array(labels.confidence),
                "calibrated_confidence": pa.array(labels.calibrated(self.record.temperature)),
                "threshold": pa.array(self.thresholds[labels.labels], from_pandas=True),  # NaN becomes null
                "accepted": pa.array(accepted[some]),
                "reason": reasons[some],
                "round": pa.repeat(self.teaching_round, count),
                "teacher": pa.repeat(self.teacher, count),
                "probabilities": _as_lists(labels.probabilities),
            }


def choose_thresholds(
    own: ThresholdGate | TargetPrecisionGate, pool: Briefs, calibration: Labels, right: np.ndarray
) -> tuple[np.ndarray, str]:
    """Choose every class's threshold.

    Args:
        right: (J,) whether the judging rows' labels are right.

    Returns:
        (K,) float32 thresholds, NaN where no label is to be accepted, and why, in one sentence.
    """
    classes = calibration.probabilities.shape[1]
    if isinstance(own, ThresholdGate):
        return np.full(classes, own.threshold, np.float32), "The threshold is a fixed one."
    error, target = 1 - own.confidence_level, own.target_precision
    if not own.per_class:
        search = lowest_threshold(pool.confidences(), calibration.confidence, right, target, error)
        return np.full(classes, _or_nan(search), np.float32), _verdict(own, [search], len(right))
    # All classes' guarantees hold at once with the confidence level: each has its part of the error.
    searches = [
        lowest_threshold(
            pool.confidences(partial(_is_of, label)),
            calibration.confidence[calibration.labels == label],
            right[calibration.labels == label],
            target,
            error / classes,
        )
        for label in range(classes)
    ]
    thresholds = np.array([_or_nan(search) for search in searches], dtype=np.float32)
    return thresholds, _verdict(own, searches, len(right))


def _is_of(label: int, part: np.ndarray) -> np.ndarray:
    return part["label"] == label


def _or_nan(search: Search) -> float:
    return np.nan if search.threshold is None else search.threshold


def _verdict(own: TargetPrecisionGate, searches: list[Search], calibration_rows: int) -> str:
    guarantee = f"a precision of {own.target_precision:g} with a confidence of {own.confidence_level:g}"
    found = [search for search in searches if search.threshold is not None]
    of_class = f" for {len(found)} of {len(searches)} classes" if own.per_class else ""
    if found:
        right, rows = sum(search.right for search in found), sum(search.rows for search in found)
        return (
            f"The lowest threshold that guarantees {guarantee} was found{of_class}: {right} of {rows} labels "
            f"at or above it are right in the calibration set of {calibration_rows} rows."
        )
    needed = searches[0].needed
    return (
        f"No threshold guarantees {guarantee}, so nothing is accepted. To show it, at least {needed} "
        f"{'rows of a class' if own.per_class else 'rows'} at or above a threshold must all be right; the "
        f"calibration set has {calibration_rows} rows."
    )


def cut_of(own: ClassGate, pool: Briefs, thresholds: np.ndarray) -> Cut | None:
    """Return which of the labels that reach their class's threshold the balance keeps; None for all."""
    if own.balance.name == "none":
        return None

    def passed() -> Iterator[Passed]:
        for part in pool.parts():
            rows = part["confidence"] >= thresholds[part["label"]]  # never where the threshold is NaN
            yield part["label"][rows], part["confidence"][rows]

    classes = len(thresholds)
    if isinstance(own.balance, TopK):
        return cut_for(passed, np.full(classes, own.balance.rows_per_class))
    counts = sum((np.bincount(labels, minlength=classes) for labels, _ in passed()), np.zeros(classes, int))
    return cut_for(passed, rows_for_prior(counts, own.prior(classes)))


def accept(
    pool: Labels, thresholds: np.ndarray, cut: Cut | None, part: int
) -> tuple[np.ndarray, pa.StringArray]:
    """Accept a part's labels that reach their class's threshold and that the balance keeps.

    Returns:
        (N,) bool accepted, (N,) reasons.
    """
    of_row = thresholds[pool.labels]
    passed = pool.confidence >= of_row
    accepted = passed if cut is None else cut.kept(pool.labels, pool.confidence, passed, part)
    # Which of them, and then the words: texts of numpy take a hundred bytes a row.
    which = np.select([accepted, passed, np.isnan(of_row)], [0, 1, 2], 3)
    return accepted, pa.DictionaryArray.from_arrays(which, REASONS).cast(pa.string())


def _as_lists(rows: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, rows.ravel())
