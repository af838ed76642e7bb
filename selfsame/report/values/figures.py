"""The figures of a regression, in the manner of ``selfsame.report.figures``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from selfsame.report.figures import BASELINE, CHOSEN, COLOURS, INK, STUDENT, svg
from selfsame.report.values.agreement import ValueGate
from selfsame.report.values.findings import ValueFindings
from selfsame.report.watches import evenly

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTS = 1500  # rows drawn, evenly spaced: more would make the page heavy and no clearer


def agreement_figure(gate: ValueGate) -> str:
    """Draw the accepted pseudo-targets' error above the coverage, both against the largest spread."""

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
        kept = gate.explored()
        spreads = [each.largest_spread for each in kept]
        known = [each for each in kept if each.error is not None]
        if known:
            above.plot(
                [each.largest_spread for each in known],
                [each.error for each in known],
                color=STUDENT,
                label="error of the accepted",
            )
        below.plot(spreads, [each.coverage.value for each in kept], color=BASELINE, label="coverage")
        chosen = gate.record.largest_spread
        if spreads and chosen <= 2 * max(spreads):
            for axes, label in ((above, "chosen largest spread"), (below, "")):
                axes.axvline(chosen, color=INK, **CHOSEN, label=label)
        above.set_ylim(bottom=0)
        below.set_ylim(0, 1.02)
        below.set_xlim(left=0)
        below.set_xlabel("largest spread (standard deviations)")
        above.set_ylabel("error (RMS)")
        below.set_ylabel("coverage")

    return svg("agreement", draw)


def tenths_figure(gate: ValueGate) -> str:
    """Draw the error of each tenth of the pool against its mean spread."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        known = [(spread, error) for spread, error in gate.tenths() if error is not None]
        if known:
            spreads, errors = zip(*known, strict=True)
            axes.plot(spreads, errors, "o-", color=STUDENT, markersize=5, label="a tenth of the pool")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("mean spread (standard deviations)")
        axes.set_ylabel("error (RMS)")

    return svg("tenths", draw)


def fit_figure(findings: ValueFindings) -> str:
    """Draw predicted against actual values of both models on the holdout."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, model in zip((left, right), findings.models, strict=True):
            scores = model.holdout
            rows = evenly(len(scores.actual), DOTS)
            ends = [scores.actual.min(), scores.actual.max()]
            _dots(axes, scores.actual[rows], scores.predicted[rows], COLOURS[model.name], model.name)
            axes.plot(ends, ends, color=INK, **CHOSEN)
            axes.set_xlabel("actual")
        left.set_ylabel("predicted")

    return svg("fit", draw)


def residuals_figure(findings: ValueFindings) -> str:
    """Draw predicted − actual against the predicted value, of both models on the holdout."""

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, model in zip((left, right), findings.models, strict=True):
            scores = model.holdout
            rows = evenly(len(scores.actual), DOTS)
            _dots(axes, scores.predicted[rows], scores.errors[rows], COLOURS[model.name], model.name)
            axes.axhline(0, color=INK, **CHOSEN)
            axes.set_xlabel("predicted")
        left.set_ylabel("predicted − actual")

    return svg("residuals", draw)


def errors_figure(findings: ValueFindings) -> str:
    """Draw how often which error is made, by both models on the holdout."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        pooled = np.concatenate([model.holdout.errors for model in findings.models])
        low, high = np.quantile(pooled, (0.005, 0.995))
        edges = np.linspace(low, high, 41) if high > low else np.array([low - 0.5, low + 0.5])
        for model in findings.models:
            counts, _ = np.histogram(model.holdout.errors, edges)
            axes.stairs(counts, edges, color=COLOURS[model.name], linewidth=1.8, label=model.name)
        axes.axvline(0, color=INK, **CHOSEN)
        axes.set_xlabel("predicted − actual (99 % of the rows)")
        axes.set_ylabel("holdout rows")

    return svg("errors", draw)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, label: str) -> None:
    axes.plot(x, y, "o", color=colour, markersize=2.2, alpha=0.35, markeredgewidth=0)
    axes.plot([], [], "o", color=colour, markersize=6, label=label)  # in the legend, one that can be seen
