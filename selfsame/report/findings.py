"""Everything that the stage ``evaluate`` found out: what metrics, report and card are views of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from selfsame.report.data_checks import DataChecks
from selfsame.report.gallery import Gallery
from selfsame.report.gate import Gate
from selfsame.report.learned import LearnedRound
from selfsame.report.promotion import Promotion
from selfsame.report.scores import Comparison, Measure, Scores, compare
from selfsame.report.target import Target

CHANCE = 0.05  # p-value above which a difference is called chance


@dataclass(frozen=True)
class ModelFindings:
    """One model.

    Attributes:
        name: ``baseline``, ``student``, or what else it is.
        validation: None of one that wasn't judged there.
        history: its curves, the columns of ``history.csv``, a value per validated epoch; empty without a
            training.
        shares: what each family of a committee weighs, by its architecture; empty of any other model.
    """

    name: str
    validation: Scores | None
    holdout: Scores
    history: Mapping[str, np.ndarray]
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """What one run of the pipeline comes to.

    Attributes:
        labeled: (N,) labels of the labeled rows.
        asked: how many of them people labeled on request, by the strategy that chose them.
        dropped: what became of rows that have no role, by reason: ``rows`` and ``labels`` among them.
        reference: the scikit-learn baseline: the best simple model of the same rows, ``reference_rows``.
        learning_curve: cross-validated scores of that kind of model with half of these rows and with all.
        constant: the best answer for who sees no input.
        promotion: which of the three is the champion, and why.
        learned: the machine-made labels that the student learned, round by round; empty where none.
        refitted: whether holdout scores are of models that have learned the validation rows too, and
            validation scores of those from before.
        method: how the student learned from the pool, as ``retrain.method`` names it.
        settings: the parameters that are known of each place (``models/student``), by dotted key.
        digests: sha256 of every file that was read, by path, in the order in which they were made.
        teachers: sha256 of the weights of every teacher that the pseudo-labels name.
        checks: what was seen of rows that should be alike.
        galleries: examples to look at.
    """

    title: str
    target: Target
    labeled: np.ndarray
    asked: Mapping[str, int]
    dropped: Mapping[str, Mapping[str, int]]
    gate: Gate
    baseline: ModelFindings
    student: ModelFindings
    reference: ModelFindings
    reference_rows: int
    learning_curve: tuple[Scores, Scores] | None
    constant: ModelFindings
    promotion: Promotion
    learned: tuple[LearnedRound, ...]
    refitted: bool
    method: str
    settings: Mapping[str, Mapping[str, Any]]
    digests: Mapping[str, str]
    teachers: tuple[str, ...]
    checks: DataChecks
    galleries: tuple[Gallery, ...]

    @property
    def models(self) -> tuple[ModelFindings, ModelFindings]:
        """Baseline and student."""
        return self.baseline, self.student

    @property
    def champion(self) -> ModelFindings:
        """The promoted model."""
        return getattr(self, self.promotion.champion)

    @property
    def other(self) -> ModelFindings:
        """The best of those that weren't, as validation rows see it."""
        if self.champion is self.reference:
            return getattr(self, self.promotion.trained)
        return self.baseline if self.champion is self.student else self.student

    @cached_property
    def on_validation(self) -> Comparison:
        """Both models, row by row, where the champion is chosen."""
        assert self.baseline.validation is not None and self.student.validation is not None
        return compare(self.baseline.validation, self.student.validation)

    @cached_property
    def on_holdout(self) -> Comparison:
        """Both models, row by row."""
        return compare(self.baseline.holdout, self.student.holdout)

    @cached_property
    def against_reference(self) -> Comparison:
        """The champion against the scikit-learn baseline on the holdout."""
        return compare(self.reference.holdout, self.champion.holdout)

    @cached_property
    def against_constant(self) -> Comparison:
        """The champion against who sees no input, on the holdout."""
        return compare(self.constant.holdout, self.champion.holdout)

    @property
    def learned_accepted(self) -> bool:
        """Tell whether the student learned the gate's accepted labels, and not labels made in training."""
        return self.method != "online"


