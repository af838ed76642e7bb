"""Everything that the stage ``evaluate`` found out about a regression: metrics and report are views of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from selfsame.core.tables import TableInfo
from selfsame.report.advice import holdout_verdict
from selfsame.report.findings import CHANCE, rounded
from selfsame.report.promotion import Promotion
from selfsame.report.values.agreement import ValueGate
from selfsame.report.values.gallery import ValueGallery
from selfsame.report.values.scores import Measure, ValueComparison, ValueScores, compare_values
from selfsame.report.watches import CHANCE as WATCH_CHANCE
from selfsame.report.watches import Drift
from selfsame.stats.share import Share


@dataclass(frozen=True)
class ValueModelFindings:
    """One model: its scores, and its curves: the columns of ``history.csv``, one value per epoch."""

    name: str
    validation: ValueScores
    holdout: ValueScores
    history: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ValueReferenceFindings:
    """A simple model that learned from the same labels, as ``selfsame.report.findings.ReferenceFindings``."""

    name: str
    rows: int
    validation: ValueScores
    holdout: ValueScores


@dataclass(frozen=True)
class ValueFindings:
    """What one run of the pipeline comes to, where values are learned.

    Attributes:
        labeled_rows: how many there are.
        reference, promotion, refitted, settings, digests: as in ``selfsame.report.findings.Findings``.
        near_copies: holdout and validation rows with a near copy among the rows that were learned from.
        drift: the pool against the labeled and validation rows.
    """

    title: str
    info: TableInfo
    labeled_rows: int
    gate: ValueGate
    baseline: ValueModelFindings
    student: ValueModelFindings
    reference: ValueReferenceFindings
    promotion: Promotion
    refitted: bool
    method: str
    settings: Mapping[str, Mapping[str, Any]]
    digests: Mapping[str, str]
    near_copies: Share
    drift: Drift
    galleries: tuple[ValueGallery, ...]

    @property
    def models(self) -> tuple[ValueModelFindings, ValueModelFindings]:
        """Baseline and student."""
        return self.baseline, self.student

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline`` or ``student``."""
        return self.promotion.champion

    @cached_property
    def on_validation(self) -> ValueComparison:
        """Both models, row by row, where the champion is chosen."""
        return compare_values(self.baseline.validation, self.student.validation)

    @cached_property
    def on_holdout(self) -> ValueComparison:
        """Both models, row by row."""
        return compare_values(self.baseline.holdout, self.student.holdout)

    @property
    def of_champion(self) -> ValueModelFindings:
        """The promoted model."""
        return self.student if self.champion == "student" else self.baseline

    @property
    def reference_recommended(self) -> bool:
        """Tell whether the simple model does as well as the champion on the validation rows."""
        return self.reference.validation.rmse.value <= self.of_champion.validation.rmse.value

    @cached_property
    def reference_on_holdout(self) -> ValueComparison:
        """The champion against the reference, row by row."""
        return compare_values(self.reference.holdout, self.of_champion.holdout)


def value_metrics(findings: ValueFindings) -> dict[str, Any]:
    """Return the figures for ``metrics.json``: nested, floats rounded to 6 digits, None where undefined."""
    gate, record = findings.gate, findings.gate.record
    validation, holdout = findings.on_validation, findings.on_holdout
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
            "recommended": findings.reference_recommended,
            "validation": _scores(findings.reference.validation),
            "holdout": _scores(findings.reference.holdout),
            "permutation_p_value": findings.reference_on_holdout.p_value,
        },
        "labeled": {"rows": findings.labeled_rows, "value_std": record.unit},
        "validation": {
            "rows": len(findings.baseline.validation.actual),
            "gained_by_student": validation.gained,
            "lost_by_student": validation.lost,
            "promotion_p_value": findings.promotion.p_value,
            "promotion_level": findings.promotion.level,
        },
        "holdout": {
            "rows": len(findings.baseline.holdout.actual),
            "gained_by_student": holdout.gained,
            "lost_by_student": holdout.lost,
            "permutation_p_value": holdout.p_value,
        },
        "pool": {
            "rows": gate.coverage.total,
            "largest_spread": record.largest_spread,
            "accepted": gate.coverage.part,
            "rejected": gate.coverage.total - gate.coverage.part,
            "coverage": gate.coverage.value,
            "known_accepted": gate.known_accepted,
            "rmse_accepted": gate.error_of_accepted,
            "rmse_rejected": gate.error_of_rejected,
            "close_share": gate.close.value,
            "rank_correlation": gate.rank_correlation,
        },
        "agreement": {
            "members": len(record.members),
            "rows": record.judged_rows,
            "accepted": record.judged_accepted,
            "rmse_all": record.error_of_all,
            "rmse_accepted": record.error_of_accepted,
        },
        "watches": {
            "near_copies": findings.near_copies.part,
            "drift_p_value": findings.drift.p_value,
            "drifted_features": findings.drift.differing.part,
        },
    }
    return rounded(figures)


