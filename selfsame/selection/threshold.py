"""The lowest threshold that keeps a guarantee: precision of at least ``target``, with a given confidence.

Every candidate threshold is a hypothesis "above it, the precision is below the target", tested on labeled
rows by the exact binomial test (the same as asking whether Clopper–Pearson's lower bound reaches the
target). Taking the lowest one that passes would be testing many times and keeping the luckiest, so the
search is a fixed-sequence test with several starts ("Learn then Test", Angelopoulos et al., 2021): the
chance that any threshold passes that shouldn't stays below the error level.

For that, candidates and their order must not come from the labeled rows that judge them. They come from
the pool: thresholds that would keep evenly spaced shares of it, from the smallest share that can pass at
all up to the whole. They are thresholds of the raw confidence, for the same reason: the temperature is
fitted on the rows that judge.
"""

from dataclasses import dataclass
from math import ceil, log

import numpy as np

from selfsame.selection.ranks import Pieces, count_values, ranked

CANDIDATES = 60
# Each start has a third of the error level. With one, the first unlucky row ends the search: on 200 draws
# of digits a threshold was found in half of them, with three in 98 %. More ask for more rows than they save.
STARTS = 3


@dataclass(frozen=True)
class Search:
    """What a search for a threshold has seen.

    Attributes:
        threshold: the lowest that passed, as float32; None when none did.
        rows, right: judging rows at or above it, and those of them that are right; 0 when none passed.
        needed: judging rows at or above a threshold without which it can't pass, even if all are right.
    """

    threshold: float | None
    rows: int
    right: int
    needed: int


def rows_needed(target: float, error: float) -> int:
    """Return how many rows, all right, show a precision of at least ``target``."""
    return ceil(log(error / STARTS) / log(target))


def candidates(pool_confidence: Pieces, calibration_rows: int, needed: int) -> np.ndarray:
    """Return the thresholds to test, in order: descending, (M,) of the pool's own confidences.

    Args:
        pool_confidence: of all its rows.
        calibration_rows: labeled rows that will judge.
        needed: how many of them a threshold must keep to pass; the first candidate is expected to.
    """
    if needed > calibration_rows or not (rows := count_values(pool_confidence)):
        return np.empty(0, dtype=np.float32)
    shares = np.linspace(needed / calibration_rows, 1, CANDIDATES)
    # Each the quantile 1 − share of the pool, by NumPy's method "lower".
    return np.unique(ranked(pool_confidence, np.floor((rows - 1) * (1 - shares)).astype(np.int64)))[::-1]


def passing(p_values: np.ndarray, error: float) -> np.ndarray:
    """Run the fixed-sequence test: from each start on, until the first hypothesis that isn't rejected.

    Args:
        p_values: (M,) in the order of the sequence.
        error: chance of any false rejection, shared equally by the starts.

    Returns:
        (M,) bool, True where the hypothesis is rejected, so that the threshold keeps the guarantee.
    """
    passed = np.zeros(len(p_values), dtype=bool)
    starts = min(STARTS, len(p_values))
    for start in range(starts):
        first = start * (len(p_values) // starts)
        fails = np.flatnonzero(p_values[first:] > error / starts)
        passed[first : first + (fails[0] if len(fails) else len(p_values))] = True
    return passed


def lowest_threshold(
    pool_confidence: Pieces, confidence: np.ndarray, right: np.ndarray, target: float, error: float
) -> Search:
    """Find the lowest threshold at which the precision is at least ``target``.

    The guarantee is about rows like the judging ones; a pool that differs from them is not covered.

    Args:
        pool_confidence: of all the pool's rows.
        confidence, right: (M,) float32 and bool, of the labeled rows that judge.
        target: the guaranteed precision, below 1.
        error: chance that the guarantee fails, 1 − confidence level.
    """
    from scipy.stats import binom

    needed = rows_needed(target, error)
    thresholds = candidates(pool_confidence, len(confidence), needed)
    kept = confidence >= thresholds[:, None]
    rows, hits = kept.sum(axis=1), (kept & right).sum(axis=1)
    p_values = binom.sf(hits - 1, rows, target)  # how often as many are right at exactly the target
    passed = np.flatnonzero(passing(p_values, error))
    if not len(passed):
        return Search(None, 0, 0, needed)
    lowest = passed[-1]
    return Search(float(thresholds[lowest]), int(rows[lowest]), int(hits[lowest]), needed)
