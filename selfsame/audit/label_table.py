"""Every label in one table: of people, of the source, of a machine; who gave it and when."""

import csv
from collections.abc import Iterator
from typing import Any, TextIO

from selfsame.audit.execution import ANSWERED_ROLES, HUMAN_ROLES
from selfsame.audit.facts import answers_in
from selfsame.audit.rows import executions_of
from selfsame.audit.snapshot import Snapshot
from selfsame.core.layout import INFO_KEY

COLUMNS = ("example_id", "role", "label", "labeled_by", "labeled_at", "strategy", "accepted", "confidence")
SOURCE = "the source"  # a label that came with the data
MACHINE = "model "  # begins who gave a machine label; the sha256 of its weights follows


def write_labels(snapshot: Snapshot, file: TextIO) -> int:
    """Write the table as CSV, part by part; return the number of its rows.

    Labels of people and of the source come role by role, then one machine label for each row of the pool. A
    hidden label, which no model may see, is none of them. ``strategy`` tells the request that asked for it.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    count = 0
    for row in _rows(snapshot):
        writer.writerow(row)
        count += 1
    return count


def _rows(snapshot: Snapshot) -> Iterator[tuple[Any, ...]]:
    answers = answers_in(executions_of(snapshot))
    classes = snapshot.current.metadata("labeled", INFO_KEY).get("classes", [])
    for role in HUMAN_ROLES:
        for row in _read(snapshot, role, "example_id", "label"):
            said = answers.get(row["example_id"]) if role in ANSWERED_ROLES else None
            who = (said.annotator, said.labeled_at, said.strategy) if said else (SOURCE, "", "")
            yield row["example_id"], role, _named(row["label"], classes), *who, "", ""
    for row in _read(
        snapshot, "pseudo_labels", "example_id", "pseudo_label", "accepted", "teacher", "confidence"
    ):
        machine = f"{MACHINE}{row['teacher']}"
        label = _named(row["pseudo_label"], classes)
        yield row["example_id"], "pool", label, machine, "", "", row["accepted"], row.get("confidence", "")


def _read(snapshot: Snapshot, stem: str, *columns: str) -> Iterator[dict[str, Any]]:
    if table := snapshot.current.table(stem):
        for chunk in table.chunks(*(name for name in columns if name in table.columns)):
            yield from chunk.to_pylist()


def _named(label: Any, classes: list[str]) -> Any:
    return classes[label] if classes else label
