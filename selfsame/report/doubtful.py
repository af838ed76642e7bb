"""Given labels that look wrong, named by a simple model that was trained without each: confident learning.

A row is doubtful if the model is as sure of another class as it is, on average, of that class's own rows
(Northcutt, Jiang and Chuang, 2021). The surer it is of that one instead of the given
one, the earlier the row is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.annotations import Annotation
from selfsame.core.tables import read_column
from selfsame.report.gallery import SHOWN, Gallery, examples
from selfsame.report.target import Target


@dataclass(frozen=True)
class Doubts:
    """Doubtful labels, the most doubtful first.

    Attributes:
        rows: (M,) positions among the rows that were looked at.
        instead: (M,) the class that each looks like.
        sureness: (N, K) of every row that was looked at; empty for values, which have no such model.
    """

    rows: np.ndarray
    instead: np.ndarray
    sureness: np.ndarray


def doubt(labels: np.ndarray, sureness: np.ndarray, settled: np.ndarray) -> Doubts:
    """Find the doubtful labels.

    Args:
        labels: (N,) class indices as given.
        sureness: (N, K) probabilities by models trained without the row.
        settled: (N,) bool, rows whose label a person has given when asked: these aren't named.
    """
    if not sureness.size:
        return Doubts(np.empty(0, np.int64), np.empty(0, np.int64), sureness)
    labels = labels.astype(np.int64)
    own = sureness[np.arange(len(labels)), labels]
    usual = np.array([own[labels == each].mean() for each in range(sureness.shape[1])])
    likely = np.where(sureness >= usual, sureness, -1.0)
    instead = likely.argmax(axis=1)
    surplus = likely.max(axis=1) - own
    found = np.flatnonzero((instead != labels) & (surplus > 0) & ~settled)
    order = found[np.argsort(-surplus[found], kind="stable")]
    return Doubts(order, instead[order], sureness)


def settled(tables: Mapping[str, Path], answers: Mapping[str, Annotation]) -> np.ndarray:
    """Tell of the rows of some tables, one after the other, whether a person was asked for their label."""
    ids = np.concatenate([read_column(table, "example_id") for table in tables.values()])
    return np.isin(ids, list(answers))


def doubtful_file(target: Target, tables: Mapping[str, Path], labels: np.ndarray, found: Doubts) -> Any:
    """Return the columns of the file that people fill in and ``selfsame answer`` takes back.

    Args:
        tables: that were looked at, one after the other, by role.
    """
    ids, places = (
        np.concatenate([read_column(table, name) for table in tables.values()])
        for name in ("example_id", "source_row")
    )
    roles = np.repeat(list(tables), [len(read_column(table, "example_id")) for table in tables.values()])
    given = labels[found.rows].astype(np.int64)
    empty = [""] * len(given)
    return {
        "example_id": ids[found.rows].tolist(),
        "label": empty,
        "annotator": empty,
        "labeled_at": empty,
        "given": list(map(target.named, given)),
        "looks_like": list(map(target.named, found.instead)),
        "probability_of_given": [f"{each:.4f}" for each in found.sureness[found.rows, given]],
        "probability_instead": [f"{each:.4f}" for each in found.sureness[found.rows, found.instead]],
        "role": roles[found.rows].tolist(),
        "source_row": places[found.rows].tolist(),
    }


def doubtful_gallery(tables: Mapping[str, Path], labels: np.ndarray, found: Doubts) -> Gallery:
    """Show the most doubtful ones."""
    shown: list[tuple[Any, Any]] = []
    starts = 0
    first = found.rows[:SHOWN]
    for table in tables.values():
        rows = len(read_column(table, "label"))
        inside = np.flatnonzero((first >= starts) & (first < starts + rows))
        own = first[inside]
        sure = found.sureness[own, found.instead[inside]]
        shown += zip(
            inside, examples(table, own - starts, found.instead[inside], sure, labels[own]), strict=True
        )
        starts += rows
    return Gallery(
        f"Labels to look at again: a simple model, trained without the row, doubts {len(found.rows)} of the "
        f"{len(labels)} given",
        tuple(example for _, example in sorted(shown, key=lambda pair: pair[0])),
        said="looks like",
        truth="given",
    )
