"""What the page of classes shows beyond that of any target, and what DVC plots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.report.figures import BASELINE, CHOSEN, COLORS, INK, STUDENT, Drawn, gate_figure, svg
from selfsame.selection.balance import divergence
from selfsame.selection.calibration import BINS
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from selfsame.report.classes import Classes
    from selfsame.report.findings import Findings


@dataclass(frozen=True)
class ClassRow:
    """One line of the table of classes: rows with a given label, and rows the teacher labeled so."""

    name: str
    labeled: int
    pool: int
    of_accepted: Share
    coverage: Share
    precision: Share


def figures(target: Classes, findings: Findings) -> dict[str, Drawn]:
    """Draw precision and coverage against the threshold, reliability, and of two classes the ranking."""
    record = findings.gate.record
    assert isinstance(record, GateRecord)
    both = findings.gate.of_accepted.right.total + findings.gate.of_rejected.right.total
    known = "" if both else " Precision needs hidden labels."
    found = {
        "gate": Drawn(
            gate_figure(
                findings.gate,
                "threshold",
                ("precision", lambda kept: kept.right.value),
                place=nines,
                ticks=(0, 0.5, 0.9, 0.99, 0.999, 0.9999),
            ),
            "Coverage and precision against the threshold; the table holds the same figures",
            f"What other thresholds would have kept, and how much of it would have been right.{known}",
        ),
        "reliability": Drawn(
            reliability_figure(record),
            "Reliability: share of right labels against confidence, before and after calibration",
            "On the line, labels are right as often as the teacher is confident.",
        ),
    }
    scores = findings.baseline.holdout
    if (
        len(target.info.classes) == 2
        and scores.probabilities is not None
        and len(set(scores.actual.tolist())) == 2
    ):
        found["ranking"] = Drawn(
            ranking_figure(findings),
            "ROC curve, and precision against recall, of both models on the holdout",
            f"For the class {target.info.classes[1]}: the further to a corner of its picture, the better.",
        )
    return found


def values(target: Classes, findings: Findings) -> dict[str, Any]:
    """Return what else the template needs."""
    pair = (findings.champion, findings.other)
    record = findings.gate.record
    assert isinstance(record, GateRecord)
    return {
        "class_rows": class_rows(target, findings),
        "confusion": {model.name: target.confusion(model.holdout) for model in pair},
        "by_class": list(zip(*(target.by_class(model.holdout) for model in pair), strict=True)),
        "prior_divergence": divergence(findings.gate.by_class[1], np.array(record.prior)),
    }


def class_rows(target: Classes, findings: Findings) -> list[ClassRow]:
    """Tabulate what the gate did to each class."""
    gate = findings.gate
    pool, accepted, known, right = gate.by_class
    columns = (each.tolist() for each in (target.count(findings.labeled), pool, accepted, right, known))
    return [
        ClassRow(
            name,
            labeled,
            pool,
            Share(accepted, gate.coverage.part),
            Share(accepted, pool),
            Share(right, known),
        )
        for name, labeled, pool, accepted, right, known in zip(target.info.classes, *columns, strict=True)
    ]


def reliability_figure(record: GateRecord) -> str:
    """Draw how often labels of each confidence are right, by raw and by calibrated confidence."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=INK, **CHOSEN, label="as confident as right")
        kinds = ((record.before, BASELINE, "raw"), (record.after, STUDENT, "calibrated"))
        for reliability, color, name in kinds:
            filled = [place for place, rows in enumerate(reliability.rows) if rows]
            shares = [reliability.shares[place] or 0.0 for place in filled]
            confidence = [reliability.confidence[place] for place in filled]
            axes.plot(confidence, shares, "o-", color=color, markersize=5, label=name)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(-0.02, 1.04)
        axes.set_xlabel("mean confidence")
        axes.set_ylabel("share right")

    return svg("reliability", draw)


def ranking_figure(findings: Findings) -> str:
    """Draw ROC and precision against recall of both models on the holdout, for two classes."""

    def draw(figure: Figure) -> None:
        from sklearn.metrics import precision_recall_curve, roc_curve

        left, right = figure.subplots(1, 2)
        for model in findings.models:
            assert model.holdout.probabilities is not None
            positive, color = model.holdout.probabilities[:, 1], COLORS[model.name]
            false_rate, true_rate, _ = roc_curve(model.holdout.actual, positive)
            left.plot(false_rate, true_rate, color=color, label=model.name)
            precision, recall, _ = precision_recall_curve(model.holdout.actual, positive)
            right.plot(recall, precision, color=color)
        left.set_xlabel("false positive rate")
        left.set_ylabel("true positive rate")
        right.set_xlabel("recall")
        right.set_ylabel("precision")
        for axes in (left, right):
            axes.set_ylim(0, 1.03)

    return svg("ranking", draw)


def nines(threshold: np.ndarray | float) -> np.ndarray:
    """Place thresholds on the axis: 0 at 0, 1 at 0.9, 2 at 0.99; 1 nowhere."""
    with np.errstate(divide="ignore"):
        return -np.log10(1 - np.asarray(threshold))


def plots(target: Classes, findings: Findings) -> dict[str, Mapping[str, list[Any]]]:
    """Return the confusion of the champion on the holdout, coverage and precision, and reliability."""
    gate, scores = findings.gate, findings.champion.holdout
    record = gate.record
    assert isinstance(record, GateRecord)
    raw, calibrated = record.before.shares, record.after.shares
    bins = [place for place in range(BINS) if raw[place] is not None or calibrated[place] is not None]
    return {
        "confusion_matrix": {
            "actual": [target.named(label) for label in scores.actual],
            "predicted": [target.named(label) for label in scores.predicted],
        },
        "threshold": {
            "threshold": [f"{kept.level:.6g}" for kept in gate.explored],
            "coverage": [kept.coverage.value for kept in gate.explored],
            "precision": [kept.right.value for kept in gate.explored],
        },
        "reliability": {
            "confidence": [f"{(place + 0.5) / BINS:.6g}" for place in bins],
            "right": [raw[place] for place in bins],
            "calibrated_right": [calibrated[place] for place in bins],
        },
    }
