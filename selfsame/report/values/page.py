"""The report of a regression: the page's own layout, with what values need instead of classes."""

from math import floor
from typing import Any

from selfsame.report.figures import best_epoch, loss_figure
from selfsame.report.page import NOTHING, Axis, lineage, render_page
from selfsame.report.values.agreement import CLOSE, ValueGate
from selfsame.report.values.figures import (
    agreement_figure,
    errors_figure,
    fit_figure,
    residuals_figure,
    tenths_figure,
)
from selfsame.report.values.findings import ValueFindings, value_advice, value_warnings
from selfsame.report.values.scores import Measure


def render_value_report(findings: ValueFindings) -> str:
    """Return the page; the same findings give the same bytes."""
    champion, other = sorted(findings.models, key=lambda model: model.name != findings.champion)
    compared = (*findings.models, findings.reference)
    return render_page(
        "values.html.j2",
        {"value": value, "span": span},
        findings=findings,
        champion=champion,
        other=other,
        warnings=value_warnings(findings),
        advice=value_advice(findings),
        compared=compared,
        axis=Axis(floor(20 * min(model.holdout.r2.low for model in compared)) / 20),
        close=CLOSE,
        explored=explored(findings.gate),
        best_epoch=best_epoch,
        **lineage(findings.digests, findings.settings),
        figures={
            "agreement": agreement_figure(findings.gate),
            "tenths": tenths_figure(findings.gate),
            "fit": fit_figure(findings),
            "residuals": residuals_figure(findings),
            "errors": errors_figure(findings),
            "loss": loss_figure(findings.models, "squared error"),
        },
    )


def explored(gate: ValueGate) -> dict[str, Any]:
    """Return what the slider over spreads needs: what each keeps, and where it starts."""
    kept = gate.explored()
    chosen = gate.record.largest_spread
    distances = [abs(each.largest_spread - chosen) for each in kept]
    return {
        "spreads": [each.largest_spread for each in kept],
        "kept": [[each.coverage.part, each.error, each.close.value] for each in kept],
        "rows": gate.coverage.total,
        "start": distances.index(min(distances)) if distances else 0,
    }


def value(number: float | None) -> str:
    """Write a value, or an error in its unit, with four digits that count."""
    return NOTHING if number is None else f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def span(measure: Measure) -> str:
    """Write a score's 95 % interval."""
    return f"{value(measure.low)} to {value(measure.high)}"
