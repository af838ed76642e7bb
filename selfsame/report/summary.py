"""The result in a few lines, for a terminal and for a flow run's page."""

from selfsame.report.findings import Findings
from selfsame.report.honest import headline, result, suggestions
from selfsame.report.scores import MEASURES
from selfsame.report.words import count, decimal


def render_summary(findings: Findings) -> str:
    """Return the lines; the same findings give the same bytes."""
    gate, words, first = findings.gate, findings.target.words, headline(findings)
    rows = (*findings.models, findings.reference, findings.constant)
    width = max(len(model.name) for model in rows)
    known = gate.of_accepted
    quality = f", {findings.target.quality(known)}" if known.right.total else ""
    measure = MEASURES[findings.champion.holdout.measure][0]
    lines = [first, *([] if first == result(findings) else [result(findings)])]
    lines += [f"{measure} on {count(len(findings.champion.holdout), 'holdout row')} (95 % interval)"]
    for model in rows:
        main = model.holdout.main
        span = f" ({decimal(main.low)}–{decimal(main.high)})" if main.low is not None else ""
        mark = "  ← champion" if model is findings.champion else ""
        lines.append(f"  {model.name:<{width}}  {decimal(main.value)}{span}{mark}")
    lines += [
        f"{words.pseudo_label}s: {count(gate.coverage.part)} of {count(gate.coverage.total)} accepted"
        f"{quality}",
        *(f"to do: {each}" for each in suggestions(findings)),
        "report: reports/report.html",
    ]
    return "\n".join(lines) + "\n"
