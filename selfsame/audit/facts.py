"""What the tables say, counted anew: labels, decisions, precision, overlap. A batch in memory at a time."""

from collections import Counter
from functools import cache
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from selfsame.audit.case import Case
from selfsame.audit.execution import HUMAN_ROLES, Execution
from selfsame.audit.held import Held
from selfsame.audit.values import is_regression
from selfsame.core.annotations import Annotation, parse_annotations
from selfsame.core.layout import ANNOTATIONS, INFO_KEY
from selfsame.stats.share import Share


def share(part: int, total: int) -> dict[str, Any]:
    """Return a share with its interval, as JSON holds it."""
    found = Share(part, total)
    return {
        "part": part,
        "total": total,
        "value": found.value,
        "interval_95": list(found.interval) if found.interval else None,
    }


def class_names(case: Case) -> list[str]:
    """Return the classes that a label is an index into."""
    return case.held("labeled").metadata("labeled", INFO_KEY).get("classes", [])


def count_by(table: ds.Dataset | None, *columns: str) -> Counter[tuple[Any, ...]]:
    """Count a table's rows by the values of some columns; empty if there is no such table."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for batch in table.to_batches(columns=list(columns)) if table else []:
        grouped = pa.Table.from_batches([batch]).group_by(list(columns)).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[tuple(row[column] for column in columns)] += row["count_all"]
    return counts


@cache
def label_counts(case: Case) -> dict[str, dict[str, int]]:
    """Return role → class → rows with a human label, and for the pool with a machine one, by decision.

    A regression has one class, ``values``.
    """
    tables = {role: _table(case, role) for role in HUMAN_ROLES}
    decided = decisions(_table(case, "pseudo_labels"), case)
    if is_regression(case):
        return {role: {"values": table.count_rows()} for role, table in tables.items() if table} | decided
    names = class_names(case)
    return {role: _named(count_by(table, "label"), names) for role, table in tables.items()} | decided


def decisions(labels: ds.Dataset | None, case: Case) -> dict[str, dict[str, int]]:
    """Count the accepted and the rejected labels of a gate, by class."""
    if is_regression(case):
        decided = count_by(labels, "accepted")
        return {"accepted": {"values": decided[True,]}, "rejected": {"values": decided[False,]}}
    decided = count_by(labels, "pseudo_label", "accepted")
    return {
        word: _named(
            Counter({(label,): rows for (label, kept), rows in decided.items() if kept is accepted}),
            class_names(case),
        )
        for word, accepted in (("accepted", True), ("rejected", False))
    }


def given_labels(case: Case) -> dict[str, Annotation]:
    """Return, by example id, what people answered when asked, of the rows that are labeled by it."""
    labeled = _table(case, "labeled")
    answers = answers_of(next((each for each in case.executions if each.wrote.has("labeled")), None))
    ids = labeled.to_table(columns=["example_id"]).column(0).to_pylist() if labeled and answers else []
    return {name: answers[name] for name in ids if name in answers}


def answers_of(split: Execution | None) -> dict[str, Annotation]:
    """Return the answers that an execution read, by example id."""
    text = split.read.text(ANNOTATIONS.stem) if split else None
    return parse_annotations(text, ANNOTATIONS) if text else {}


def measured_precision(case: Case, made: Held | None = None) -> dict[str, Any] | None:
    """Compare accepted pseudo-labels with the hidden labels; None where there are none, or no classes.

    Args:
        made: where the pseudo-labels are, if not those that the model learned from.
    """
    hidden, labels = _table(case, "hidden_labels"), _table(case, "pseudo_labels")
    labels = made.dataset("pseudo_labels") if made else labels
    if is_regression(case) or hidden is None or labels is None or not hidden.count_rows():
        return None
    truth = hidden.to_table(columns=["example_id", "label"])
    right: Counter[int] = Counter()
    known: Counter[int] = Counter()
    columns = ["example_id", "pseudo_label", "accepted"]
    for batch in labels.to_batches(columns=columns):
        kept = batch.filter(batch.column("accepted"))
        places = pc.index_in(kept.column("example_id"), value_set=truth.column("example_id"))
        known_as = truth.column("label").take(places)
        for label, true in zip(kept.column("pseudo_label").to_pylist(), known_as.to_pylist(), strict=True):
            if true is not None:
                known[label] += 1
                right[label] += label == true
    names = class_names(case)
    return {
        "overall": share(right.total(), known.total()),
        "per_class": {name: share(right[index], known[index]) for index, name in enumerate(names)},
    }


def overlaps(case: Case) -> dict[str, int]:
    """Count the examples that stand in two roles, by content: an id is a hash of the example's input."""
    held = {role: _ids(case, role) for role in HUMAN_ROLES}
    found = {
        f"{one} and {other}": len(held[one] & held[other]) for one, other in combinations(HUMAN_ROLES, 2)
    }
    pool = _table(case, "pool")
    counts: Counter[str] = Counter()
    values = {role: pa.array(sorted(ids), pa.string()) for role, ids in held.items()}
    for batch in pool.to_batches(columns=["example_id"]) if pool else []:
        for role in HUMAN_ROLES:
            counts[role] += pc.sum(pc.is_in(batch.column(0), value_set=values[role])).as_py() or 0
    return found | {f"{role} and pool": counts[role] for role in HUMAN_ROLES}


def _ids(case: Case, role: str) -> set[str]:
    table = _table(case, role)
    return set(table.to_table(columns=["example_id"]).column(0).to_pylist()) if table else set()


def _named(counts: Counter[tuple[Any, ...]], names: list[str]) -> dict[str, int]:
    return {name: counts[(index,)] for index, name in enumerate(names)}


def _table(case: Case, stem: str) -> ds.Dataset | None:
    return case.held(stem).dataset(stem)
