"""Rows that repeat another's inputs: which copy stays, and which copies contradict each other."""

from dataclasses import dataclass

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.roles.given import Given

NAMED = 5  # rows or pairs that a message names, of however many there are


@dataclass(frozen=True)
class Repeats:
    """What the rows of equal inputs are to each other.

    Attributes:
        kept: (N,) for every row the one that stands for all of its copies; itself, if it is that one.
        contradicting: (N,) bool, the rows whose copies have another label.
    """

    kept: np.ndarray
    contradicting: np.ndarray

    @property
    def dropped(self) -> np.ndarray:
        """Return which rows another one stands for: (N,) bool."""
        others: np.ndarray = self.kept != np.arange(len(self.kept))
        return others


def find_repeats(given: Given) -> Repeats:
    """Compare all rows.

    Of equal rows one with a label stays before one without; then one that the source sets aside, so that
    its holdout and validation stay what they were; then, so that the order of rows means nothing, the one of
    the earliest time and of the lowest group; then the first.
    """
    ids, labels = given.ids, given.labels
    kept, contradicting = np.arange(len(ids)), np.zeros(len(ids), bool)
    halves = np.sort(ids[:, 0])  # few are alike: only those are looked at more closely
    again = halves[1:][halves[1:] == halves[:-1]]
    if not len(again):
        return Repeats(kept, contradicting)
    rows = np.flatnonzero(np.isin(ids[:, 0], again))
    marks = [each[rows] for each in (given.group, given.time) if each is not None]
    rows = rows[np.lexsort((rows, *marks, -given.own[rows], np.isnan(labels[rows]), *ids[rows].T[::-1]))]
    starts = np.r_[True, (ids[rows[1:]] != ids[rows[:-1]]).any(axis=1)]
    group = np.cumsum(starts) - 1
    kept[rows] = rows[starts][group]
    other = ~np.isnan(labels[rows]) & (labels[rows] != labels[kept[rows]])
    contradicting[rows] = np.isin(group, group[other])
    return Repeats(kept, contradicting)


def refuse_contradictions(
    repeats: Repeats, labels: np.ndarray, words: tuple[str, ...], examples: str
) -> None:
    """Stop if rows of the same inputs have different labels, and name them.

    Args:
        words: the classes' names; none of a regression.
    """
    other = np.flatnonzero(repeats.contradicting & ~np.isnan(labels) & (labels != labels[repeats.kept]))
    if not len(other):
        return

    def word(row: int) -> str:
        return repr(words[int(labels[row])]) if words else f"{labels[row]:.6g}"

    named = "; ".join(
        f"rows {repeats.kept[row]} and {row}: {word(repeats.kept[row])} and {word(row)}"
        for row in other[:NAMED]
    )
    more = f" (and {len(other) - NAMED} more)" if len(other) > NAMED else ""
    raise SelfsameError(
        f"{examples}: {int(repeats.contradicting.sum())} rows have the same inputs as others and "
        f"contradicting labels: {named}{more}",
        "correct the labels in the source, or set split.duplicates to drop_contradicting, which leaves all "
        "copies of such rows out",
    )


def refuse_repeats(repeats: Repeats, examples: str) -> None:
    """Stop if any row repeats another."""
    dropped = np.flatnonzero(repeats.dropped)
    if len(dropped):
        named = ", ".join(f"{row} that of {repeats.kept[row]}" for row in dropped[:NAMED])
        raise SelfsameError(
            f"{examples}: {len(dropped)} rows repeat the content of another: row {named}"
            f"{' …' if len(dropped) > NAMED else ''}; in two roles at once they would leak labels",
            "remove them from the source, or set split.duplicates to drop, which keeps one of each, with its "
            "label if any has one",
        )
