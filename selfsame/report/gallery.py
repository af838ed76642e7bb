"""Examples to look at: what the gate just let in, what it just kept out, and the worst mistakes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.space import pieces
from selfsame.core.tables import take_column, take_inputs
from selfsame.report.gate import Gate
from selfsame.report.scores import Scores
from selfsame.report.target import Target

SHOWN = 12


@dataclass(frozen=True)
class Example:
    """One row with what a model says of it.

    Attributes:
        raw: (C, H, W) uint8 or (F,) float64, as it stands in the table.
        label: the class or value that the model names.
        trust: how sure it is; None where that isn't known.
        truth: the true one; None where it isn't known.
    """

    example_id: str
    raw: np.ndarray
    label: float
    trust: float | None
    truth: float | None


@dataclass(frozen=True)
class Gallery:
    """Examples under one heading; none is an answer too.

    Attributes:
        said, truth: what ``label`` and ``truth`` of the examples are here.
    """

    title: str
    examples: tuple[Example, ...]
    said: str = "labeled"
    truth: str = "truth"


def gate_galleries(target: Target, gate: Gate, pool: Path) -> Iterator[Gallery]:
    """Show both sides of the gate: the accepted trusted least, the rejected trusted most."""
    words = target.words
    sides = {
        f"Accepted, with the {words.doubtful} {words.trust}": (True, gate.rising),
        f"Rejected, with the {words.trusted} {words.trust}": (False, not gate.rising),
    }
    for title, (side, rising) in sides.items():
        first, order = np.empty(0, np.int64), np.empty(0, gate.trust.dtype)
        for rows, trust, accepted in pieces(gate.trust, gate.accepted):
            own = np.flatnonzero(accepted == side)
            order = np.concatenate([order, trust[own] if rising else -trust[own]])
            foremost = np.argsort(order, kind="stable")[:SHOWN]
            first, order = np.concatenate([first, own + rows.start])[foremost], order[foremost]
        yield Gallery(title, examples(pool, first, gate.labels[first], gate.trust[first], gate.truth[first]))


def mistakes(target: Target, table: Path, scores: Scores) -> Gallery:
    """Show the worst mistakes of a model: wrong and sure of it, or farthest off."""
    badness = target.badness(scores)
    worst = np.argsort(-badness, kind="stable")[:SHOWN]
    worst = worst[badness[worst] > 0]
    trust = np.full(len(worst), np.nan) if scores.probabilities is None else badness[worst]
    shown = examples(table, scores.rows[worst], scores.predicted[worst], trust, scores.actual[worst])
    return Gallery("The champion’s worst mistakes on the holdout", shown)


def examples(
    table: Path, rows: np.ndarray, labels: np.ndarray, trust: np.ndarray, truth: np.ndarray
) -> tuple[Example, ...]:
    """Return some rows of a table with what is said of them: all (N,)."""
    taken = np.sort(rows)
    ids = dict(zip(taken.tolist(), take_column(table, "example_id", taken), strict=True))
    inputs = dict(zip(taken.tolist(), take_inputs(table, taken), strict=True))
    return tuple(
        Example(ids[row], inputs[row], label, _known(sure), _known(true))
        for row, label, sure, true in zip(
            rows.tolist(), labels.tolist(), trust.tolist(), truth.tolist(), strict=True
        )
    )


def _known(number: float) -> float | None:
    return None if np.isnan(number) else number
