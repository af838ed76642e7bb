"""How far a withdrawn example reaches: pseudo-labels and models that rest on it, and a way without."""

import gc
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from selfsame.audit.execution import OWN_LABEL, Execution
from selfsame.audit.receipts import erased, erased_words
from selfsame.audit.records import Record
from selfsame.audit.rows import executions_of, find_row, stale_lines
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stale import stale
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE, METRICS
from selfsame.git import commits_of


def trace_taint(snapshot: Snapshot, example_ids: Sequence[str]) -> dict[str, Any]:
    """Follow withdrawn examples through the executions behind all that ``dvc.lock`` names.

    A model that learned from one, or was chosen with one, is tainted; so is every pseudo-label that such a
    model made, and all that learned from those. A pool row by itself taints its own pseudo-label.

    Raises:
        SelfsameError: no table has one of the examples.
    """
    executions = executions_of(snapshot)
    receipts = {one: receipt for one in dict.fromkeys(example_ids) if (receipt := erased(one))}
    left = [one for one in dict.fromkeys(example_ids) if one not in receipts]
    found = {one: find_row(snapshot, executions, one) for one in left}
    tainted: set[tuple[str, str]] = set()  # files, by name and digest
    models: list[dict[str, Any]] = []
    reports: list[str] = []
    own: set[str] = set()
    labels = Counter({"by_tainted_teachers": 0, "of": 0})
    for execution in executions:
        record, table = execution.record, execution.wrote.table("pseudo_labels")
        passed_on = [name for name, digest in record.inputs.items() if (name, digest) in tainted]
        why = _reasons(execution, found, passed_on)
        if table is not None:
            labels["of"] += table.rows
            own |= {one for one in found if execution.decision_on(one)}
        if not why or why == [OWN_LABEL]:  # with a clean teacher only the row's own pseudo-label goes
            continue
        if table is not None:
            labels["by_tainted_teachers"] += table.count("teacher", execution.teachers)
        clean = {
            folder for folder, digest in execution.models.items() if _is_clean_copy(record, digest, tainted)
        }
        tainted |= {file for file in record.outputs.items() if Path(file[0]).parent.as_posix() not in clean}
        models += [
            {"model": folder, "weights": digest, "why": why, "record": record.path.as_posix()}
            for folder, digest in execution.models.items()
            if folder not in clean
        ]
        reports += [name for name in record.outputs if Path(name).is_relative_to(METRICS.parent)]
    return {
        "stale": [str(problem) for problem in stale(snapshot)],
        "revision": str(snapshot),
        "examples": {example_id: row["role"] for example_id, row in found.items()},
        "erased": {example_id: erased_words(receipt) for example_id, receipt in receipts.items()},
        "pseudo_labels": {"own": [one for one in found if one in own], **labels},
        "models": models,
        "reports": reports,
        "rebuild": rebuild_command(snapshot, list(found)),
    }


def _reasons(execution: Execution, found: Iterable[str], passed_on: list[str]) -> list[str]:
    direct = dict.fromkeys(use for example_id in found if (use := execution.use_of(example_id)))
    folders = dict.fromkeys(Path(name).parent.as_posix() for name in passed_on)
    return [*direct, *(f"rests on {folder}, which is tainted" for folder in folders)]


def _is_clean_copy(record: Record, weights: str, tainted: set[tuple[str, str]]) -> bool:
    """Tell whether an execution copied these weights from a model that is clean, as the champion may be."""
    sources = [file for file in record.inputs.items() if file[1] == weights]
    return bool(sources) and not any(file in tainted for file in sources)


def rebuild_command(snapshot: Snapshot, example_ids: Sequence[str]) -> str:
    """Return the command that rebuilds everything without some examples, besides those withdrawn before."""
    before = snapshot.params.get("split", {}).get("exclude", [])
    exclude = json.dumps(
        [*before, *(name for name in example_ids if name not in before)], separators=(",", ":")
    )
    return f"dvc exp run --set-param '++split.exclude={exclude}'"


def taint_history(example_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Follow examples through every committed ``dvc.lock``, the newest first.

    A revision whose tables nobody keeps any more, or that never had one of the examples, says so.
    """
    answers, here = [], Snapshot()
    for commit in commits_of(LOCK_FILE.as_posix()):
        try:
            answers.append(trace_taint(Snapshot(commit.id, here=here), example_ids))
        except SelfsameError as error:
            answers.append({"revision": commit.id, "unknown": error.what})
        gc.collect()  # the files that the revision's snapshot holds open, and that hold it
    return answers


def format_taint(answer: dict[str, Any]) -> str:
    """Return a taint as text for a person."""
    if "unknown" in answer:
        return f"{answer['revision']}: {answer['unknown']}"
    lines = [*stale_lines(answer["stale"]), f"{answer['revision']}"]
    lines += [f"  {example_id}  {role or 'no role'}" for example_id, role in answer["examples"].items()]
    lines += [f"  {example_id}  {words}" for example_id, words in answer["erased"].items()]
    labels = answer["pseudo_labels"]
    lines.append(
        f"pseudo-labels  {labels['by_tainted_teachers']} of {labels['of']} made by models that rest on them, "
        f"{len(labels['own'])} of the rows' own"
    )
    lines += [
        f"model          {model['model']} ({model['weights'][:12]}): {'; '.join(model['why'])}"
        for model in answer["models"]
    ]
    if not answer["models"]:
        lines.append("model          none")
    lines += [f"report         {name}" for name in answer["reports"]]
    if answer["examples"]:
        lines += ["rebuild without:", f"  {answer['rebuild']}"]
    return "\n".join(lines)
