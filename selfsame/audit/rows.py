"""One example's story: its role, who labeled it and how, and what learned from it."""

from dataclasses import asdict
from typing import Any

from selfsame.audit.case import NOT_RECORDED, walker_of
from selfsame.audit.execution import ANSWERED_ROLES, HUMAN_ROLES, OWN_LABEL, ROLES, Execution, find
from selfsame.audit.facts import answers_in
from selfsame.audit.receipts import erased, erased_words
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stale import stale
from selfsame.audit.uses import uses_of
from selfsame.core.errors import SelfsameError

SHOWN = 5  # files of a message


def id_of_source_row(snapshot: Snapshot, row: int, file: str | None = None) -> str:
    """Return the id of the example at a position of the source, or of one file of a table that has several.

    Raises:
        SelfsameError: there is none.
    """
    now = snapshot.current
    at = row if file is None else _start_of(file, row, now.document("manifest") or {}) + row
    table = now.table("examples")
    found = table.where("source_row", at) if table else []
    if not found:
        raise SelfsameError(f"source row {row}: no example is at that position", "count from 0")
    return str(found[0]["example_id"])


def _start_of(file: str, row: int, manifest: dict[str, Any]) -> int:
    """Return where a file's rows start in the source; the manifest counts those of each, in order."""
    start = 0
    for name, counted in manifest.get("files", {}).items():
        if name == file and 0 <= row < counted["rows"]:
            return start
        if name == file:
            raise SelfsameError(f"source row {row} of {file}: it has {counted['rows']} rows", "count from 0")
        start += counted["rows"]
    names = ", ".join(list(manifest.get("files", {}))[:SHOWN])
    raise SelfsameError(
        f"{file}: the source has no such file of rows",
        f"the first are {names}" if names else "leave --source-file out: its rows are not counted by file",
    )


def executions_of(snapshot: Snapshot) -> list[Execution]:
    """Return every execution behind what ``dvc.lock`` names, the first one first.

    The outputs of each stage are followed by themselves: where the chain is stale, a model has another past
    than what its stage would read now.
    """
    walker = walker_of(snapshot)
    found: dict[Any, Any] = {}
    for stage in snapshot.lock.values():
        files = {name: digest for out in stage.outs for name, digest in snapshot.recorded(out).items()}
        found |= {record.path: record for record in walker.trace(files).executions}
    ordered = sorted(found.values(), key=lambda record: (record.started, record.path))
    return [Execution(record, snapshot) for record in ordered]


def find_row(snapshot: Snapshot, executions: list[Execution], example_id: str) -> dict[str, Any]:
    """Return an example's role now, its row there (without the input) and, from the pool, its decision.

    Raises:
        SelfsameError: neither a table of now nor one that an execution read has the example.
    """
    now = snapshot.current
    for role in ROLES:
        table = now.table(role)
        position = find(table, example_id)
        if table is None or position is None:
            continue
        snapshot.places[role, example_id] = position
        decisions = now.table("pseudo_labels") if role == "pool" else None
        place = find(decisions, example_id, position)
        decision = decisions.row(place) if decisions and place is not None else None
        return {"role": role, "row": table.row(position), "decision": decision}
    for held in (now, *(each.wrote for each in executions)):
        table = held.table("examples")
        position = find(table, example_id)
        if table is not None and position is not None:
            return {"role": None, "row": table.row(position), "decision": None}
    if receipt := erased(example_id):
        raise SelfsameError(f"{example_id}: {erased_words(receipt)}", "'selfsame verify' checks the receipt")
    raise SelfsameError(
        f"{example_id}: no table of {snapshot} has an example of that id",
        "copy the whole id (32 hex digits) from a table, or name the row by --source-row",
    )


def describe_row(snapshot: Snapshot, example_id: str) -> dict[str, Any]:
    """Return all that the records and tables say of one example, as values that JSON can hold.

    Its role, label and decision are those of now; what learned from it is told by what each execution read.

    Raises:
        SelfsameError: no table has the example.
    """
    executions = executions_of(snapshot)
    found = find_row(snapshot, executions, example_id)
    role, decision = found["role"], found["decision"]
    uses = []
    for execution in executions:
        use = execution.use_of(example_id)
        if use and use != OWN_LABEL:
            taught = [asdict(each) for each in execution.taught(example_id)] if execution.is_training else []
            record = execution.record.path.as_posix()
            predictions = [each.scored for each in uses_of(snapshot.lineage[0], execution.models.values())]
            uses.append(
                {
                    "models": execution.models,
                    "use": use,
                    "taught": taught,
                    "record": record,
                    "predictions": predictions,
                }
            )
    return {
        "stale": [str(problem) for problem in stale(snapshot)],
        "example_id": example_id,
        "role": role or "none: withdrawn by split.exclude, or dropped as a duplicate",
        "source": (snapshot.current.document("manifest") or {}).get("source", NOT_RECORDED),
        "source_row": found["row"].get("source_row", NOT_RECORDED),
        "labeled_by": _labeled_by(example_id, role, decision, executions),
        "label": found["row"].get("label"),
        "decision": _whole(decision),
        "uses": uses,
    }


def _labeled_by(
    example_id: str, role: str | None, decision: dict[str, Any] | None, executions: list[Execution]
) -> str:
    if role in HUMAN_ROLES:
        answer = answers_in(executions).get(example_id) if role in ANSWERED_ROLES else None
        if answer is None:
            return "human: the label came with the source"
        return f"human: {answer.annotator} at {answer.labeled_at}, asked by the strategy {answer.strategy}"
    if decision:
        return f"machine: teacher {decision['teacher']}"
    return "nobody: it has no role" if role is None else "nobody yet"


def _whole(decision: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say of a confidence that was never calibrated that it wasn't; values have a spread instead."""
    if decision and "ensemble_std" not in decision:
        return {"calibrated_confidence": NOT_RECORDED} | decision
    return decision


def format_row(row: dict[str, Any]) -> str:
    """Return a description as text for a person."""
    lines = stale_lines(row["stale"])
    lines += [
        f"{key:<12}  {row[key]}" for key in ("example_id", "role", "source", "source_row", "labeled_by")
    ]
    if row["label"] is not None:
        lines.append(f"{'label':<12}  {row['label']}")
    for key, value in (row["decision"] or {}).items():
        if key != "example_id":
            lines.append(f"  {key:<22}  {value}")
    for use in row["uses"]:
        models = (
            ", ".join(f"{path} ({digest[:12]})" for path, digest in use["models"].items()) or "the report"
        )
        lines.append(f"{'used by':<12}  {models}: {use['use']}")
        lines += [f"{'':<12}  which made the predictions {each}" for each in use["predictions"]]
    if not row["uses"]:
        lines.append(f"{'used by':<12}  no model learned from it")
    return "\n".join(lines)


def stale_lines(stale: list[str]) -> list[str]:
    """Return the lines that say, before anything else, that a chain is stale; none if it isn't."""
    return (
        ["stale: the models are not what the project would make now", *(f"  {each}" for each in stale)]
        if stale
        else []
    )
