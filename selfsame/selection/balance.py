"""Which of the confident labels to keep, so that no class crowds out the others."""

import numpy as np


def most_confident(
    labels: np.ndarray, confidence: np.ndarray, passed: np.ndarray, rows_per_class: np.ndarray
) -> np.ndarray:
    """Keep at most so many of the passed rows of every class, the most confident first.

    Args:
        labels: (N,) int64 pseudo-labels.
        confidence: (N,); of equal ones the earlier row is kept.
        passed: (N,) bool.
        rows_per_class: (K,) int64.

    Returns:
        (N,) bool.
    """
    kept = np.zeros(len(labels), dtype=bool)
    for label, rows in enumerate(rows_per_class):
        of_class = np.flatnonzero(passed & (labels == label))
        order = np.argsort(-confidence[of_class], kind="stable")
        kept[of_class[order[:rows]]] = True
    return kept


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
