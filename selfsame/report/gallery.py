"""Examples to look at: what the gate just let in, what it just kept out, and the worst mistakes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.tables import open_table, read_column, take_inputs

SHOWN = 12


@dataclass(frozen=True)
class Example:
    """One row with what a model says of it.

    Attributes:
        raw: (C, H, W) uint8 or (F,) float64, as it stands in the table.
        label: the class that the model names.
        truth: the true class; None where it isn't known.
    """

    example_id: str
    raw: np.ndarray
    label: int
    confidence: float
    truth: int | None


@dataclass(frozen=True)
class Gallery:
    """Examples under one heading; none is an answer too."""

    title: str
    examples: tuple[Example, ...]


def gate_galleries(pseudo_labels: Path, pool: Path, hidden_labels: Path) -> tuple[Gallery, Gallery]:
    """Show both sides of the threshold: the accepted of least confidence, the rejected of most."""
    label, confidence = (read_column(pseudo_labels, name) for name in ("pseudo_label", "confidence"))
    accepted = read_column(pseudo_labels, "accepted").astype(bool)
    ids = read_column(pseudo_labels, "example_id")
    hidden = open_table(hidden_labels).to_table().to_pydict()
    truth = dict(zip(hidden["example_id"], hidden["label"], strict=True))

    def first(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
        return rows[np.argsort(order[rows], kind="stable")[:SHOWN]]

    shown = {
        "Accepted, with the least confidence": first(np.flatnonzero(accepted), confidence),
        "Rejected, with the most confidence": first(np.flatnonzero(~accepted), -confidence),
    }
    rows = np.sort(np.concatenate(list(shown.values())))
    inputs = dict(zip(rows.tolist(), take_inputs(pool, rows), strict=True))

    def example(row: int) -> Example:
        return Example(ids[row], inputs[row], int(label[row]), float(confidence[row]), truth.get(ids[row]))

    accepted_ones, rejected_ones = (
        Gallery(title, tuple(map(example, places.tolist()))) for title, places in shown.items()
    )
    return accepted_ones, rejected_ones


def mistakes(table: Path, labels: np.ndarray, probabilities: np.ndarray) -> Gallery:
    """Show the rows that a model gets wrong with the most confidence.

    Args:
        labels: (N,) true classes, negative where unknown.
        probabilities: (N, K).
    """
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero((labels >= 0) & (predicted != labels))
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")[:SHOWN]]
    ids = read_column(table, "example_id")
    inputs = dict(zip(np.sort(rows).tolist(), take_inputs(table, np.sort(rows)), strict=True))
    examples = (
        Example(ids[row], inputs[row], int(predicted[row]), float(confidence[row]), int(labels[row]))
        for row in rows.tolist()
    )
    return Gallery("The champion’s worst mistakes on the holdout", tuple(examples))
