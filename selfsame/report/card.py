"""The champion's model card: Markdown with the metadata that Hugging Face reads, from the same findings."""

import json
from typing import Any

from selfsame.core.tables import TableInfo
from selfsame.report.advice import advice
from selfsame.report.findings import Findings, warnings
from selfsame.stats.share import Share

CARD = "README.md"
REFITTED = (
    "It was refitted: the validation rows chose how long to train and which model to promote, then labeled "
    "and validation rows were learned together. `validated` holds the model that was judged."
)


def render_card(findings: Findings) -> str:
    """Return the card of the champion; the same findings give the same bytes."""
    champion = next(model for model in findings.models if model.name == findings.champion)
    accuracy, gate = champion.holdout.accuracy, findings.gate
    results = [
        {"type": "accuracy", "value": round(accuracy.value or 0.0, 6)},
        {"type": "f1", "name": "macro F1", "value": round(champion.holdout.macro_f1, 6)},
    ]
    advised = advice(findings)
    answer = [
        *([plain(advised), ""] if advised else []),
        f"The {champion.name}: {_said(accuracy)} of {accuracy.total} holdout examples right. It tells "
        f"{len(findings.info.classes)} classes apart: {plain(', '.join(findings.info.classes))}.",
        "",
        "| model | holdout accuracy | macro F1 |",
        "|---|---|---|",
        *(
            f"| {model.name} | {_said(model.holdout.accuracy)} | {model.holdout.macro_f1:.3f} |"
            for model in (*findings.models, findings.reference)
        ),
    ]
    basis = (
        f"{findings.labeled_per_class.sum()} labeled rows of {plain(findings.info.source)}, and a pool of "
        f"{gate.coverage.total} rows, of whose machine-made labels {gate.coverage.part} were accepted. "
        f"{gate.record.verdict} {_rightness(gate.precision)}"
    )
    if findings.refitted:
        basis += f"\n\n{REFITTED}"
    return compose_card(findings.title, findings.info, results, answer, basis, warnings(findings))


def compose_card(
    title: str,
    info: TableInfo,
    results: list[dict[str, Any]],
    answer: list[str],
    basis: str,
    doubts: list[str],
) -> str:
    """Put a card together.

    Args:
        results: scores of the champion on the holdout, as Hugging Face names them.
        answer, basis: Markdown: what the champion does, and what that rests on.
        doubts: plain text.
    """
    task = f"{'image' if info.image_shape else 'tabular'}-{info.target}"
    metadata = {
        "library_name": "selfsame",
        "pipeline_tag": task,
        "tags": ["semi-supervised", "pseudo-labels"],
        "model-index": [
            {
                "name": title,
                "results": [
                    {
                        "task": {"type": task},
                        "dataset": {"name": info.source, "type": info.source},
                        "metrics": results,
                    }
                ],
            }
        ],
    }
    # JSON is YAML
    head = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in metadata.items()]
    lines = [
        *("---", *head, "---", "", f"# {plain(title)}", "", *answer),
        *("", "## What it rests on", "", basis),
        *("", "## What to doubt", ""),
        *([f"- {plain(doubt)}" for doubt in doubts] or ["Nothing that the report warns of."]),
        *("", "## How to make it again", ""),
        "`dvc repro evaluate`, in a checkout of the same code, data and parameters; "
        "`selfsame audit models/champion` walks back to the raw data.",
        "",
    ]
    return "\n".join(lines)


def _rightness(precision: Share) -> str:
    if not precision.total:
        return "How many of them are right isn't known."
    return f"Of the {precision.total} whose truth is known, {_said(precision)} are right."


def _said(share: Share) -> str:
    assert share.value is not None and share.interval is not None
    return f"{share.value:.1%} ({share.interval[0]:.1%} to {share.interval[1]:.1%})"


def plain(text: str) -> str:
    """Keep a name from being read as HTML or Markdown."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>()#|!&" else sign for sign in text)
