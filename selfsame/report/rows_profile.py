"""What the champion's folder keeps of the rows that it learned from, and of what it says of them."""

from pathlib import Path

import numpy as np

from selfsame.core.tables import TableInfo, count_rows, take_all, take_inputs
from selfsame.report.data_checks import POOL_SAMPLE, evenly
from selfsame.report.target import Target
from selfsame.selection.calibration import calibrated_confidence
from selfsame.selection.confidence import Calibration
from selfsame.stats.profile import PREDICTION, VALUE, Profile, of_classes, of_numbers

FEW = 100  # rows of a pool: with fewer, labeled and validation rows count too


def profile_inputs(pool: Path, known: list[Path]) -> Profile:
    """Profile the inputs of a sample of the pool, which comes as the world is.

    Args:
        known: tables of rows with labels, which come by a budget for each class.
    """
    rows = take_inputs(pool, evenly(count_rows(pool), POOL_SAMPLE))
    if len(rows) < FEW:
        rows = np.concatenate([rows, *map(take_all, known)])
    return Profile.of_inputs(rows, TableInfo.of(pool))


def profile_predictions(
    profile: Profile, target: Target, calibration: Calibration, pool: np.ndarray, unseen: np.ndarray
) -> Profile:
    """Add what the champion says.

    Args:
        pool: what it says of pool rows, which tell how frequent the classes are.
        unseen: what it says of holdout rows, which tell how sure it is of rows that it hasn't learned.
    """
    said = target.labels(pool if len(pool) else unseen)
    if calibration.temperature is None:
        return profile.having(of_numbers(VALUE, said, PREDICTION))
    confidence = calibrated_confidence(unseen, calibration.temperature)
    return profile.having(*of_classes(target.info.classes, said, confidence, calibration.threshold))
