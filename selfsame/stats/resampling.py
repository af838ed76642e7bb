"""What chance alone would do: tests and intervals by resampling, with a fixed seed."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FLIPS = 4999
RESAMPLES = 1000
AT_ONCE = 100  # resamplings of all rows, in memory


class PValues(NamedTuple):
    """How often two models of the same skill differ by as much: for the second, or either way."""

    better: float
    either: float


def permutation_test(saved: np.ndarray) -> PValues:
    """Compare two models on the same rows by a paired permutation test.

    If they are of the same skill, each row's difference could as well have the other sign (Fisher, 1935).
    Differences all of one size, as of rows that are right or wrong, are counted exactly: that is McNemar's
    test. Of others ``FLIPS`` random signs are tried. scipy's test says the same, but takes 6 s of 5,000 rows
    for one alternative, where this takes 0.3 s for both.

    Args:
        saved: (N,) by how much the second model's error is smaller.
    """
    from scipy.stats import binomtest

    saved = saved[saved != 0]
    if not len(saved):
        return PValues(1.0, 1.0)
    if np.ptp(np.abs(saved)) == 0:
        gained = int((saved > 0).sum())
        kinds = ("greater", "two-sided")
        return PValues(*(float(binomtest(gained, len(saved), alternative=kind).pvalue) for kind in kinds))
    random = np.random.default_rng(0)
    observed, better, either = saved.sum(), 0, 0
    rounding = 1e-9 * np.abs(saved).sum()  # a sum in another order is as large
    for start in range(0, FLIPS, AT_ONCE):
        flips = random.integers(2, size=(min(AT_ONCE, FLIPS - start), len(saved)), dtype=np.int8)
        sums = (2.0 * flips - 1) @ saved
        better += int((sums >= observed - rounding).sum())
        either += int((np.abs(sums) >= abs(observed) - rounding).sum())
    return PValues((1 + better) / (1 + FLIPS), (1 + either) / (1 + FLIPS))


def bootstrap_interval(
    measure: Callable[..., np.ndarray], *columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the 95 % interval of a measure: percentiles of resampled rows (Efron, 1979).

    Args:
        measure: of ``columns`` along an ``axis``; it may be several measures, in the first dimension.
        columns: (N,) each, resampled row by row.
    """
    from scipy.stats import bootstrap

    if len(columns[0]) < 2:  # nothing to draw from
        whole = measure(*columns, axis=-1)
        return whole, whole
    interval = bootstrap(
        columns, measure, paired=True, n_resamples=RESAMPLES, batch=AT_ONCE, method="percentile",
        vectorized=True, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return interval.low, interval.high
