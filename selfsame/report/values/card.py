"""The model card of a champion that names values."""

from selfsame.report.card import REFITTED, compose_card, plain
from selfsame.report.values.findings import ValueFindings, value_advice, value_warnings
from selfsame.report.values.scores import Measure


def render_value_card(findings: ValueFindings) -> str:
    """Return the card; the same findings give the same bytes."""
    champion = next(model for model in findings.models if model.name == findings.champion)
    scores, gate = champion.holdout, findings.gate
    results = [
        {"type": "r_squared", "value": round(scores.r2.value, 6)},
        {"type": "mae", "value": round(scores.mae.value, 6)},
        {"type": "rmse", "value": round(scores.rmse.value, 6)},
    ]
    advised = value_advice(findings)
    answer = [
        *([plain(advised), ""] if advised else []),
        f"The {champion.name}: R² {_said(scores.r2)} on {len(scores.actual)} holdout examples. It names "
        f"values, and is {_said(scores.mae)} off on average.",
        "",
        "| model | holdout R² | mean absolute error | root mean square error |",
        "|---|---|---|---|",
        *(
            f"| {model.name} | {_said(model.holdout.r2)} | {_said(model.holdout.mae)} | "
            f"{_said(model.holdout.rmse)} |"
            for model in (*findings.models, findings.reference)
        ),
    ]
    known = (
        f"Accepted pseudo-targets are {gate.error_of_accepted:.4g} off (root mean square), where "
        "the truth is known."
        if gate.error_of_accepted is not None
        else "How far off they are isn't known."
    )
    basis = (
        f"{findings.labeled_rows} labeled rows of {plain(findings.info.source)}, and a pool of "
        f"{gate.coverage.total} rows, of whose machine-made values {gate.coverage.part} were accepted. "
        f"{gate.record.verdict} {known}"
    )
    if findings.refitted:
        basis += f"\n\n{REFITTED}"
    return compose_card(findings.title, findings.info, results, answer, basis, value_warnings(findings))


def _said(measure: Measure) -> str:
    return f"{measure.value:.4g} ({measure.low:.4g} to {measure.high:.4g})"
