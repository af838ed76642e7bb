"""Rows that repeat another's inputs: which copy stays, and which copies contradict each other."""

from dataclasses import dataclass

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.roles.given import Given

NAMED = 5  # rows or pairs that a message names, of however many there are


@dataclass(frozen=True)
class Repeats:
    """What the rows of equal inputs are to each other; most tables have few such.

    Attributes:
        rows: (M,) ascending, those that have the inputs of another, and perhaps some more.
        kept: (M,) for each of them the one that stands for all of its copies; itself, if it is that one.
        contradicting: (N,) bool, the rows whose copies have another label.
    """

    rows: np.ndarray
    kept: np.ndarray
    contradicting: np.ndarray

    @property
    def dropped(self) -> np.ndarray:
        """Return which rows another one stands for: (N,) bool."""
        found = np.zeros(len(self.contradicting), bool)
        found[self.rows] = self.kept != self.rows
        return found

    def standing_for(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows that stand for some rows (K,): for one that is like no other, itself."""
        places = np.searchsorted(self.rows, rows)
        known = np.r_[self.rows, -1][places] == rows
        return np.where(known, np.r_[self.kept, -1][places], rows)


def find_repeats(given: Given) -> Repeats:
    """Compare all rows.

    Of equal rows one with a label stays before one without; then one that the source sets aside, so that
    its holdout and validation stay what they were; then, so that the order of rows means nothing, the one of
    the earliest time and of the lowest group; then the first.
    """
    ids, labels = given.ids, given.labels
    contradicting = np.zeros(len(ids), bool)
    halves = np.sort(ids[:, 0])  # few are alike: only those are looked at more closely
    again = halves[1:][halves[1:] == halves[:-1]]
    del halves
    if not len(again):
        return Repeats(np.empty(0, np.int64), np.empty(0, np.int64), contradicting)
    rows = np.flatnonzero(np.isin(ids[:, 0], again))
    marks = [each[rows] for each in (given.group, given.time) if each is not None]
    rows = rows[np.lexsort((rows, *marks, -given.own[rows], np.isnan(labels[rows]), *ids[rows].T[::-1]))]
    starts = np.r_[True, (ids[rows[1:]] != ids[rows[:-1]]).any(axis=1)]
    group = np.cumsum(starts) - 1
    kept = rows[starts][group]
    other = ~np.isnan(labels[rows]) & (labels[rows] != labels[kept])
    contradicting[rows] = np.isin(group, group[other])
    order = np.argsort(rows)
    return Repeats(rows[order], kept[order], contradicting)


def refuse_contradictions(
    repeats: Repeats, labels: np.ndarray, words: tuple[str, ...], examples: str
) -> None:
    """Stop if rows of the same inputs have different labels, and name them.

    Args:
        words: the classes' names; none of a regression.
    """
    own, kept = labels[repeats.rows], labels[repeats.kept]
    other = np.flatnonzero(repeats.contradicting[repeats.rows] & ~np.isnan(own) & (own != kept))
    if not len(other):
        return
    pairs = [(repeats.kept[at], repeats.rows[at]) for at in other[:NAMED]]

    def word(row: int) -> str:
        return repr(words[int(labels[row])]) if words else f"{labels[row]:.6g}"

    named = "; ".join(f"rows {one} and {row}: {word(one)} and {word(row)}" for one, row in pairs)
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
        pairs = zip(dropped[:NAMED], repeats.standing_for(dropped[:NAMED]), strict=True)
        named = ", ".join(f"{row} that of {one}" for row, one in pairs)
        raise SelfsameError(
            f"{examples}: {len(dropped)} rows repeat the content of another: row {named}"
            f"{' …' if len(dropped) > NAMED else ''}; in two roles at once they would leak labels",
            "remove them from the source, or set split.duplicates to drop, which keeps one of each, with its "
            "label if any has one",
        )
