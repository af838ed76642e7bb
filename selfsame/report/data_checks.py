"""Checks of what the gate's guarantee and the scores take for granted.

Each compares rows that should be alike and says how unlike they are; ``CHANCE`` is the p-value below
which that is called more than chance.
"""

from dataclasses import dataclass

import numpy as np

from selfsame.selection.balance import most_confident, rows_for_prior
from selfsame.stats.share import Share

CHANCE = 0.01
POOL_SAMPLE = 5000  # pool rows that the checks look at
QUERY_ROWS = 2000  # rows that the student sees; more take seconds


@dataclass(frozen=True)
class Drift:
    """Whether the pool's features are spread as those of rows with known labels.

    Attributes:
        p_value: of the most different feature, times the number of features (Bonferroni).
        differing: features that differ by more than chance, of those that aren't constant.
    """

    p_value: float
    differing: Share


@dataclass(frozen=True)
class DataChecks:
    """What was seen.

    Attributes:
        pool_disagreement: sampled pool rows to which teacher and student give labels that differ.
        validation_disagreement: the same of the validation rows.
        near_copies: rows that judge with a near copy among those that are learned, as ``split`` counted.
        drift: the pool against the labeled and validation rows.
    """

    pool_disagreement: Share
    validation_disagreement: Share
    near_copies: Share
    drift: Drift

    @property
    def disagreement_p_value(self) -> float:
        """How often as much more disagreement on the pool than on validation would be chance."""
        from scipy.stats import fisher_exact

        pool, validation = self.pool_disagreement, self.validation_disagreement
        table = [[share.part, share.total - share.part] for share in (pool, validation)]
        return float(fisher_exact(table, alternative="greater").pvalue)


def measure_drift(
    known: np.ndarray, known_labels: np.ndarray, pool: np.ndarray, pool_labels: np.ndarray
) -> Drift:
    """Compare every feature's spread by the Kolmogorov–Smirnov test.

    Labeled rows come by a budget for each class, the pool as the world is: so the pool is first thinned
    to the classes' shares among the known rows, by the teacher's labels, or every budget would look like
    drift. Missing values (NaN) don't count.

    Args:
        known, pool: (N, …) and (M, …) raw inputs.
        known_labels, pool_labels: (N,) true classes, (M,) the teacher's; all one where there are none.
    """
    from scipy.stats import ks_2samp

    classes = 1 + int(max(known_labels.max(initial=0), pool_labels.max(initial=0)))
    prior = np.bincount(known_labels, minlength=classes) / max(len(known), 1)
    rows = rows_for_prior(np.bincount(pool_labels, minlength=classes), prior)
    everyone = np.ones(len(pool), dtype=bool)
    alike = pool[most_confident(pool_labels, np.zeros(len(pool)), everyone, rows)]
    if not len(alike):
        return Drift(1.0, Share(0, 0))
    left, right = known.reshape(len(known), -1), alike.reshape(len(alike), -1)
    pairs = [
        tuple(column[~np.isnan(column)] for column in (left[:, each], right[:, each]))
        for each in range(left.shape[1])
    ]
    vary = [pair for pair in pairs if min(map(len, pair)) and np.ptp(np.concatenate(pair)) > 0]
    p_values = np.array([ks_2samp(*pair, method="asymp").pvalue for pair in vary])
    corrected = np.minimum(p_values * len(p_values), 1.0)
    return Drift(float(corrected.min(initial=1.0)), Share(int((corrected < CHANCE).sum()), len(vary)))


def evenly(total: int, limit: int) -> np.ndarray:
    """Return at most ``limit`` positions, evenly spaced over ``total`` rows and the same every time."""
    return np.arange(total) if total <= limit else np.linspace(0, total - 1, limit).astype(np.int64)
