"""What the tables say, counted anew: shares, answers, overlap. A batch in memory at a time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.case import Case
from selfsame.audit.execution import ANSWERED_ROLES, HUMAN_ROLES, Execution
from selfsame.audit.held import Table
from selfsame.core.annotations import Annotation, parse_annotations
from selfsame.core.layout import ANNOTATIONS, ID
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


def count_by(table: Table | None, *columns: str) -> Counter[tuple[Any, ...]]:
    """Count a table's rows by the values of some columns; empty if there is no such table."""
    return count_values(table.chunks(*columns) if table else ())


def count_values(tables: Iterable[pa.Table]) -> Counter[tuple[Any, ...]]:
    """Count the rows of tables by their values."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for table in tables:
        grouped = table.group_by(table.column_names, use_threads=False).aggregate([([], "count_all")])
        for *values, rows in zip(*grouped.to_pydict().values(), strict=True):
            counts[tuple(values)] += rows
    return counts


def given_labels(case: Case) -> dict[str, list[Annotation]]:
    """Return, by role, the answers of people that stand as labels in the tables."""
    answers = answers_in(case.executions)
    return {
        role: [answers[name] for name in sorted(_ids(case, role) & answers.keys())] if answers else []
        for role in ANSWERED_ROLES
    }


def answers_in(executions: Sequence[Execution]) -> dict[str, Annotation]:
    """Return the answers, by example id, that the last execution read of those that gave rows their roles."""
    splits = [each for each in executions if each.wrote.has_table("labeled")]
    text = splits[-1].read.text(ANNOTATIONS.stem) if splits else None
    return parse_annotations(text, ANNOTATIONS) if text else {}


def overlaps(case: Case) -> dict[str, int]:
    """Count the examples that stand in two roles, by content: an id is a hash of the example's input."""
    held = {role: _ids(case, role) for role in HUMAN_ROLES}
    found = {
        f"{one} and {other}": len(held[one] & held[other]) for one, other in combinations(HUMAN_ROLES, 2)
    }
    pool = case.held("pool").table("pool")
    everywhere = pa.array(sorted(set().union(*held.values())), pa.string())
    both: list[str] = []
    for chunk in pool.chunks(ID) if pool else ():
        both += chunk.column(0).filter(pc.is_in(chunk.column(0), value_set=everywhere)).to_pylist()
    return found | {f"{role} and pool": sum(each in held[role] for each in both) for role in HUMAN_ROLES}


def _ids(case: Case, role: str) -> set[str]:
    table = case.held(role).table(role)
    return set(table.read(ID).column(0).to_pylist()) if table else set()