def verdict(comparison: Comparison) -> str:
    """Say of the second of two models whether it is ``better`` or ``worse`` beyond chance, or ``alike``."""
    if comparison.p_value > CHANCE or not comparison.saved:
        return "alike"
    return "better" if comparison.saved > 0 else "worse"


def metrics(findings: Findings) -> dict[str, Any]:
    """Return the figures for ``metrics.json``: nested, floats rounded to 6 digits, None where undefined."""
    gate, checks = findings.gate, findings.checks
    simple, constant = findings.against_reference, findings.against_constant
    sections: dict[str, Any] = {
        "champion": findings.promotion.champion,
        "method": findings.method,
        "refitted": findings.refitted,
        **{model.name: _model(model) for model in findings.models},
        "reference": {
            "name": findings.reference.name,
            "rows": findings.reference_rows,
            **_model(findings.reference),
            "champion_is": verdict(simple),
            **_compared(simple, "champion"),
        },
        "constant": {
            "name": findings.constant.name,
            **_model(findings.constant),
            "champion_is": verdict(constant),
            "p_value": constant.p_value,
        },
        "labeled": {"rows": len(findings.labeled), "asked": dict(findings.asked)},
        "validation": {
            "rows": len(findings.baseline.validation or ()),
            "gained_by_student": findings.on_validation.gained,
            "lost_by_student": findings.on_validation.lost,
            "promotion_p_value": findings.promotion.student.p_value,
            "promotion_level": findings.promotion.level,
            "reference_promotion_p_value": findings.promotion.reference.p_value,
            "reference_promotion_out_of_fold_rows": findings.promotion.out_of_fold_rows,
        },
        "holdout": {
            "rows": len(findings.baseline.holdout),
            **_compared(findings.on_holdout, "student"),
        },
        "pool": {
            "rows": gate.coverage.total,
            "accepted": gate.coverage.part,
            "rejected": gate.coverage.total - gate.coverage.part,
            "coverage": gate.coverage.value,
            "known_accepted": gate.of_accepted.right.total,
        },
        "learned": {
            "rounds": len(findings.learned),
            "labels_used": sum(each.used for each in findings.learned),
            "rows_in_last_round": findings.learned[-1].used if findings.learned else 0,
            "right_in_last_round": findings.learned[-1].right.value if findings.learned else None,
        },
        "data_checks": {
            "pool_disagreement": checks.pool_disagreement.value,
            "validation_disagreement": checks.validation_disagreement.value,
            "disagreement_p_value": checks.disagreement_p_value,
            "near_copies": checks.near_copies.part,
            "drift_p_value": checks.drift.p_value,
            "drifted_features": checks.drift.differing.part,
        },
    }
    for name, own in findings.target.metrics(findings).items():
        sections[name] = {**sections.get(name, {}), **own}
    return rounded(sections)


def _model(model: ModelFindings) -> dict[str, Any]:
    roles = {"validation": model.validation, "holdout": model.holdout}
    told = {role: _scores(scores.measures) for role, scores in roles.items() if scores is not None}
    return told | ({"shares": dict(model.shares)} if model.shares else {})


def _scores(measures: Mapping[str, Measure]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, measure in measures.items():
        found[name] = measure.value
        if measure.low is not None:
            found |= {f"{name}_low": measure.low, f"{name}_high": measure.high}
    return found


def _compared(comparison: Comparison, second: str) -> dict[str, Any]:
    return {
        f"gained_by_{second}": comparison.gained,
        f"lost_by_{second}": comparison.lost,
        "p_value": comparison.p_value,
    }


def rounded(value: Any) -> Any:
    """Round every float of nested objects to 6 digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 6) if isinstance(value, float) else value
