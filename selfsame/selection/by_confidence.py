"""The gate for classes: what the teacher is sure of is trusted, where its confidence has shown its worth."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from selfsame.params.pseudo_label import ClassGate, TargetPrecisionGate, ThresholdGate, TopK
from selfsame.selection.balance import most_confident, rows_for_prior
from selfsame.selection.calibration import calibrate, fit_temperature, measure_reliability
from selfsame.selection.gate import Decision, Heard
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
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1), probabilities)

    def calibrated(self, temperature: float) -> np.ndarray:
        """Return the calibrated confidences, (N,) float32."""
        return calibrate(self.probabilities, temperature).max(axis=1)


@dataclass(frozen=True)
class ByConfidence:
    """The protocol ``selfsame.selection.gate.Gate`` for classes, by the parameters of ``pseudo_label``."""

    own: ThresholdGate | TargetPrecisionGate
    ensemble: bool = False

    def decide(self, heard: Heard, teaching_round: int) -> Decision:
        """Calibrate the teacher, label the pool, choose thresholds."""
        own, (judges, pool) = self.own, (Labels.of(said[0]) for said in (heard.judges, heard.pool))
        classes, rows = pool.probabilities.shape[1], len(pool.labels)
        truth = heard.truth.astype(np.int64)
        right = judges.labels == truth
        temperature = fit_temperature(judges.probabilities, truth)
        thresholds, verdict = choose_thresholds(own, pool, judges, right)
        accepted, reasons = accept(own, pool, thresholds)
        guaranteed = {
            precision: lowest_threshold(pool.confidence, judges.confidence, right, precision, 1 - OFFERED_AT)
            for precision in OFFERED
        }
        record = GateRecord(
            rule=own.rule,
            thresholds=tuple(None if np.isnan(value) else float(value) for value in thresholds),
            guarantee=(own.target_precision, own.confidence_level)
            if isinstance(own, TargetPrecisionGate)
            else None,
            verdict=verdict,
            judged_on=heard.judged_on,
            judged_rows=len(right),
            temperature=temperature,
            before=measure_reliability(judges.confidence, right),
            after=measure_reliability(judges.calibrated(temperature), right),
            balance=own.balance.name,
            prior=tuple(own.prior(classes).tolist()),
            guaranteed=tuple((precision, search.threshold) for precision, search in guaranteed.items()),
        )
        columns = {
            "pseudo_label": pa.array(pool.labels),
            "confidence": pa.array(pool.confidence),
            "calibrated_confidence": pa.array(pool.calibrated(temperature)),
            "threshold": pa.array(thresholds[pool.labels], from_pandas=True),  # NaN becomes null
            "accepted": pa.array(accepted),
            "reason": pa.array(reasons),
            "round": pa.array(np.full(rows, teaching_round)),
            "teacher": pa.array(np.full(rows, heard.teachers[0])),
            "probabilities": _as_lists(pool.probabilities),
        }
        return Decision(record.attach(SCHEMA), columns)


def choose_thresholds(
    own: ThresholdGate | TargetPrecisionGate, pool: Labels, judges: Labels, right: np.ndarray
) -> tuple[np.ndarray, str]:
    """Choose every class's threshold.

    Args:
        right: (J,) whether the judging rows' labels are right.

    Returns:
        (K,) float32 thresholds, NaN where no label is to be accepted, and why, in one sentence.
    """
    classes = pool.probabilities.shape[1]
    if isinstance(own, ThresholdGate):
        return np.full(classes, own.threshold, np.float32), "The threshold is a fixed one."
    error, target = 1 - own.confidence_level, own.target_precision
    if not own.per_class:
        search = lowest_threshold(pool.confidence, judges.confidence, right, target, error)
        return np.full(classes, _or_nan(search), np.float32), _verdict(own, [search], len(right))
    # All classes' guarantees hold at once with the confidence level: each has its part of the error.
    searches = [
        lowest_threshold(
            pool.confidence[pool.labels == label],
            judges.confidence[judges.labels == label],
            right[judges.labels == label],
            target,
            error / classes,
        )
        for label in range(classes)
    ]
    thresholds = np.array([_or_nan(search) for search in searches], dtype=np.float32)
    return thresholds, _verdict(own, searches, len(right))


def _or_nan(search: Search) -> float:
    return np.nan if search.threshold is None else search.threshold


def _verdict(own: TargetPrecisionGate, searches: list[Search], judges: int) -> str:
    guarantee = f"a precision of {own.target_precision:g} with a confidence of {own.confidence_level:g}"
    found = [search for search in searches if search.threshold is not None]
    of_class = f" for {len(found)} of {len(searches)} classes" if own.per_class else ""
    if found:
        right, rows = sum(search.right for search in found), sum(search.rows for search in found)
        return (
            f"The lowest threshold that guarantees {guarantee} was found{of_class}: {right} of {rows} labels "
            f"at or above it are right in the calibration set of {judges} rows."
        )
    needed = searches[0].needed
    return (
        f"No threshold guarantees {guarantee}, so nothing is accepted. To show it, at least {needed} "
        f"{'rows of a class' if own.per_class else 'rows'} at or above a threshold must all be right; the "
        f"calibration set has {judges} rows."
    )


def accept(own: ClassGate, pool: Labels, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accept the labels that reach their class's threshold and that the balance keeps.

    Returns:
        (N,) bool accepted, (N,) reasons.
    """
    of_row = thresholds[pool.labels]
    passed = pool.confidence >= of_row  # never where the threshold is NaN
    accepted = passed
    classes = len(thresholds)
    if own.balance.name != "none":
        if isinstance(own.balance, TopK):
            rows = np.full(classes, own.balance.rows_per_class)
        else:
            rows = rows_for_prior(np.bincount(pool.labels[passed], minlength=classes), own.prior(classes))
        accepted = most_confident(pool.labels, pool.confidence, passed, rows)
    reasons = np.select(
        [accepted, passed, np.isnan(of_row)],
        [
            "confidence at or above threshold",
            "left out to balance the classes",
            "no threshold guarantees the target precision",
        ],
        "confidence below threshold",
    )
    return accepted, reasons


def _as_lists(rows: np.ndarray) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(offsets, rows.ravel())
