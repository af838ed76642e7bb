"""What the tables say, counted anew: labels, decisions, precision, overlap. A batch in memory at a time."""

import json
from collections import Counter
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.snapshot import Snapshot
from selfsame.audit.values import is_regression
from selfsame.core.annotations import Annotation, parse_annotations
from selfsame.core.layout import ANNOTATIONS, GATE_KEY, INFO_KEY
from selfsame.stats.share import Share

HUMAN_ROLES = ("labeled", "validation", "calibration", "holdout")


def share(part: int, total: int) -> dict[str, Any]:
    """Return a share with its interval, as JSON holds it."""
    found = Share(part, total)
    return {
        "part": part,
        "total": total,
        "value": found.value,
        "interval_95": list(found.interval) if found.interval else None,
    }


def gate_decision(snapshot: Snapshot) -> dict[str, Any]:
    """Return what the gate wrote beside the pseudo-labels: rule, verdict, judges; empty if nothing."""
    table = snapshot.table("pseudo_labels")
    metadata = (table.schema.metadata or {}) if table else {}
    return json.loads(metadata[GATE_KEY]) if GATE_KEY in metadata else {}


def class_names(snapshot: Snapshot) -> list[str]:
    """Return the classes that a label is an index into."""
    table = snapshot.table("labeled")
    metadata = (table.schema.metadata or {}) if table else {}
    return json.loads(metadata[INFO_KEY])["classes"] if INFO_KEY in metadata else []


def count_by(snapshot: Snapshot, stem: str, *columns: str) -> Counter[tuple[Any, ...]]:
    """Count a table's rows by the values of some columns; empty if no stage writes that table."""
    counts: Counter[tuple[Any, ...]] = Counter()
    table = snapshot.table(stem)
    for batch in table.to_batches(columns=list(columns)) if table else []:
        grouped = pa.Table.from_batches([batch]).group_by(list(columns)).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[tuple(row[column] for column in columns)] += row["count_all"]
    return counts


def label_counts(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    """Return role → class → rows with a human label, and for the pool with a machine one, by decision.

    A regression has one class, ``values``.
    """
    if is_regression(snapshot):
        return _value_counts(snapshot)
    names = class_names(snapshot)
    counts = {role: _named(count_by(snapshot, role, "label"), names) for role in HUMAN_ROLES}
    decided = count_by(snapshot, "pseudo_labels", "pseudo_label", "accepted")
    for word, accepted in (("accepted", True), ("rejected", False)):
        chosen = Counter({(label,): count for (label, kept), count in decided.items() if kept is accepted})
        counts[word] = _named(chosen, names)
    return counts


def _value_counts(snapshot: Snapshot) -> dict[str, dict[str, int]]:
    tables = {role: snapshot.table(role) for role in HUMAN_ROLES}
    counts = {role: {"values": table.count_rows()} for role, table in tables.items() if table}
    decided = count_by(snapshot, "pseudo_labels", "accepted")
    return counts | {"accepted": {"values": decided[True,]}, "rejected": {"values": decided[False,]}}


def given_labels(snapshot: Snapshot) -> dict[str, Annotation]:
    """Return, by example id, what people answered when asked, of the rows that are labeled by it."""
    content, table = snapshot.read(ANNOTATIONS.as_posix()), snapshot.table("labeled")
    if not content or table is None:
        return {}
    answers = parse_annotations(content.decode(), ANNOTATIONS)
    labeled = table.to_table(columns=["example_id"]).column(0).to_pylist()
    return {name: answers[name] for name in labeled if name in answers}


def measured_precision(snapshot: Snapshot) -> dict[str, Any] | None:
    """Compare the accepted pseudo-labels with the hidden labels; None where there are none, or no classes."""
    hidden, decisions = snapshot.table("hidden_labels"), snapshot.table("pseudo_labels")
    if is_regression(snapshot) or hidden is None or decisions is None or not hidden.count_rows():
        return None
    truth = hidden.to_table(columns=["example_id", "label"])
    right: Counter[int] = Counter()
    known: Counter[int] = Counter()
    columns = ["example_id", "pseudo_label", "accepted"]
    for batch in decisions.to_batches(columns=columns):
        kept = batch.filter(batch.column("accepted"))
        places = pc.index_in(kept.column("example_id"), value_set=truth.column("example_id"))
        labels = truth.column("label").take(places)
        for label, true in zip(kept.column("pseudo_label").to_pylist(), labels.to_pylist(), strict=True):
            if true is not None:
                known[label] += 1
                right[label] += label == true
    names = class_names(snapshot)
    return {
        "overall": share(right.total(), known.total()),
        "per_class": {name: share(right[index], known[index]) for index, name in enumerate(names)},
    }


def overlaps(snapshot: Snapshot) -> dict[str, int]:
    """Count the examples that stand in two roles, by content: an id is a hash of the example's input."""
    held = {role: _ids(snapshot, role) for role in HUMAN_ROLES}
    found = {
        f"{one} and {other}": len(held[one] & held[other]) for one, other in combinations(HUMAN_ROLES, 2)
    }
    pool = snapshot.table("pool")
    counts: Counter[str] = Counter()
    values = {role: pa.array(sorted(ids), pa.string()) for role, ids in held.items()}
    for batch in pool.to_batches(columns=["example_id"]) if pool else []:
        for role in HUMAN_ROLES:
            counts[role] += pc.sum(pc.is_in(batch.column(0), value_set=values[role])).as_py() or 0
    return found | {f"{role} and pool": counts[role] for role in HUMAN_ROLES}


def _ids(snapshot: Snapshot, role: str) -> set[str]:
    table = snapshot.table(role)
    return set(table.to_table(columns=["example_id"]).column(0).to_pylist()) if table else set()


def _named(counts: Counter[tuple[Any, ...]], names: list[str]) -> dict[str, int]:
    return {name: counts[(index,)] for index, name in enumerate(names)}