def value_advice(findings: ValueFindings) -> str | None:
    """Advise the reference where it does as well as the champion on validation; None where it doesn't."""
    if not findings.reference_recommended:
        return None
    reference, champion = findings.reference, findings.of_champion
    p_value = findings.reference_on_holdout.p_value
    article = "An" if reference.name[0] in "aeiou" else "A"
    return (
        f"{article} {reference.name} on the same labels does as well or better: its R² on validation rows is "
        f"{reference.validation.r2.value:.3f} (cross-validated), the champion’s "
        f"{champion.validation.r2.value:.3f}. On the holdout it has {reference.holdout.r2.value:.3f}, the "
        f"champion {champion.holdout.r2.value:.3f}"
        f"{holdout_verdict(p_value, champion.holdout.r2.value > reference.holdout.r2.value)} "
        f"(paired permutation test, p = {p_value:.2g})."
    )


def value_warnings(findings: ValueFindings) -> list[str]:
    """Say in plain words what a reader should doubt."""
    gate, found = findings.gate, []
    if findings.champion == "baseline" and gate.coverage.total:
        found.append(
            "The pool did not help: on validation the student is not better beyond noise, so everything that "
            "was learned from it is left aside."
        )
    if gate.coverage.total and not gate.coverage.part:
        found.append(
            "No pseudo-target was accepted: the student learned from the labeled rows alone, and differs "
            f"from the baseline only by its seed and its schedule. {gate.record.verdict}"
        )
    accepted, rejected = gate.error_of_accepted, gate.error_of_rejected
    if accepted is not None and rejected is not None and accepted >= rejected:
        found.append(
            f"Agreement says nothing here: accepted pseudo-targets are {accepted:.4g} off (root mean "
            f"square), rejected ones {rejected:.4g}."
        )
    comparison = findings.on_holdout
    holdout = {model.name: model.holdout.rmse.value for model in findings.models}
    better = min(holdout, key=lambda name: holdout[name])
    if better != findings.champion:
        found.append(
            f"The {findings.champion} was chosen on validation, as it must be; on the holdout the {better} "
            "does better."
        )
    if comparison.p_value > CHANCE:
        found.append(
            "On the holdout the two models' squared errors differ by no more than chance would explain "
            f"(paired permutation test, p = {comparison.p_value:.2g})."
        )
    if findings.near_copies.part:
        found.append(
            f"{findings.near_copies.part} of {findings.near_copies.total} holdout and validation rows have a "
            "near copy among the rows that were learned from: the scores may flatter."
        )
    if findings.drift.p_value < WATCH_CHANCE:
        found.append(
            f"The pool looks different from the labeled rows, in {findings.drift.differing.part} of "
            f"{findings.drift.differing.total} features beyond chance: what was seen on validation rows need "
            "not hold there."
        )
    return found


def _scores(scores: ValueScores) -> dict[str, float]:
    return {**_measure("r2", scores.r2), **_measure("mae", scores.mae), **_measure("rmse", scores.rmse)}


def _measure(name: str, measure: Measure) -> dict[str, float]:
    return {name: measure.value, f"{name}_low": measure.low, f"{name}_high": measure.high}
