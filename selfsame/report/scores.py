"""Scores of a model on a table, and the comparison of two: the same for classes and values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from selfsame.report.words import decimal, percent, value
from selfsame.stats.resampling import permutation_test
from selfsame.stats.share import Share

# How a measure is called, and written, on a page.
MEASURES: dict[str, tuple[str, Callable[[float | None], str]]] = {
    "accuracy": ("accuracy", percent),
    "macro_f1": ("macro F1", decimal),
    "balanced_accuracy": ("balanced accuracy", percent),
    "loss": ("loss", decimal),
    "r2": ("R²", decimal),
    "mae": ("mean absolute error", value),
    "rmse": ("root mean square error", value),
}


def macro_f1(actual: np.ndarray, predicted: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the mean F1 of the classes that rows along ``axis`` have, or are said to have."""
    both = [(actual == label, predicted == label) for label in _classes(actual, predicted)]
    rows = [true.sum(axis=axis) + said.sum(axis=axis) for true, said in both]
    right = [2 * (true & said).sum(axis=axis) for true, said in both]
    found = [part / np.maximum(total, 1) for part, total in zip(right, rows, strict=True)]
    return np.sum(found, axis=0) / (np.array(rows) > 0).sum(axis=0)


def balanced_accuracy(actual: np.ndarray, predicted: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return the mean share of right rows of the classes that rows along ``axis`` have."""
    of_class = [actual == label for label in _classes(actual, predicted)]
    rows = [true.sum(axis=axis) for true in of_class]
    right = [(true & (predicted == actual)).sum(axis=axis) for true in of_class]
    found = [part / np.maximum(total, 1) for part, total in zip(right, rows, strict=True)]
    return np.sum(found, axis=0) / (np.array(rows) > 0).sum(axis=0)


def _classes(actual: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.union1d(actual, predicted)


OF_CLASSES = {"macro_f1": macro_f1, "balanced_accuracy": balanced_accuracy}  # where each counts alike


@dataclass(frozen=True)
class Measure:
    """A score, and its 95 % interval where one is known."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, share: Share) -> "Measure":
        """Return a fraction with its interval."""
        return cls(share.value, *(share.interval or (None, None)))


@dataclass(frozen=True)
class Scores:
    """How one model does on one table, of which the rows without a known label are left out.

    Attributes:
        measures: by the names of ``MEASURES``, the one that models are known by first.
        rows: (N,) positions in the table.
        actual, predicted: (N,) class indices or target values.
        errors: (N,) what each answer costs: 0 of a right class, of a wrong one 1, or where each class counts
            alike the more, the rarer its class; the squared error of a value.
        probabilities: (N, K) of a model that gives them.
    """

    measures: Mapping[str, Measure]
    rows: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    errors: np.ndarray
    probabilities: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.actual)

    @property
    def measure(self) -> str:
        """The name of the measure that models are known by."""
        return next(iter(self.measures))

    @property
    def main(self) -> Measure:
        """That measure."""
        return self.measures[self.measure]

    def said(self, name: str = "") -> str:
        """Write a measure, that which models are known by unless told; a dash where it isn't defined."""
        name = name or self.measure
        found = self.measures.get(name)
        return MEASURES[name][1](found.value if found else None)

    def span(self, name: str = "") -> str:
        """Write its interval, likewise."""
        name = name or self.measure
        found = self.measures.get(name)
        if found is None or found.low is None:
            return ""
        low, high = (MEASURES[name][1](end) for end in (found.low, found.high))
        return f"{low} to {high}"


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes:
        gained, lost: rows on which only the second is right, or closer; and only the first.
        p_value: how often two models of the same skill differ by as much or more (two-sided).
        saved: by how much the second's answers cost less, all together.
    """

    gained: int
    lost: int
    p_value: float
    saved: float


def compare(one: Scores, other: Scores) -> Comparison:
    """Compare two models that were scored on the same table, row by row."""
    saved = one.errors - other.errors
    gained, lost = int((saved > 0).sum()), int((saved < 0).sum())
    return Comparison(gained, lost, permutation_test(saved).either, float(saved.sum()))
