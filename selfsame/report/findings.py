"""Everything that the stage ``evaluate`` found out: the one value that metrics and report are views of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from selfsame.core.tables import TableInfo
from selfsame.report.gallery import Gallery
from selfsame.report.gate import Gate
from selfsame.report.promotion import Promotion
from selfsame.report.scores import Comparison, Scores, compare
from selfsame.report.watches import CHANCE as WATCH_CHANCE
from selfsame.report.watches import Watches
from selfsame.stats.share import Share

CHANCE = 0.05  # p-value above which a difference is called chance


@dataclass(frozen=True)
class ModelFindings:
    """One model: its scores, and its curves: the columns of ``history.csv``, one value per epoch."""

    name: str
    validation: Scores
    holdout: Scores
    history: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ReferenceFindings:
    """A simple model that learned from the same labels (``selfsame.report.reference``).

    Attributes:
        rows: labeled and validation rows together, which it learned from.
        validation: on the validation rows, each by a model that was trained without it.
    """

    name: str
    rows: int
    validation: Scores
    holdout: Scores


@dataclass(frozen=True)
class Findings:
    """What one run of the pipeline comes to.

    Attributes:
        labeled_per_class: (K,) labeled rows.
        asked: how many of them people labeled on request, by the strategy that chose them.
        promotion: which of the two is the champion, and why.
        refitted: whether holdout scores are of models that have learned the validation rows too, and
            validation scores of those from before.
        method: how the student learned from the pool, as ``retrain.method`` names it.
        settings: the parameters that are known of each place (``models/student``), by dotted key.
        digests: sha256 of every file that was read, by path, in the order in which they were made.
        watches: what was seen of rows that should be alike.
        galleries: examples to look at.
    """

    title: str
    info: TableInfo
    labeled_per_class: np.ndarray
    asked: Mapping[str, int]
    gate: Gate
    baseline: ModelFindings
    student: ModelFindings
    reference: ReferenceFindings
    promotion: Promotion
    refitted: bool
    method: str
    settings: Mapping[str, Mapping[str, Any]]
    digests: Mapping[str, str]
    watches: Watches
    galleries: tuple[Gallery, ...]

    @property
    def models(self) -> tuple[ModelFindings, ModelFindings]:
        """Baseline and student."""
        return self.baseline, self.student

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline`` or ``student``."""
        return self.promotion.champion

    @property
    def on_validation(self) -> Comparison:
        """Both models, row by row, where the champion is chosen."""
        return compare(self.baseline.validation, self.student.validation)

    @property
    def reference_on_validation(self) -> Comparison:
        """The champion against the reference, row by row, where a user chooses between them."""
        return compare(self.reference.validation, self.of_champion.validation)

    @property
    def reference_on_holdout(self) -> Comparison:
        """The champion against the reference, row by row."""
        return compare(self.reference.holdout, self.of_champion.holdout)

    @property
    def reference_recommended(self) -> bool:
        """Tell whether the simple model does as well as the champion on the validation rows."""
        return self.reference_on_validation.gained <= self.reference_on_validation.lost

    @property
    def of_champion(self) -> ModelFindings:
        """The promoted model."""
        return self.student if self.champion == "student" else self.baseline

    @property
    def learned_accepted(self) -> bool:
        """Tell whether the student learned the gate's accepted labels, and not labels made in training."""
        return self.method == "offline"

    @property
    def on_holdout(self) -> Comparison:
        """Both models, row by row."""
        return compare(self.baseline.holdout, self.student.holdout)


def metrics(findings: Findings) -> dict[str, Any]:
    """Return the figures for ``metrics.json``: nested, floats rounded to 6 digits, None where undefined."""
    gate, record = findings.gate, findings.gate.record
    holdout, validation = findings.on_holdout, findings.on_validation
    figures = {
        "champion": findings.champion,
        "method": findings.method,
        **{
            model.name: {"validation": _scores(model.validation), "holdout": _scores(model.holdout)}
            for model in findings.models
        },
        "reference": {
            "name": findings.reference.name,
            "rows": findings.reference.rows,
            "validation": _scores(findings.reference.validation),
            "holdout": _scores(findings.reference.holdout),
            "gained_by_champion": findings.reference_on_holdout.gained,
            "lost_by_champion": findings.reference_on_holdout.lost,
            "mcnemar_p_value": findings.reference_on_holdout.p_value,
            "recommended": findings.reference_recommended,
        },
        "labeled": {"rows": int(findings.labeled_per_class.sum()), "asked": dict(findings.asked)},
        "refitted": findings.refitted,
        "validation": {
            "rows": findings.baseline.validation.accuracy.total,
            "gained_by_student": validation.gained,
            "lost_by_student": validation.lost,
            "promotion_p_value": findings.promotion.p_value,
            "promotion_level": findings.promotion.level,
        },
        "holdout": {
            "rows": findings.baseline.holdout.accuracy.total,
            "gained_by_student": holdout.gained,
            "lost_by_student": holdout.lost,
            "mcnemar_p_value": holdout.p_value,
        },
        "pool": {
            "rows": gate.coverage.total,
            "threshold": gate.threshold,
            "accepted": gate.coverage.part,
            "rejected": gate.coverage.total - gate.coverage.part,
            "coverage": gate.coverage.value,
            "known_accepted": gate.precision.total,
            **_share("precision", gate.precision),
            "expected_precision": gate.expected_precision,
            "prior_divergence": gate.prior_divergence,
        },
        "calibration": {
            "rows": record.judged_rows,
            "temperature": record.temperature,
            "error_before": record.before.error,
            "error_after": record.after.error,
        },
        "watches": {
            "largest_class_share": gate.largest_class[1],
            "pool_disagreement": findings.watches.pool_disagreement.value,
            "validation_disagreement": findings.watches.validation_disagreement.value,
            "disagreement_p_value": findings.watches.disagreement_p_value,
            "near_copies": findings.watches.near_copies.part,
            "drift_p_value": findings.watches.drift.p_value,
            "drifted_features": findings.watches.drift.differing.part,
        },
    }
    return rounded(figures)


