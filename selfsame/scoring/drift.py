"""How unlike new rows, and the predictions of them, are to those that the model learned from.

Each variable of the model's profile is compared by its bins. An alarm needs both: a difference that matters
(the population stability index, or the share of rows that are new) and that isn't chance. The tests are
corrected for how many they are, so that rows like the training's alarm no more often than the level says.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from selfsame.params.monitoring import MonitoringParams
from selfsame.stats.profile import Profile, Variable

LEAST = 5  # expected rows of a bin, below which the chi-squared test is no good: it is merged


@dataclass(frozen=True)
class Drift:
    """One variable of new rows against the profile's.

    Attributes:
        psi: the population stability index, Σ (p − q) ln(p / q) over the bins, half a row added to each.
        p_value: of the chi-squared test of the bins.
        new: share of rows beyond the range of the profile's, or of a word that it doesn't have.
        new_p_value: how often as many would be chance.
        alarm: why it alarms, in words; empty if it doesn't.
    """

    before: Variable
    now: Variable
    psi: float
    p_value: float
    new: float
    new_p_value: float
    alarm: str

    @property
    def words(self) -> str:
        """Say it in a line."""
        return f"{self.before.kind} {self.before.name!r}: {self.alarm or 'no alarm'}"


def compare(profile: Profile, counts: list[np.ndarray], own: MonitoringParams) -> list[Drift]:
    """Compare each variable, those that alarm first, then by their index.

    Args:
        counts: of the new rows in the bins of each variable of the profile.
    """
    level = own.drift_level / max(2 * len(profile.variables), 1)
    made = [
        _compare(before, before.with_counts(now), own, level)
        for before, now in zip(profile.variables, counts, strict=True)
    ]
    return sorted(made, key=lambda each: (not each.alarm, -each.psi))


def _compare(before: Variable, now: Variable, own: MonitoringParams, level: float) -> Drift:
    old, new = np.array(before.counts, float), np.array(now.counts, float)
    psi, p_value = _psi(old, new), _chi_squared(old, new)
    beyond, p_beyond = _beyond(old, new, ends=1 if before.words else 2)
    reasons = []
    if psi > own.drift_psi and p_value < level:
        reasons.append(f"PSI {psi:.2f}")
    if beyond > own.drift_new and p_beyond < level:
        reasons.append(f"{beyond:.1%} of the rows are new")
    return Drift(before, now, psi, p_value, beyond, p_beyond, ", ".join(reasons))


def _psi(old: np.ndarray, new: np.ndarray) -> float:
    used = (old + new) > 0
    if not old.sum() or not new.sum():
        return 0.0
    p, q = ((each[used] + 0.5) / (each[used] + 0.5).sum() for each in (old, new))
    return float(((q - p) * np.log(q / p)).sum())


def _chi_squared(old: np.ndarray, new: np.ndarray) -> float:
    from scipy.stats import chi2_contingency

    if not old.sum() or not new.sum():
        return 1.0
    table = np.array(list(_merged(np.stack([old, new], axis=1))))
    return float(chi2_contingency(table, correction=False).pvalue) if len(table) > 1 else 1.0


def _merged(table: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the bins (old, new), neighbors together until enough rows are expected in each."""
    need = LEAST * table.sum() / table.sum(axis=0).min()
    held, left = np.zeros(2), table.sum()
    for bin_ in table:
        held, left = held + bin_, left - bin_.sum()
        if held.sum() >= need and (left >= need or not left):
            yield held
            held = np.zeros(2)
    if held.any():
        yield held


def _beyond(old: np.ndarray, new: np.ndarray, ends: int) -> tuple[float, float]:
    """Return the share of rows in the bin that the profile's rows can't be in, and its p-value.

    Of rows that are alike, the ``k`` most extreme of old and new together, or those that have a rare word,
    are all new ones with the probability of drawing only new ones; numbers may lie at either of two ends in
    ``k`` + 1 ways.
    """
    from scipy.stats import hypergeom

    rows, k = int(new.sum()), int(new[-2])
    if not k or not old.sum():
        return (k / rows if rows else 0.0), 1.0
    p_value = float(hypergeom.sf(k - 1, int(old.sum()) + rows, k, rows))
    return k / rows, min(p_value * (k + 1 if ends > 1 else 1), 1.0)
