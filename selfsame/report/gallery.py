"""Examples to look at: what the gate just let in, what it just kept out, and the worst mistakes."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.tables import TableInfo, count_rows, inputs_of, iter_batches, open_table, read_column

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


def take_inputs(table: Path, rows: np.ndarray) -> np.ndarray:
    """Return the raw inputs of some rows, streamed.

    Args:
        rows: (N,) ascending positions, each once.
    """
    info = TableInfo.of(table)
    kind = np.uint8 if info.image_shape else np.float64
    found, start = [np.empty((0, *info.input_shape), kind)], 0
    for batch in iter_batches(table, [field.name for field in info.input_fields()]):
        inside = rows[(rows >= start) & (rows < start + batch.num_rows)] - start
        if len(inside):
            found.append(inputs_of(batch.take(inside), info))
        start += batch.num_rows
    return np.concatenate(found)


def take_all(table: Path) -> np.ndarray:
    """Return all raw inputs of a table that fits in memory."""
    return take_inputs(table, np.arange(count_rows(table)))


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


def picture(raw: np.ndarray, brightest: int) -> str:
    """Return a (C, H, W) uint8 image as a data URI; the value ``brightest`` becomes white."""
    from PIL import Image

    scaled = (raw.astype(np.float64) * 255 / max(brightest, 1)).clip(0, 255).astype(np.uint8)
    pixels = scaled[0] if len(scaled) != 3 else scaled.transpose(1, 2, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
