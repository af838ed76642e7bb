"""What the tables say, counted anew: shares, answers, overlap. A batch in memory at a time."""

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.case import Case
from selfsame.audit.execution import HUMAN_ROLES, Execution
from selfsame.core.annotations import Annotation, parse_annotations
from selfsame.core.layout import ANNOTATIONS
from selfsame.stats.share import Share

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset


def share(part: int, total: int) -> dict[str, Any]:
    """Return a share with its interval, as JSON holds it."""
    found = Share(part, total)
    return {
        "part": part,
        "total": total,
        "value": found.value,
        "interval_95": list(found.interval) if found.interval else None,
    }


def count_by(table: "Dataset | None", *columns: str) -> Counter[tuple[Any, ...]]:
    """Count a table's rows by the values of some columns; empty if there is no such table."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for batch in table.to_batches(columns=list(columns)) if table else []:
        grouped = pa.Table.from_batches([batch]).group_by(list(columns)).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[tuple(row[column] for column in columns)] += row["count_all"]
    return counts


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


def overlaps(case: Case) -> dict[str, int]:
    """Count the examples that stand in two roles, by content: an id is a hash of the example's input."""
    held = {role: _ids(case, role) for role in HUMAN_ROLES}
    found = {
        f"{one} and {other}": len(held[one] & held[other]) for one, other in combinations(HUMAN_ROLES, 2)
    }
    pool = _table(case, "pool")
    everywhere = pa.array(sorted(set().union(*held.values())), pa.string())
    both: list[str] = []
    for batch in pool.to_batches(columns=["example_id"]) if pool else []:
        both += batch.column(0).filter(pc.is_in(batch.column(0), value_set=everywhere)).to_pylist()
    return found | {f"{role} and pool": sum(each in held[role] for each in both) for role in HUMAN_ROLES}


def _ids(case: Case, role: str) -> set[str]:
    table = _table(case, role)
    return set(table.to_table(columns=["example_id"]).column(0).to_pylist()) if table else set()


def _table(case: Case, stem: str) -> "Dataset | None":
    return case.held(stem).dataset(stem)
