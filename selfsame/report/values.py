"""Values as a target (a regression): off, not wrong; trusted where an ensemble agrees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.space import made
from selfsame.core.tables import TableInfo, stored_column
from selfsame.report.gate import Gate, Kept, Offer, hidden_truth
from selfsame.report.scores import Measure, Scores
from selfsame.report.words import Words, value
from selfsame.selection.agreement import AgreementRecord
from selfsame.selection.confidence import Calibration
from selfsame.stats.resampling import bootstrap_interval

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from selfsame.report.figures import Drawn
    from selfsame.report.findings import Findings

CLOSE = 0.5  # standard deviations of the labeled values: a pseudo-target as near is close
SHARES = np.linspace(0.02, 1, 50)  # of the pool; the levels that would keep them are those to explore
ROUND_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # and those to tabulate
WORDS = Words(
    learned="values (a regression)",
    does="It names a value.",
    use="predict_interval(rows, 0.9))  # low and high, (N, 2)",
    pseudo_label="pseudo-target",
    level="largest ensemble standard deviation",
    trust="ensemble standard deviation",
    doubtful="largest",
    trusted="smallest",
    right="close",
    good="close",
    measured="has an R² of {} on {}",
    gained="is closer on {}, the baseline on {}",
    distance="how far the values are from the truth",
    constant="{}, the mean",
    linear="ridge regression",
    off="off by",
    loss="squared error, in variances of the labeled values",
)


@dataclass(frozen=True)
class Values:
    """The protocol ``selfsame.report.target.Target`` for values."""

    info: TableInfo
    metric: str = "r2"
    words: Words = WORDS
    template: str = "values.html.j2"

    def score(self, labels: np.ndarray, said: np.ndarray) -> Scores:
        """Score by R², mean absolute and root mean square error, each with its bootstrap interval."""
        rows = np.flatnonzero(~np.isnan(labels))
        if not len(rows):
            raise SelfsameError(
                "a model can't be scored: no row has a value", "bring labels, or another split"
            )
        actual, predicted = labels[rows].astype(np.float64), said[rows].astype(np.float64)
        ends = zip(_measure(actual, predicted), *bootstrap_interval(_measure, actual, predicted), strict=True)
        measures = {
            name: Measure(*map(float, found)) for name, found in zip(("r2", "mae", "rmse"), ends, strict=True)
        }
        return Scores(measures, rows, actual, predicted, (predicted - actual) ** 2)

    def labels(self, said: np.ndarray) -> np.ndarray:  # noqa: D102
        return said

    def distances(self, scores: Scores) -> np.ndarray:  # noqa: D102
        return scores.errors

    def constant(self, labels: np.ndarray) -> float:  # noqa: D102
        return float(labels.mean())

    def gate(self, pseudo_labels: Path, hidden_labels: Path) -> Gate:  # noqa: D102
        record = AgreementRecord.of(pseudo_labels)
        labels = stored_column(pseudo_labels, "pseudo_label", np.float64)
        truth = hidden_truth(pseudo_labels, hidden_labels)
        spread = stored_column(pseudo_labels, "ensemble_std", np.float32)
        errors = made(np.float64, np.subtract, labels, truth)
        levels, rounds = (
            np.unique(np.quantile(spread, shares, method="higher"))
            if len(spread)
            else np.empty(0, np.float32)
            for shares in (SHARES, ROUND_SHARES)
        )
        return Gate(
            record=record,
            labels=labels,
            trust=spread,
            rising=False,
            levels=levels,
            rounds=rounds,
            accepted=stored_column(pseudo_labels, "accepted", bool),
            truth=truth,
            right=made(bool, lambda off: np.abs(off) <= CLOSE * record.unit, errors),
            errors=errors,
        )

    def calibration(self, said: np.ndarray, labels: np.ndarray, gate: Gate) -> Calibration:  # noqa: D102
        return Calibration.of_values(said - labels, gate.record.calibrated_on)

    def offers(self, gate: Gate) -> list[Offer]:
        """Return the levels whose error was seen on the calibration set."""
        record = gate.record
        assert isinstance(record, AgreementRecord)
        return [
            Offer(
                f"pseudo_label.largest_ensemble_std: {level:.3g}",
                gate.at(level),
                f"off by {value(error)} (root mean square of {rows} {record.calibrated_on} rows)",
                error <= CLOSE * record.unit,
            )
            for level, rows, error in record.seen
        ]

    def quality(self, kept: Kept) -> str:  # noqa: D102
        return f"off by {value(kept.error)} (root mean square)"

    def differ(self, one: np.ndarray, other: np.ndarray, gate: Gate) -> np.ndarray:
        """Tell which values are not close to each other."""
        assert isinstance(gate.record, AgreementRecord)
        return np.abs(one - other) > CLOSE * gate.record.unit

    def kinds(self, labels: np.ndarray) -> np.ndarray:  # noqa: D102
        return np.zeros(len(labels), dtype=np.int64)

    def named(self, label: float) -> str:  # noqa: D102
        return value(label)

    def badness(self, scores: Scores) -> np.ndarray:  # noqa: D102
        return scores.errors

    def doubts(self, findings: Findings) -> list[str]:  # noqa: D102
        return []

    def metrics(self, findings: Findings) -> dict[str, dict[str, Any]]:  # noqa: D102
        gate, record = findings.gate, findings.gate.record
        assert isinstance(record, AgreementRecord)
        return {
            "labeled": {"value_std": record.unit},
            "pool": {
                "largest_ensemble_std": record.largest_ensemble_std,
                "rmse_accepted": gate.of_accepted.error,
                "rmse_rejected": gate.of_rejected.error,
                "close_share": gate.of_accepted.right.value,
                "rank_correlation": rank_correlation(gate),
            },
            "agreement": {
                "members": len(record.members),
                "rows": record.calibration_rows,
                "accepted": record.calibration_accepted,
                "rmse_all": record.error_of_all,
                "rmse_accepted": record.error_of_accepted,
            },
        }

    def page(self, findings: Findings) -> tuple[dict[str, Drawn], dict[str, Any]]:  # noqa: D102
        from selfsame.report.value_page import figures

        return figures(findings, rank_correlation(findings.gate)), {"close": CLOSE}

    def plots(self, findings: Findings) -> dict[str, Mapping[str, list[Any]]]:  # noqa: D102
        from selfsame.report.value_page import plots

        return plots(findings)


def rank_correlation(gate: Gate) -> float | None:
    """Return Spearman's correlation of spread and absolute error: near 0 if agreement says nothing."""
    from scipy.stats import spearmanr

    assert gate.errors is not None
    known = ~np.isnan(gate.errors)
    spread, error = gate.trust[known], np.abs(gate.errors[known])
    if len(spread) < 3 or np.ptp(spread) == 0 or np.ptp(error) == 0:
        return None
    return float(spearmanr(spread, error).statistic)


def _measure(actual: np.ndarray, predicted: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return R², MAE and RMSE of rows along ``axis``: (3, …). Where the values don't vary R² is 0."""
    errors = predicted - actual
    squared, variance = (errors**2).mean(axis=axis), actual.var(axis=axis)
    explained = np.where(variance > 0, 1 - squared / np.where(variance > 0, variance, 1), 0.0)
    return np.stack([explained, np.abs(errors).mean(axis=axis), np.sqrt(squared)])
