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
    "loss": ("loss", decimal),
    "r2": ("R²", decimal),
    "mae": ("mean absolute error", value),
    "rmse": ("root mean square error", value),
}


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
        errors: (N,) what each answer costs: 0 or 1 of a class, the squared error of a value.
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
        return MEASURES[name][1](found and found.value)

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
    """

    gained: int
    lost: int
    p_value: float


def compare(one: Scores, other: Scores) -> Comparison:
    """Compare two models that were scored on the same table, row by row."""
    saved = one.errors - other.errors
    return Comparison(int((saved > 0).sum()), int((saved < 0).sum()), permutation_test(saved).either)
