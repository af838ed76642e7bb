"""The champion's model card: Markdown with the metadata that Hugging Face reads, from the same findings."""

import json

from selfsame.report.findings import Findings
from selfsame.report.honest import committee, headline, result, simple, warnings
from selfsame.report.scores import MEASURES, Scores
from selfsame.report.words import count, percent

CARD = "README.md"
HUGGING_FACE = {"macro_f1": "f1", "r2": "r_squared"}  # how it calls measures, where otherwise
REFITTED = (
    "It was refitted: the validation rows chose how long to train and which model to promote, then labeled "
    "and validation rows were learned together. `validated` holds the model that was judged."
)


def render_card(findings: Findings) -> str:
    """Return the card; the same findings give the same bytes."""
    info, words, gate = findings.target.info, findings.target.words, findings.gate
    measures = list(findings.reference.holdout.measures)
    task = f"{'image' if info.image_shape else 'tabular'}-{info.target}"
    results = [
        {
            "type": HUGGING_FACE.get(name, name),
            "name": MEASURES[name][0],
            "value": round(measure.value or 0.0, 6),
        }
        for name, measure in findings.champion.holdout.measures.items()
    ]
    metadata = {
        "library_name": "selfsame",
        "pipeline_tag": task,
        "tags": ["semi-supervised", "pseudo-labels"],
        "model-index": [
            {
                "name": findings.title,
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
    first = headline(findings)
    known = gate.of_accepted
    rightness = (
        f"Of the {count(known.right.total)} whose truth is known: {findings.target.quality(known)}."
        if known.right.total
        else "How good they are isn't known."
    )
    # JSON is YAML
    head = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in metadata.items()]
    lines = [
        *("---", *head, "---", "", f"# {plain(findings.title)}", "", plain(first), ""),
        *((plain(result(findings)), "") if first != result(findings) else ()),
        plain(words.does),
        "",
        f"| model | {' | '.join(MEASURES[name][0] for name in measures)} |",
        "|---" * (1 + len(measures)) + "|",
        *(
            f"| {plain(model.name)} | {' | '.join(_said(model.holdout, name) for name in measures)} |"
            for model in (*findings.models, findings.reference, findings.constant)
        ),
        *("", plain(simple(findings))),
        *(("", plain(committee(findings))) if committee(findings) else ()),
        *("", "## How to use it", "", *_use(findings)),
        *("", "## What it rests on", ""),
        f"{count(len(findings.labeled))} labeled rows of {plain(info.source)}, and a pool of "
        f"{count(gate.coverage.total)} rows, of which {count(gate.coverage.part)} have an accepted "
        f"{words.pseudo_label}. {gate.record.verdict} {rightness}",
        *(("", _learned(findings)) if findings.learned else ()),
        *(("", REFITTED) if findings.refitted else ()),
        *("", "## What to doubt", ""),
        *([f"- {plain(doubt)}" for doubt in warnings(findings)] or ["Nothing that the report warns of."]),
        *("", "## How to make it again", ""),
        "`dvc repro evaluate`, in a checkout of the same code, data and parameters; "
        "`selfsame audit models/champion` walks back to the raw data.",
        "",
    ]
    return "\n".join(lines)


def _use(findings: Findings) -> list[str]:
    """Return the Python that applies the model: it runs as it stands, beside the rows that it names."""
    info = findings.target.info
    rows = '"new.csv"  # or a data frame, an Arrow table, with the columns model.feature_names_in_'
    if info.image_shape:
        rows = f'"new.png"  # or a folder, PIL images, an array of uint8 (N, {str(info.image_shape)[1:]}'
    return [
        "```python",
        "from selfsame.predict import load_model",
        "",
        'model = load_model("models/champion")  # or wherever this folder lies',
        f"rows = {rows}",
        "print(model.predict(rows))",
        f"print(model.{findings.target.words.use}",
        "```",
        "",
        "In a terminal: `selfsame predict INPUT -o predicted.parquet --model FOLDER`.",
    ]


def _learned(findings: Findings) -> str:
    last, rounds = findings.learned[-1], len(findings.learned)
    right = f", {percent(last.right.value)} of them {findings.target.words.good}" if last.right.total else ""
    return (
        f"The student learned machine-made labels in {count(rounds, 'round')}; in the last, "
        f"{count(last.used)} pool rows{right}. `models/student/learned.parquet` names every one."
    )


def _said(scores: Scores, name: str) -> str:
    span = scores.span(name)
    return f"{scores.said(name)} ({span})" if span else scores.said(name)


def plain(text: str) -> str:
    """Keep a name from being read as HTML or Markdown."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]<>()#|!&" else sign for sign in text)
