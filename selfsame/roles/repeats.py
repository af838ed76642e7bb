"""Rows that repeat another's inputs: which copy stays, and which copies contradict each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.space import PIECE, Growing, in_ranges, let_go, pieces
from selfsame.roles.given import Given

COPIES, ITSELF = 1, 2
FOUND = [("row", np.int64), ("kept", np.int64), ("against", np.int8)]
NAMED = 5  # rows or pairs that a message names, of however many there are


@dataclass(frozen=True)
class Repeats:
    """The rows that another stands for, and those whose copies contradict each other; most tables have few.

    Attributes:
        rows: (M,) int64, ascending.
        kept: (M,) int64, for each the one that stands for all of its copies; itself, if it is that one.
        against: (M,) int8: ``COPIES`` of it contradict each other; ``ITSELF`` it has another label than the
            row that stands for it.
        total: rows that were compared.
    """

    rows: np.ndarray
    kept: np.ndarray
    against: np.ndarray
    total: int

    def of(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        """Tell which row stands for each of some, (N,) int64, and whose copies contradict, (N,) bool."""
        here = slice(*np.searchsorted(self.rows, (rows.start, rows.stop)))
        kept = np.arange(rows.start, rows.stop)
        kept[self.rows[here] - rows.start] = self.kept[here]
        contradicting = np.zeros(len(kept), bool)
        contradicting[self.rows[here] - rows.start] = self.against[here] > 0
        let_go(self.rows, self.kept, self.against)
        return kept, contradicting

    @property
    def dropped(self) -> np.ndarray:
        """Return which rows another one stands for: (N,) bool."""
        return self._all(lambda kept, own, _: kept != own)

    @property
    def contradicting(self) -> np.ndarray:
        """Return which rows' copies have another label: (N,) bool."""
        return self._all(lambda _, __, against: against > 0)

    def _all(self, tell: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        found = np.zeros(self.total, bool)
        for _, rows, kept, against in pieces(self.rows, self.kept, self.against):
            found[rows] = tell(kept, rows, against)
        return found


def find_repeats(given: Given) -> Repeats:
    """Compare all rows.

    Of equal rows one with a label stays before one without; then one that the source sets aside, so that
    its holdout and validation stay what they were; then, so that the order of rows means nothing, the one of
    the earliest time and of the lowest group; then the first.
    """
    marks = {"label": given.labels, "own": given.own, "group": given.group, "time": given.time}
    columns = {name: values for name, values in marks.items() if values is not None}
    kinds = [("high", "u8"), ("low", "u8"), ("row", "i8"), *((name, columns[name].dtype) for name in columns)]

    def records() -> Iterator[np.ndarray]:
        for rows, ids, *values in pieces(given.ids, *columns.values()):
            some = np.empty(len(ids), kinds)
            own = (ids[:, 0], ids[:, 1], np.arange(rows.start, rows.stop), *values)
            for (name, _), of_name in zip(kinds, own, strict=True):
                some[name] = of_name
            yield some

    ranges = len(given.ids) // PIECE + 1
    found = Growing(FOUND)
    for some in in_ranges(
        records, lambda each: ((each["high"] >> 32) * ranges >> 32).astype(np.int64), ranges
    ):
        found.append(_among(some))
    every = found.array()
    ordered = [Growing(kind) for _, kind in FOUND]
    for some in in_ranges(
        lambda: (each for _, each in pieces(every)), lambda each: each["row"] // PIECE, ranges
    ):
        order = np.argsort(some["row"])
        for column, (name, _) in zip(ordered, FOUND, strict=True):
            column.append(some[name][order])
    rows, kept, against = (column.array() for column in ordered)
    return Repeats(rows, kept, against, len(given.ids))


def _among(rows: np.ndarray) -> np.ndarray:
    """Return what ``FOUND`` names of the rows that have copies, where all copies are among these."""
    halves = np.sort(rows["high"])  # few are alike: only those are looked at more closely
    rows = rows[np.isin(rows["high"], halves[1:][halves[1:] == halves[:-1]])]
    marks = [rows[name] for name in ("group", "time") if name in (rows.dtype.names or ())]
    order = (rows["row"], *marks, -rows["own"], np.isnan(rows["label"]), rows["low"], rows["high"])
    rows = rows[np.lexsort(order)]
    starts = np.ones(len(rows), bool)
    starts[1:] = (rows["high"][1:] != rows["high"][:-1]) | (rows["low"][1:] != rows["low"][:-1])
    group = np.cumsum(starts) - 1
    kept = rows[starts][group]
    other = ~np.isnan(rows["label"]) & (rows["label"] != kept["label"])
    found = np.empty(len(rows), FOUND)
    found["row"], found["kept"] = rows["row"], kept["row"]
    found["against"] = np.isin(group, group[other]) * COPIES + other * (ITSELF - COPIES)
    return found[(found["row"] != found["kept"]) | (found["against"] > 0)]


def refuse_contradictions(
    repeats: Repeats, labels: np.ndarray, words: tuple[str, ...], examples: str
) -> None:
    """Stop if rows of the same inputs have different labels, and name them.

    Args:
        words: the classes' names; none of a regression.
    """
    other = repeats.against == ITSELF
    if not other.any():
        return
    pairs = [(repeats.kept[at], repeats.rows[at]) for at in np.flatnonzero(other)[:NAMED]]

    def word(row: int) -> str:
        return repr(words[int(labels[row])]) if words else f"{labels[row]:.6g}"

    named = "; ".join(f"rows {one} and {row}: {word(one)} and {word(row)}" for one, row in pairs)
    more = f" (and {other.sum() - NAMED} more)" if other.sum() > NAMED else ""
    raise SelfsameError(
        f"{examples}: {int((repeats.against > 0).sum())} rows have the same inputs as others and "
        f"contradicting labels: {named}{more}",
        "correct the labels in the source, or set split.duplicates to drop_contradicting, which leaves all "
        "copies of such rows out",
    )


def refuse_repeats(repeats: Repeats, examples: str) -> None:
    """Stop if any row repeats another."""
    dropped = np.flatnonzero(repeats.rows != repeats.kept)
    if len(dropped):
        named = ", ".join(f"{repeats.rows[each]} that of {repeats.kept[each]}" for each in dropped[:NAMED])
        raise SelfsameError(
            f"{examples}: {len(dropped)} rows repeat the content of another: row {named}"
            f"{' …' if len(dropped) > NAMED else ''}; in two roles at once they would leak labels",
            "remove them from the source, or set split.duplicates to drop, which keeps one of each, with its "
            "label if any has one",
        )
