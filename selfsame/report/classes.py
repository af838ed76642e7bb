"""Classes as a target: right or wrong, a confidence of every label, a precision of the accepted ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.space import made
from selfsame.core.tables import TableInfo, stored_column
from selfsame.report.gate import Gate, Kept, Offer, hidden_truth
from selfsame.report.scores import OF_CLASSES, Measure, Scores, macro_f1
from selfsame.report.words import Words, percent
from selfsame.selection.balance import divergence
from selfsame.selection.calibration import calibrate, fit_temperature
from selfsame.selection.confidence import Calibration
from selfsame.selection.record import GateRecord
from selfsame.stats.resampling import bootstrap_interval
from selfsame.stats.share import Share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from selfsame.report.figures import Drawn
    from selfsame.report.findings import Findings

ROUND_THRESHOLDS = np.array([0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999], dtype=np.float32)
# Evenly spaced in nines (0, 0.9, 0.99, 0.999, 0.9999), since confidences crowd just below one; float32 like
# the confidences, so that a row at a threshold is on the same side here as at the gate.
THRESHOLDS = np.union1d((1 - 10 ** -np.linspace(0, 4, 161)).astype(np.float32), ROUND_THRESHOLDS)
MEASURED = {
    "accuracy": "gets {} of {} right",
    "macro_f1": "has a macro F1 of {} on {}",
    "balanced_accuracy": "has a balanced accuracy of {} on {}",
}
WORTH = 0.95  # share of right labels that makes them worth learning


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; a score without any row to judge it by is None."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    rows: int


@dataclass(frozen=True)
class Classes:
    """The protocol ``selfsame.report.target.Target`` for classes."""

    info: TableInfo
    metric: str = "accuracy"
    template: str = "classes.html.j2"

    @cached_property
    def words(self) -> Words:  # noqa: D102
        return Words(
            learned=f"{len(self.info.classes)} classes",
            does=f"It tells {len(self.info.classes)} classes apart: {', '.join(self.info.classes)}.",
            use="predict_proba(rows))  # calibrated, columns in the order of model.classes_",
            pseudo_label="pseudo-label",
            level="threshold",
            trust="confidence",
            doubtful="least",
            trusted="most",
            right="precision",
            good="right",
            measured=MEASURED[self.metric],
            gained="gets {} right that the baseline gets wrong, and loses {}",
            distance="how far the probabilities, calibrated for each model, are from the truth",
            constant="{}, the most frequent class",
            linear="logistic regression",
            off="",
            loss="loss (nats)",
        )

    def score(self, labels: np.ndarray, said: np.ndarray) -> Scores:  # noqa: D102
        rows = np.flatnonzero(~np.isnan(labels))
        if not len(rows):
            raise SelfsameError(
                "a model can't be scored: no row has a label", "bring labels, or another split"
            )
        actual, said = labels[rows].astype(np.int64), said[rows]
        probabilities = said if said.ndim == 2 else None
        predicted = self.labels(said)
        wrong = predicted != actual
        measures = {
            "accuracy": Measure.of(Share(int((~wrong).sum()), len(rows))),
            "macro_f1": Measure(float(macro_f1(actual, predicted))),
        }
        if (of_classes := OF_CLASSES.get(self.metric)) is not None:
            ends = bootstrap_interval(of_classes, actual, predicted)
            own = Measure(float(of_classes(actual, predicted)), *map(float, ends))
            measures = {self.metric: own} | {
                name: each for name, each in measures.items() if name != self.metric
            }
        if probabilities is not None:
            measures["loss"] = Measure(_negative_log_likelihood(actual, probabilities))
        return Scores(measures, rows, actual, predicted, wrong * self._cost(actual), probabilities)

    def labels(self, said: np.ndarray) -> np.ndarray:  # noqa: D102
        return said.argmax(axis=1) if said.ndim == 2 else said.astype(np.int64)

    def distances(self, scores: Scores) -> np.ndarray:
        """Return squared distances of calibrated probabilities (Brier, 1950), times what each row counts.

        Calibrated, so that a model is no better than another for being more, or less, sure of the same.
        """
        if scores.probabilities is None:
            return scores.errors
        temperature = fit_temperature(scores.probabilities, scores.actual)
        truth = np.eye(len(self.info.classes))[scores.actual]
        squared = ((calibrate(scores.probabilities, temperature) - truth) ** 2).sum(axis=1)
        return squared * self._cost(scores.actual)

    def constant(self, labels: np.ndarray) -> float:  # noqa: D102
        return float(np.bincount(self.kinds(labels)).argmax())

    def gate(self, pseudo_labels: Path, hidden_labels: Path) -> Gate:  # noqa: D102
        labels = stored_column(pseudo_labels, "pseudo_label", np.int64)
        truth = hidden_truth(pseudo_labels, hidden_labels)
        return Gate(
            record=GateRecord.of(pseudo_labels),
            labels=labels,
            trust=stored_column(pseudo_labels, "confidence", np.float32),
            rising=True,
            levels=THRESHOLDS,
            rounds=ROUND_THRESHOLDS,
            accepted=stored_column(pseudo_labels, "accepted", bool),
            truth=truth,
            right=made(bool, np.equal, labels, truth),
            calibrated=stored_column(pseudo_labels, "calibrated_confidence", np.float32),
        )

    def calibration(self, said: np.ndarray, labels: np.ndarray, gate: Gate) -> Calibration:
        """Return the temperature; the gate's threshold, or its guarantee, is where a person should look."""
        record = gate.record
        assert isinstance(record, GateRecord)
        threshold = record.guarantee[0] if record.guarantee else record.thresholds[0]
        return Calibration.of_classes(said, self.kinds(labels), record.calibrated_on, threshold)

    def offers(self, gate: Gate) -> list[Offer]:
        """Return every twentieth threshold, and those that would guarantee a precision."""
        assert isinstance(gate.record, GateRecord)
        levels = {f"pseudo_label.threshold: {step / 20:g}": step / 20 for step in range(20)}
        levels |= {
            f"pseudo_label.rule: target_precision and target_precision: {precision:g}": level
            for precision, level in gate.record.guaranteed
            if level is not None
        }
        found = []
        for setting, level in levels.items():
            kept = gate.at(level)
            if kept.expected is not None:
                said = f"of which calibrated confidences expect {percent(kept.expected)} to be right"
                found.append(Offer(setting, kept, said, kept.expected >= WORTH))
        return found

    def quality(self, kept: Kept) -> str:  # noqa: D102
        return f"{percent(kept.right.value)} right"

    def differ(self, one: np.ndarray, other: np.ndarray, gate: Gate) -> np.ndarray:  # noqa: D102
        return one != other

    def kinds(self, labels: np.ndarray) -> np.ndarray:  # noqa: D102
        return labels.astype(np.int64)

    def named(self, label: float) -> str:  # noqa: D102
        return self.info.classes[int(label)]

    def badness(self, scores: Scores) -> np.ndarray:
        """Return the confidence of every wrong answer."""
        sure = 1.0 if scores.probabilities is None else scores.probabilities.max(axis=1)
        return scores.errors * sure

    def doubts(self, findings: Findings) -> list[str]:  # noqa: D102
        gate, record = findings.gate, findings.gate.record
        assert isinstance(record, GateRecord)
        found, of_accepted = [], gate.of_accepted
        accepted = gate.by_class[1]
        unseen = [name for name, rows in zip(self.info.classes, accepted, strict=True) if not rows]
        if findings.learned_accepted and gate.coverage.part and unseen:
            found.append(
                f"No pool row was accepted as {', '.join(unseen)}: the student's pool lacks "
                f"{len(unseen)} of {len(self.info.classes)} classes."
            )
        interval, guarantee = of_accepted.right.interval, record.guarantee
        if interval and guarantee and interval[1] < guarantee[0]:
            found.append(
                f"The gate’s guarantee of a precision of {guarantee[0]:.6g} is broken on the pool, where it "
                f"is {percent(interval[0])} to {percent(interval[1])}: "
                "the pool is not like the calibration set."
            )
        elif interval and gate.level is not None and interval[1] < gate.level:
            found.append(
                f"The teacher is overconfident: every accepted label has a confidence of {gate.level:.6g} or "
                f"more, but only {percent(interval[0])} to {percent(interval[1])} of them are right."
            )
        largest, share = self.largest(gate)
        if share is not None and share > (1 + record.prior[largest]) / 2:
            found.append(
                f"The accepted labels collapse on one class: {percent(share)} of them are "
                f"{self.info.classes[largest]}, where the prior says {percent(record.prior[largest])}."
            )
        return found

    def metrics(self, findings: Findings) -> dict[str, dict[str, Any]]:  # noqa: D102
        gate, record = findings.gate, findings.gate.record
        assert isinstance(record, GateRecord)
        precision = gate.of_accepted.right
        low, high = precision.interval or (None, None)
        return {
            "pool": {
                "threshold": gate.level,
                "precision": precision.value,
                "precision_low": low,
                "precision_high": high,
                "expected_precision": gate.of_accepted.expected,
                "prior_divergence": divergence(gate.by_class[1], np.array(record.prior)),
                "largest_class_share": self.largest(gate)[1],
            },
            "calibration": {
                "rows": record.calibration_rows,
                "temperature": record.temperature,
                "error_before": record.before.error,
                "error_after": record.after.error,
            },
        }

    def page(self, findings: Findings) -> tuple[dict[str, Drawn], dict[str, Any]]:  # noqa: D102
        from selfsame.report.class_page import figures, values

        return figures(self, findings), values(self, findings)

    def plots(self, findings: Findings) -> dict[str, Mapping[str, list[Any]]]:  # noqa: D102
        from selfsame.report.class_page import plots

        return plots(self, findings)

    # What only classes have
    def _cost(self, actual: np.ndarray) -> np.ndarray:
        """Return what each row (N,) counts, in the mean 1: all alike, or all classes alike."""
        if self.metric not in OF_CLASSES:
            return np.ones(len(actual))
        counts = self.count(actual)
        return len(actual) / ((counts > 0).sum() * counts[actual])

    def count(self, labels: np.ndarray) -> np.ndarray:
        """Count the rows of every class: (K,)."""
        return np.bincount(self.kinds(labels), minlength=len(self.info.classes))

    def largest(self, gate: Gate) -> tuple[int, float | None]:
        """Return the class that most accepted labels name, and its share of them."""
        accepted = gate.by_class[1]
        largest = int(accepted.argmax())
        return largest, Share(int(accepted[largest]), gate.coverage.part).value

    def confusion(self, scores: Scores) -> np.ndarray:
        """Count actual × predicted: (K, K) int64."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(scores.actual, scores.predicted, labels=range(len(self.info.classes)))

    def by_class(self, scores: Scores) -> list[ClassScores]:
        """Score every class for itself."""
        from sklearn.metrics import precision_recall_fscore_support

        columns = precision_recall_fscore_support(
            scores.actual, scores.predicted, labels=range(len(self.info.classes)), zero_division=np.nan
        )
        return [
            ClassScores(name, _defined(precision), _defined(recall), _defined(f1), int(rows))
            for name, precision, recall, f1, rows in zip(self.info.classes, *columns, strict=True)
        ]


def _negative_log_likelihood(labels: np.ndarray, probabilities: np.ndarray) -> float:
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # A softmax in float32 may underflow to 0: one such row must not make the mean infinite.
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
