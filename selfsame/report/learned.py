"""Which machine-made labels the student learned, round by round: from the record that its training left."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.layout import LEARNED_KEY
from selfsame.core.space import let_go
from selfsame.core.tables import iter_batches, open_table
from selfsame.stats.share import Share


@dataclass(frozen=True)
class LearnedRound:
    """Epochs in which the labels of the pool stayed as they were.

    Attributes:
        first_epoch: counted from 1.
        teacher: sha256 of the weights that made the labels; None where each step's own net did.
        taught: pool rows that had a label to be learned.
        used: those of them that a step drew.
        changed: those of them that had another label in the round before; 0 in the first.
        right: those that were used, of known truth, whose label is right, or close.
    """

    first_epoch: int
    teacher: str | None
    taught: int
    used: int
    changed: int
    right: Share


def read_learned(
    path: Path, truth: np.ndarray, differ: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> tuple[LearnedRound, ...]:
    """Read a student's record, a batch in memory at a time; nothing where it learned no pool.

    Args:
        truth: (N,) of the pool's rows, NaN where it isn't known.
        differ: tells which of two labels (N,) mean something else.
    """
    if not path.exists():
        return ()
    rounds = json.loads((open_table(path).schema.metadata or {})[LEARNED_KEY])["rounds"]
    counts = np.zeros((5, len(rounds)), dtype=np.int64)  # taught, used, changed, known, right
    start = 0
    for batch in iter_batches(path, ["labels", "uses"]) if rounds else ():
        labels, uses = (
            batch.column(name).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
            for name in ("labels", "uses")
        )
        labels = labels.astype(np.float64)  # null becomes NaN
        true = truth[start : start + batch.num_rows]
        start += batch.num_rows
        for place in range(len(rounds)):
            column, used = labels[:, place], uses[:, place] > 0
            taught = ~np.isnan(column)
            known = used & taught & ~np.isnan(true)
            before = labels[:, place - 1] if place else column
            changed = taught & ~np.isnan(before) & (before != column)
            right = known & ~differ(column, true)
            counts[:, place] += [part.sum() for part in (taught, used & taught, changed, known, right)]
        let_go(truth)
    return tuple(
        LearnedRound(each["first_epoch"], each["teacher"], taught, used, changed, Share(right, known))
        for each, (taught, used, changed, known, right) in zip(rounds, counts.T.tolist(), strict=True)
    )
