"""One example's story: its role, who labeled it and how, and what learned from it."""

from pathlib import Path
from typing import Any

from selfsame.audit.facts import HUMAN_ROLES, gate_decision, given_labels
from selfsame.audit.lookup import Table
from selfsame.audit.records import Record
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.walk import Walker
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import VALIDATED, WEIGHTS

ROLES = (*HUMAN_ROLES, "pool")  # the large one last
NOT_RECORDED = "not recorded"
OWN_LABEL = "labeled it by machine"


class Tables:
    """The tables of a snapshot by their stems, each opened when it is asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._opened: dict[str, Table | None] = {}

    def get(self, stem: str) -> Table | None:
        """Return the table of that stem, if a stage writes one."""
        if stem not in self._opened:
            parts = self.snapshot.parts(stem)
            self._opened[stem] = Table(parts) if parts else None
        return self._opened[stem]


def id_of_source_row(snapshot: Snapshot, row: int, file: str | None = None) -> str:
    """Return the id of the example at a position of the source.

    Raises:
        SelfsameError: there is none, or there are several and ``file`` is needed to tell them apart.
    """
    table = Tables(snapshot).get("examples")
    found = table.where("source_row", row) if table else []
    if file is not None:
        found = [entry for entry in found if entry.get("source_file") == file]
    if len(found) != 1:
        raise SelfsameError(
            f"source row {row}{f' of {file}' if file else ''}: {len(found)} examples are at that position",
            "count from 0; name the source's file too where it has several",
        )
    return found[0]["example_id"]


def find_row(tables: Tables, example_id: str) -> dict[str, Any]:
    """Return an example's role, its row there (without the input) and, from the pool, its decision.

    Raises:
        SelfsameError: no table has the example.
    """
    for role in ROLES:
        table = tables.get(role)
        position = table.find(example_id) if table else None
        if table is None or position is None:
            continue
        decisions = tables.get("pseudo_labels") if role == "pool" else None
        place = decisions.find(example_id, hint=position) if decisions else None
        decision = decisions.row(place) if decisions and place is not None else None
        return {"role": role, "row": table.row(position), "decision": decision}
    examples = tables.get("examples")
    position = examples.find(example_id) if examples else None
    if examples is not None and position is not None:
        return {"role": None, "row": examples.row(position), "decision": None}
    raise SelfsameError(
        f"{example_id}: no table of {tables.snapshot} has an example of that id",
        "copy the whole id (32 hex digits) from a table, or name the row by --source-row",
    )


def executions_of(snapshot: Snapshot) -> list[Record]:
    """Return every execution behind the models of a snapshot, the first one first."""
    records, _ = snapshot.lineage
    files: dict[str, str] = {}
    for path in snapshot.outs:
        if Path(path).parts[0] in ("models", "reports"):
            files |= snapshot.digests(Path(path))
    return Walker(records).trace(files).executions


def reads(record: Record, path: str | None) -> bool:
    """Tell whether an execution read the file, or a file of the folder, at ``path``."""
    return path is not None and any(name == path or name.startswith(f"{path}/") for name in record.inputs)


def models_of(record: Record) -> dict[str, str]:
    """Return the models that an execution wrote: folder → sha256 of its weights."""
    return {
        Path(name).parent.as_posix(): digest
        for name, digest in record.outputs.items()
        if Path(name).name == WEIGHTS
    }


def is_training(record: Record, snapshot: Snapshot) -> bool:
    """Tell whether an execution learned a model's weights, rather than copied them."""
    weights = set(models_of(record).values())
    return bool(weights - set(record.inputs.values())) and reads(record, snapshot.path_of("labeled"))


def teachers_of(record: Record) -> list[str]:
    """Return the sha256 of the weights that label: of a refitted model those from before the refit."""
    weights = {Path(name): digest for name, digest in record.inputs.items() if Path(name).name == WEIGHTS}
    before = [digest for path, digest in weights.items() if path.parent.name == VALIDATED]
    return before or list(weights.values())


def is_labeling(record: Record, snapshot: Snapshot) -> bool:
    """Tell whether an execution made labels for the pool, rather than a model."""
    return reads(record, snapshot.path_of("pool")) and not models_of(record)


def use_in(record: Record, found: dict[str, Any], snapshot: Snapshot) -> str | None:
    """Say what an execution did with a row by itself, if it did anything."""
    role, decision = found["role"], found["decision"]
    if role is None or not reads(record, snapshot.path_of(role)):
        return None
    if is_training(record, snapshot):
        if role == "labeled":
            return "trained on its human label"
        if role == "validation":
            refitted = record.params.get("training", {}).get("refit_on_validation", False)
            also = ", then trained on it" if refitted else ""
            return f"chose its checkpoint with its human label{also}"
        method = record.params.get("retrain", {}).get("method", "offline")
        if method != "offline":
            return f"trained on its input without a fixed label (method {method})"
        if decision and decision["accepted"]:
            return f"trained on its machine label {decision['pseudo_label']}"
        return None
    if is_labeling(record, snapshot):
        judged_on = gate_decision(snapshot).get("judged_on", role)
        judged = "judged the teacher and the gate with its human label"
        return OWN_LABEL if role == "pool" else judged if role == judged_on else None
    if role == "validation":
        return "chose the champion with its human label"
    return "measured both models with it" if role == "holdout" else None


def describe_row(snapshot: Snapshot, example_id: str) -> dict[str, Any]:
    """Return all that the records and tables say of one example, as values that JSON can hold.

    Raises:
        SelfsameError: no table has the example.
    """
    tables = Tables(snapshot)
    found = find_row(tables, example_id)
    role, decision = found["role"], found["decision"]
    answer = given_labels(snapshot).get(example_id) if role == "labeled" else None
    if answer:
        labeled_by = (
            f"human: {answer.annotator} at {answer.labeled_at}, asked by the strategy {answer.strategy}"
        )
    elif role in HUMAN_ROLES:
        labeled_by = "human: the label came with the source"
    elif decision:
        labeled_by = f"machine: teacher {decision['teacher']}"
    else:
        labeled_by = "nobody: it has no role" if role is None else "nobody yet"
    uses = []
    for record in executions_of(snapshot):
        use = use_in(record, found, snapshot)
        if use and use != OWN_LABEL:
            uses.append({"models": models_of(record), "use": use, "record": record.path.as_posix()})
    return {
        "example_id": example_id,
        "role": role or "none: withdrawn by split.exclude, or dropped as a duplicate",
        "source": (snapshot.document("manifest") or {}).get("source", NOT_RECORDED),
        "source_row": found["row"].get("source_row", NOT_RECORDED),
        "labeled_by": labeled_by,
        "label": found["row"].get("label"),
        "decision": _whole(decision),
        "uses": uses,
    }


def _whole(decision: dict[str, Any] | None) -> dict[str, Any] | None:
    """Say of a confidence that was never calibrated that it wasn't; values have a spread instead."""
    if decision and "spread" not in decision:
        return {"calibrated_confidence": NOT_RECORDED} | decision
    return decision


def format_row(row: dict[str, Any]) -> str:
    """Return a description as text for a person."""
    lines = [f"{key:<12}  {row[key]}" for key in ("example_id", "role", "source", "source_row", "labeled_by")]
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
    if not row["uses"]:
        lines.append(f"{'used by':<12}  no model learned from it")
    return "\n".join(lines)
