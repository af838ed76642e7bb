"""Rows to look at: on both sides of the gate, and the worst mistakes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.tables import count_rows, read_column, take_inputs
from selfsame.report.gallery import SHOWN
from selfsame.report.values.agreement import ValueGate
from selfsame.report.values.scores import ValueScores


@dataclass(frozen=True)
class ValueExample:
    """One row with the value that a model, or the ensemble, names.

    Attributes:
        raw: the input as it stands in the table.
        spread: of the ensemble, in standard deviations of the labeled values; None of a single model.
        truth: the true value; None where it isn't known.
    """

    example_id: str
    raw: np.ndarray
    said: float
    spread: float | None
    truth: float | None


@dataclass(frozen=True)
class ValueGallery:
    """Examples under one heading; none is an answer too."""

    title: str
    examples: tuple[ValueExample, ...]


def gate_rows(pseudo_labels: Path, pool: Path, gate: ValueGate) -> tuple[ValueGallery, ValueGallery]:
    """Show both sides of the gate: the accepted of largest spread, the rejected of smallest."""
    said = read_column(pseudo_labels, "pseudo_label")
    accepted, rejected = np.flatnonzero(gate.accepted), np.flatnonzero(~gate.accepted)
    last = accepted[np.argsort(-gate.spread[accepted], kind="stable")]
    first = rejected[np.argsort(gate.spread[rejected], kind="stable")]
    truth = said - gate.error
    return (
        _gallery("Accepted, with the largest spread", pool, last, said, truth, gate.spread),
        _gallery("Rejected, with the smallest spread", pool, first, said, truth, gate.spread),
    )


def worst_values(table: Path, scores: ValueScores) -> ValueGallery:
    """Show the rows on which a model is farthest off."""
    rows = np.flatnonzero(~np.isnan(read_column(table, "label")))  # those that were scored
    said, truth = np.full((2, count_rows(table)), np.nan)
    said[rows], truth[rows] = scores.predicted, scores.actual
    order = rows[np.argsort(-np.abs(scores.errors), kind="stable")]
    return _gallery("The champion’s worst mistakes on the holdout", table, order, said, truth, None)


def _gallery(
    title: str, table: Path, order: np.ndarray, said: np.ndarray, truth: np.ndarray, spread: np.ndarray | None
) -> ValueGallery:
    rows = order[:SHOWN]
    ids = read_column(table, "example_id")
    inputs = dict(zip(np.sort(rows).tolist(), take_inputs(table, np.sort(rows)), strict=True))
    return ValueGallery(
        title,
        tuple(
            ValueExample(
                ids[row],
                inputs[row],
                float(said[row]),
                None if spread is None else float(spread[row]),
                None if np.isnan(truth[row]) else float(truth[row]),
            )
            for row in rows.tolist()
        ),
    )
