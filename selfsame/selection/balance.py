"""Which of the confident labels to keep, so that no class crowds out the others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from selfsame.selection.ranks import ranked

Passed = tuple[np.ndarray, np.ndarray]  # labels (N,) and float32 confidences (N,)


@dataclass(frozen=True)
class Cut:
    """Which of the passed rows stay, so that a part of them is decided without the others.

    Attributes:
        confidence: (K,) rows above their class's stay, those below go.
        ties: (P, K) how many rows of each part, the first ones, stay that have this very confidence.
    """

    confidence: np.ndarray
    ties: np.ndarray

    def kept(self, labels: np.ndarray, confidence: np.ndarray, passed: np.ndarray, part: int) -> np.ndarray:
        """Return which rows (N,) of a part stay."""
        kept = passed & (confidence > self.confidence[labels])
        tied = passed & (confidence == self.confidence[labels])
        for label in np.unique(labels[tied]):
            kept[np.flatnonzero(tied & (labels == label))[: self.ties[part, label]]] = True
        return kept


def cut_for(parts: Callable[[], Iterator[Passed]], rows_per_class: np.ndarray) -> Cut:
    """Keep at most so many of the passed rows of every class (K,), the most confident first.

    Of equally confident ones the earlier rows are kept.

    Args:
        parts: yields the labels and confidences of every part's passed rows.
    """
    classes = len(rows_per_class)
    passed = sum((np.bincount(labels, minlength=classes) for labels, _ in parts()), np.zeros(classes, int))
    confidence = np.where(rows_per_class > 0, -np.inf, np.inf).astype(np.float32)
    for label in np.flatnonzero((passed > rows_per_class) & (rows_per_class > 0)):
        (confidence[label],) = ranked(_OfClass(parts, int(label)), passed[[label]] - rows_per_class[label])
    above, tied = (
        np.array(
            [
                np.bincount(labels[which(sure, confidence[labels])], minlength=classes)
                for labels, sure in parts()
            ]
        ).reshape(-1, classes)
        for which in (np.greater, np.equal)
    )
    before = np.cumsum(tied, axis=0) - tied
    return Cut(confidence, np.clip(rows_per_class - above.sum(axis=0) - before, 0, tied))


@dataclass(frozen=True)
class _OfClass:
    parts: Callable[[], Iterator[Passed]]
    label: int

    def __iter__(self) -> Iterator[np.ndarray]:
        return (confidence[labels == self.label] for labels, confidence in self.parts())


def most_confident(
    labels: np.ndarray, confidence: np.ndarray, passed: np.ndarray, rows_per_class: np.ndarray
) -> np.ndarray:
    """Keep at most so many of the passed rows of every class, as ``cut_for``, of rows that are in memory.

    Args:
        labels: (N,) int64 pseudo-labels.
        confidence: (N,) float32.
        passed: (N,) bool.
        rows_per_class: (K,) int64.

    Returns:
        (N,) bool.
    """
    confidence = confidence.astype(np.float32)
    cut = cut_for(lambda: iter([(labels[passed], confidence[passed])]), rows_per_class)
    return cut.kept(labels, confidence, passed, 0)


def rows_for_prior(passed_per_class: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return how many rows of every class (K,) keep the shares of ``prior`` and as many rows as possible.

    The class that is scarcest against its share sets the number. A class of which no row passed can't be
    matched: it is left out, and the others keep their shares among themselves.
    """
    matched = (passed_per_class > 0) & (prior > 0)
    total = (passed_per_class[matched] / prior[matched]).min(initial=np.inf)
    rows = np.zeros(len(prior), dtype=np.int64)
    rows[matched] = np.floor(total * prior[matched] + 1e-9)  # 3 / 0.3 · 0.3 must be 3
    return rows


def divergence(rows_per_class: np.ndarray, prior: np.ndarray) -> float | None:
    """Return the total variation distance between the rows' shares and ``prior``; None of no rows.

    It is the share of rows that would have to be of another class: 0 for the same shares, towards 1.
    """
    total = rows_per_class.sum()
    return float(np.abs(rows_per_class / total - prior).sum() / 2) if total else None
