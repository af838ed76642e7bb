"""How far a withdrawn example reaches: pseudo-labels and models that rest on it, and a way without."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selfsame.audit.records import Record
from selfsame.audit.rows import (
    OWN_LABEL,
    Tables,
    executions_of,
    find_row,
    is_labeling,
    models_of,
    teachers_of,
    use_in,
)
from selfsame.audit.snapshot import Snapshot
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE
from selfsame.git import commits_of


def trace_taint(snapshot: Snapshot, example_ids: Sequence[str]) -> dict[str, Any]:
    """Follow withdrawn examples through the executions behind the models of a snapshot.

    A model that learned from one, or was chosen with one, is tainted; so is every pseudo-label that such a
    model made, and all that learned from those. A pool row by itself taints its own pseudo-label.

    Raises:
        SelfsameError: no table has one of the examples.
    """
    tables = Tables(snapshot)
    found = {example_id: find_row(tables, example_id) for example_id in dict.fromkeys(example_ids)}
    tainted: set[str] = set()  # names of files: in one chain each stands for the same bytes throughout
    models: list[dict[str, Any]] = []
    teachers: list[str] = []
    reports: list[str] = []
    for record in executions_of(snapshot):
        passed_on = [name for name in record.inputs if name in tainted]
        why = _reasons(record, found, snapshot, passed_on)
        weights = models_of(record)
        if not why or why == [OWN_LABEL]:  # with a clean teacher only the row's own pseudo-label goes
            continue
        if is_labeling(record, snapshot):
            teachers += teachers_of(record)
        clean = {folder for folder, digest in weights.items() if _is_clean_copy(record, digest, tainted)}
        tainted |= {name for name in record.outputs if Path(name).parent.as_posix() not in clean}
        models += [
            {"model": folder, "weights": digest, "why": why, "record": record.path.as_posix()}
            for folder, digest in weights.items()
            if folder not in clean
        ]
        reports += [name for name in record.outputs if name.startswith("reports/")]
    decisions = tables.get("pseudo_labels")
    return {
        "revision": str(snapshot),
        "examples": {example_id: row["role"] for example_id, row in found.items()},
        "pseudo_labels": {
            "own": [example_id for example_id, row in found.items() if row["decision"]],
            "by_tainted_teachers": decisions.count("teacher", teachers) if decisions and teachers else 0,
            "of": decisions.rows if decisions else 0,
        },
        "models": models,
        "reports": reports,
        "rebuild": rebuild_command(snapshot, list(found)),
    }


def _reasons(record: Record, found: dict[str, Any], snapshot: Snapshot, passed_on: list[str]) -> list[str]:
    direct = dict.fromkeys(use for row in found.values() if (use := use_in(record, row, snapshot)))
    folders = dict.fromkeys(Path(name).parent.as_posix() for name in passed_on)
    return [*direct, *(f"rests on {folder}, which is tainted" for folder in folders)]


def _is_clean_copy(record: Record, weights: str, tainted: set[str]) -> bool:
    """Tell whether an execution copied these weights from a model that is clean, as the champion may be."""
    sources = [name for name, digest in record.inputs.items() if digest == weights]
    return bool(sources) and not any(name in tainted for name in sources)


def rebuild_command(snapshot: Snapshot, example_ids: Sequence[str]) -> str:
    """Return the command that rebuilds everything without some examples, besides those withdrawn before."""
    before = snapshot.params.get("split", {}).get("exclude", [])
    exclude = json.dumps(
        [*before, *(name for name in example_ids if name not in before)], separators=(",", ":")
    )
    return f"dvc exp run --set-param 'split.exclude={exclude}'"


def taint_history(example_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Follow examples through every committed ``dvc.lock``, the newest first.

    A revision whose tables nobody keeps any more, or that never had one of the examples, says so.
    """
    answers = []
    for commit in commits_of(LOCK_FILE.as_posix()):
        try:
            answers.append(trace_taint(Snapshot(commit.id), example_ids))
        except SelfsameError as error:
            answers.append({"revision": commit.id, "unknown": error.what})
    return answers


def format_taint(answer: dict[str, Any]) -> str:
    """Return a taint as text for a person."""
    if "unknown" in answer:
        return f"{answer['revision']}: {answer['unknown']}"
    lines = [f"{answer['revision']}"]
    lines += [f"  {example_id}  {role or 'no role'}" for example_id, role in answer["examples"].items()]
    labels = answer["pseudo_labels"]
    lines.append(
        f"pseudo-labels  {labels['by_tainted_teachers']} of {labels['of']} by tainted teachers, "
        f"{len(labels['own'])} of the rows themselves"
    )
    lines += [
        f"model          {model['model']} ({model['weights'][:12]}): {'; '.join(model['why'])}"
        for model in answer["models"]
    ]
    if not answer["models"]:
        lines.append("model          none")
    lines += [f"report         {name}" for name in answer["reports"]]
    lines += ["rebuild without:", f"  {answer['rebuild']}"]
    return "\n".join(lines)
