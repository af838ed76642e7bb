"""The promotion: whether the student replaces the baseline, by what both say of the validation rows."""

from dataclasses import dataclass

import numpy as np

from selfsame.selection.calibration import calibrate, fit_temperature
from selfsame.stats.resampling import permutation_test


@dataclass(frozen=True)
class Promotion:
    """The choice of the champion, for classes and values alike.

    Attributes:
        baseline_error, student_error: mean squared errors on the validation rows.
        p_value: how often a student that is no better would have as much less squared error.
        level: the largest p-value that promotes.
        fewer_right: whether the student gets fewer rows right, which keeps the baseline in any case. Of
            values none is right or wrong.
    """

    baseline_error: float
    student_error: float
    p_value: float
    level: float
    fewer_right: bool

    @property
    def champion(self) -> str:
        """Name the promoted model: ``baseline`` or ``student``."""
        return "student" if self.p_value <= self.level and not self.fewer_right else "baseline"


def promote(baseline: np.ndarray, student: np.ndarray, level: float, fewer_right: bool = False) -> Promotion:
    """Let the student replace the baseline only if its squared errors (N,) are smaller beyond noise."""
    return Promotion(
        float(baseline.mean()),
        float(student.mean()),
        permutation_test(baseline - student).better,
        level,
        fewer_right,
    )


def promote_classifier(
    labels: np.ndarray, baseline: np.ndarray, student: np.ndarray, level: float
) -> Promotion:
    """Let the student replace the baseline only if it is better beyond noise, and gets no fewer rows right.

    Of fifty rows two models seldom differ on more than three, too few to tell anything by. So all rows
    count, by how far the probabilities are from the truth.

    Args:
        labels: (N,) class indices.
        baseline, student: probabilities (N, K).
    """
    right = [int((each.argmax(axis=1) == labels).sum()) for each in (baseline, student)]
    errors = [squared_errors(labels, each) for each in (baseline, student)]
    return promote(*errors, level, fewer_right=right[1] < right[0])


def squared_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return how far the (N, K) calibrated probabilities are from the truth, from 0 to 2 (Brier, 1950).

    Calibrated, so that a model is no better than another for being more, or less, sure of the same.
    """
    calibrated = calibrate(probabilities, fit_temperature(probabilities, labels))
    truth = np.eye(probabilities.shape[1])[labels]
    return ((calibrated - truth) ** 2).sum(axis=1)
