"""The promotion: whether the student replaces the baseline, by what both say of the validation rows."""

from dataclasses import dataclass

import numpy as np

from selfsame.report.scores import Scores
from selfsame.report.target import Target
from selfsame.stats.resampling import permutation_test


@dataclass(frozen=True)
class Promotion:
    """The choice of the champion.

    Attributes:
        baseline_error, student_error: mean distances from the truth on the validation rows.
        p_value: how often a student that is no better would be so much nearer.
        level: the largest p-value that promotes.
        worse: whether the student gets fewer rows right, or is farther off, which keeps the baseline in any
            case.
    """

    baseline_error: float
    student_error: float
    p_value: float
    level: float
    worse: bool

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline`` or ``student``."""
        return "student" if self.p_value <= self.level and not self.worse else "baseline"


def promote(target: Target, baseline: Scores, student: Scores, level: float) -> Promotion:
    """Let the student replace the baseline only if it is better beyond noise.

    Of fifty rows two models seldom differ on more than three, too few to tell anything by. So all rows
    count, by how far the answers are from the truth.

    Args:
        baseline, student: on the same rows.
        level: the largest p-value that promotes.
    """
    distances: list[np.ndarray] = [target.distances(each) for each in (baseline, student)]
    return Promotion(
        float(distances[0].mean()),
        float(distances[1].mean()),
        permutation_test(distances[0] - distances[1]).better,
        level,
        worse=bool(student.errors.sum() > baseline.errors.sum()),
    )
