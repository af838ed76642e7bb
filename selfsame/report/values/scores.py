"""Scores of a regression: R², mean absolute and root mean square error, each with a bootstrap interval."""

from dataclasses import dataclass

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.stats.resampling import bootstrap_interval, permutation_test


@dataclass(frozen=True)
class Measure:
    """A score with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ValueScores:
    """How one model does on one table.

    Attributes:
        r2: share of the values' variance that is explained; 1 at best, 0 for who always says their mean.
        mae, rmse: mean absolute and root mean square error, in the values' unit.
        actual, predicted: (N,) float64, in the table's order.
    """

    r2: Measure
    mae: Measure
    rmse: Measure
    actual: np.ndarray
    predicted: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """(N,) predicted − actual."""
        return self.predicted - self.actual

    @property
    def squared_errors(self) -> np.ndarray:
        """(N,) in the values' unit, squared."""
        return self.errors**2


def score_values(actual: np.ndarray, predicted: np.ndarray) -> ValueScores:
    """Score (N,) predictions against true values; rows whose value is NaN are left out.

    Raises:
        SelfsameError: no row has a value.
    """
    known = ~np.isnan(actual)
    actual, predicted = actual[known], predicted[known]
    if not len(actual):
        raise SelfsameError("a model can't be scored: no row has a value", "bring labels, or another split")
    whole = _measures(actual, predicted)
    low, high = bootstrap_interval(_measures, actual, predicted)
    r2, mae, rmse = (Measure(*map(float, each)) for each in zip(whole, low, high, strict=True))
    return ValueScores(r2, mae, rmse, actual, predicted)


def _measures(actual: np.ndarray, predicted: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return R², MAE and RMSE of rows along ``axis``: (3, …). Where the values don't vary R² is 0."""
    errors = predicted - actual
    squared = (errors**2).mean(axis=axis)
    variance = actual.var(axis=axis)
    explained = np.where(variance > 0, 1 - squared / np.where(variance > 0, variance, 1), 0.0)
    return np.stack([explained, np.abs(errors).mean(axis=axis), np.sqrt(squared)])


@dataclass(frozen=True)
class ValueComparison:
    """Two models on the same rows.

    Attributes:
        gained, lost: rows on which the student is closer, and the baseline.
        p_value: how often two models of the same skill differ by as much squared error, or more.
    """

    gained: int
    lost: int
    p_value: float


def compare_values(baseline: ValueScores, student: ValueScores) -> ValueComparison:
    """Compare two models that were scored on the same table, by a permutation test of squared errors."""
    distance = np.abs(baseline.errors) - np.abs(student.errors)
    return ValueComparison(
        gained=int((distance > 0).sum()),
        lost=int((distance < 0).sum()),
        p_value=permutation_test(baseline.squared_errors - student.squared_errors).either,
    )
