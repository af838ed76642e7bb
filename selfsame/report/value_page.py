"""What the page of values shows beyond that of any target, and what DVC plots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.report.data_checks import evenly
from selfsame.report.figures import CHOSEN, COLORS, INK, STUDENT, Drawn, gate_figure, svg
from selfsame.report.words import decimal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from selfsame.report.findings import Findings
    from selfsame.report.gate import Gate
    from selfsame.report.scores import Scores

DOTS = 1500  # rows drawn, evenly spaced: more would make the page heavy and no clearer
TENTHS = 10


def figures(findings: Findings, correlation: float | None) -> dict[str, Drawn]:
    """Draw error and coverage against the level, what agreement is worth, and how values are met."""
    gate = findings.gate
    known = "" if gate.of_accepted.error is not None else " The error needs hidden values."
    rank = f" Rank correlation of both (Spearman): {decimal(correlation)}." if correlation is not None else ""
    level = "largest standard deviation of the ensemble"
    return {
        "gate": Drawn(
            gate_figure(gate, level, ("error (RMS)", lambda kept: kept.error)),
            "Error of accepted pseudo-targets and coverage, against the largest ensemble standard deviation",
            f"What other levels would have kept, and how far off it would have been.{known}",
        ),
        "tenths": Drawn(
            tenths_figure(gate),
            "Error of each tenth of the pool, against its mean ensemble standard deviation",
            "Agreement against the truth, from the tenth of the pool that is most agreed on to the one that "
            f"is least. If the line doesn’t rise, agreement says nothing.{rank}",
        ),
        "fit": Drawn(
            cloud_figure(findings, "fit"),
            "Predicted against actual values of both models on the holdout",
            "On the dashed line a prediction is right.",
        ),
        "residuals": Drawn(
            cloud_figure(findings, "residuals"),
            "Residuals of both models on the holdout, against the predicted value",
            "What is left over: a cloud without a pattern is the best there is.",
        ),
        "errors": Drawn(
            errors_figure(findings),
            "Histogram of both models’ errors on the holdout",
            "How often which error is made.",
        ),
    }


def tenths_figure(gate: Gate) -> str:
    """Draw the error of each tenth of the pool against its mean spread."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        known = [(spread, error) for spread, error in gate.tenths() if error is not None]
        if known:
            spreads, errors = zip(*known, strict=True)
            axes.plot(spreads, errors, "o-", color=STUDENT, markersize=5, label="a tenth of the pool")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("mean ensemble standard deviation")
        axes.set_ylabel("error (RMS)")

    return svg("tenths", draw)


def cloud_figure(findings: Findings, kind: str) -> str:
    """Draw holdout rows of both models: predicted against actual (``fit``), or ``residuals``."""

    def draw(figure: Figure) -> None:
        sides = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, model in zip(sides, findings.models, strict=True):
            rows = evenly(len(model.holdout), DOTS)
            actual, predicted = model.holdout.actual, model.holdout.predicted
            if kind == "fit":
                ends = [actual.min(), actual.max()]
                _dots(axes, actual[rows], predicted[rows], model.name)
                axes.plot(ends, ends, color=INK, **CHOSEN)
                axes.set_xlabel("actual")
            else:
                _dots(axes, predicted[rows], (predicted - actual)[rows], model.name)
                axes.axhline(0, color=INK, **CHOSEN)
                axes.set_xlabel("predicted")
        sides[0].set_ylabel("predicted" if kind == "fit" else "predicted − actual")

    return svg(kind, draw)


def errors_figure(findings: Findings) -> str:
    """Draw how often which error is made, by both models on the holdout."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        errors = {each.name: each.holdout.predicted - each.holdout.actual for each in findings.models}
        low, high = np.quantile(np.concatenate(list(errors.values())), (0.005, 0.995))
        edges = np.linspace(low, high, 41) if high > low else np.array([low - 0.5, low + 0.5])
        for name, made in errors.items():
            counts, _ = np.histogram(made, edges)
            axes.stairs(counts, edges, color=COLORS[name], linewidth=1.8, label=name)
        axes.axvline(0, color=INK, **CHOSEN)
        axes.set_xlabel("predicted − actual (99 % of the rows)")
        axes.set_ylabel("holdout rows")

    return svg("errors", draw)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, name: str) -> None:
    axes.plot(x, y, "o", color=COLORS[name], markersize=2.2, alpha=0.35, markeredgewidth=0)
    axes.plot(
        [], [], "o", color=COLORS[name], markersize=6, label=name
    )  # in the legend, one that can be seen


def plots(findings: Findings) -> dict[str, Mapping[str, list[Any]]]:
    """Return the confusion of tenths, coverage and closeness by spread, and error by tenth of spread.

    The column ``precision`` is the share of accepted pseudo-targets that are close to the truth.
    """
    kept, tenths = findings.gate.explored, findings.gate.tenths()
    return {
        "confusion_matrix": confusion_of_tenths(findings.champion.holdout),
        "threshold": {
            "threshold": [f"{each.level:.6g}" for each in kept],
            "coverage": [each.coverage.value for each in kept],
            "precision": [each.right.value for each in kept],
            "error": [each.error for each in kept],
        },
        "reliability": {
            "ensemble_std": [spread for spread, _ in tenths],
            "error": [error for _, error in tenths],
        },
    }


def confusion_of_tenths(scores: Scores) -> dict[str, list[str]]:
    """Name, for every row, the tenth of the true values in which its actual and its predicted value lie."""
    edges = np.unique(np.quantile(scores.actual, np.linspace(0, 1, TENTHS + 1)[1:-1]))
    bounds = [f"{edge:.4g}" for edge in edges]
    names = [f"{place:02d}: from {low}" for place, low in enumerate(["the lowest", *bounds], start=1)]
    columns = {"actual": scores.actual, "predicted": scores.predicted}
    return {
        name: [names[place] for place in np.searchsorted(edges, values, side="right")]
        for name, values in columns.items()
    }