def warnings(findings: Findings) -> list[str]:
    """Say in plain words what a reader should doubt."""
    gate = findings.gate
    found = []
    biased = {strategy: rows for strategy, rows in findings.asked.items() if strategy != "random"}
    if biased:
        chosen = ", ".join(f"{strategy} {rows}" for strategy, rows in biased.items())
        found.append(
            f"{sum(biased.values())} of {findings.labeled_per_class.sum()} labeled rows were asked "
            f"for ({chosen}) and are no random draw: the shares of their classes, and how hard they are, "
            "say nothing about the data. The gate, the promotion and the scores rest on validation and "
            "holdout rows, which stay a random draw."
        )
    if findings.learned_accepted and gate.coverage.total and not gate.coverage.part:
        found.append(
            "No pseudo-label was accepted: the student learned from the labeled rows alone, and "
            f"differs from the baseline only by its seed and its schedule. {gate.record.verdict}"
        )
    elif findings.learned_accepted and gate.coverage.total:
        unseen = [
            name
            for name, rows in zip(findings.info.classes, gate.accepted_per_class, strict=True)
            if not rows
        ]
        if unseen:
            found.append(
                f"No pool row was accepted as {', '.join(unseen)}: the student's pool lacks "
                f"{len(unseen)} of {len(findings.info.classes)} classes."
            )
    interval, promise = gate.precision.interval, gate.record.promise
    if interval and promise and interval[1] < promise[0]:
        found.append(
            f"The gate’s promise of a precision of {promise[0]:.6g} is broken on the pool, where it is "
            f"{interval[0]:.1%} to {interval[1]:.1%}: the pool is not like the rows that judged the teacher."
        )
    elif interval and gate.threshold is not None and interval[1] < gate.threshold:
        found.append(
            f"The teacher is overconfident: every accepted label has a confidence of {gate.threshold:.6g} or "
            f"more, but only {interval[0]:.1%} to {interval[1]:.1%} of them are right."
        )
    found += _watched(findings)
    comparison = findings.on_holdout
    better_on_holdout = "student" if comparison.gained > comparison.lost else "baseline"
    if comparison.gained != comparison.lost and better_on_holdout != findings.champion:
        found.append(
            f"The {findings.champion} was chosen on validation, as it must be; on the holdout the "
            f"{better_on_holdout} does better."
        )
    if comparison.p_value > CHANCE:
        found.append(
            "On the holdout the two models differ by no more than chance would explain "
            f"(McNemar's exact test, p = {comparison.p_value:.2g})."
        )
    return found


def _watched(findings: Findings) -> list[str]:
    """Say which watch has seen something."""
    gate, watches = findings.gate, findings.watches
    found = []
    largest, share = gate.largest_class
    if share is not None and share > (1 + gate.record.prior[largest]) / 2:
        found.append(
            f"The accepted labels collapse on one class: {share:.1%} of them are "
            f"{findings.info.classes[largest]}, where the prior says {gate.record.prior[largest]:.1%}."
        )
    pool, validation = watches.pool_disagreement, watches.validation_disagreement
    if watches.disagreement_p_value < WATCH_CHANCE:
        found.append(
            f"Student and teacher disagree on {pool.value:.1%} of the pool, but on {validation.value:.1%} of "
            "the validation rows: one of them has learned something of the pool that isn't so elsewhere."
        )
    if watches.near_copies.part:
        found.append(
            f"{watches.near_copies.part} of {watches.near_copies.total} holdout and validation rows have a "
            "near copy among the rows that were learned from: the scores may flatter."
        )
    drift = watches.drift
    if drift.p_value < WATCH_CHANCE:
        found.append(
            f"The pool looks different from the labeled rows, in {drift.differing.part} of "
            f"{drift.differing.total} features beyond chance: what was shown on validation rows, a promised "
            "precision above all, need not hold there."
        )
    return found


def _scores(scores: Scores) -> dict[str, Any]:
    loss = {} if scores.loss is None else {"loss": scores.loss}
    return {**_share("accuracy", scores.accuracy), **loss, "macro_f1": scores.macro_f1}


def _share(name: str, share: Share) -> dict[str, float | None]:
    low, high = share.interval or (None, None)
    return {name: share.value, f"{name}_low": low, f"{name}_high": high}


def rounded(value: Any) -> Any:
    """Round every float of nested objects to 6 digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value
