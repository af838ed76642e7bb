"""A fraction that knows how sure it is."""

from dataclasses import dataclass
from math import sqrt
from typing import Self

import numpy as np

Z = 1.959963984540054  # standard deviations on either side that hold 95 % of a normal distribution


@dataclass(frozen=True)
class Share:
    """``part`` of ``total``."""

    part: int
    total: int

    @classmethod
    def of(cls, rows: np.ndarray) -> Self:
        """Count the rows that are true, (N,) bool."""
        return cls(int(rows.sum()), len(rows))

    @property
    def value(self) -> float | None:
        """The fraction in 0..1; None of nothing."""
        return self.part / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the fraction; None of nothing.

        Wilson rather than the textbook normal interval, which shrinks to nothing at 0 and at 1.
        """
        if not self.total:
            return None
        share, weight = self.part / self.total, Z * Z / self.total
        middle = (share + weight / 2) / (1 + weight)
        half = Z * sqrt(share * (1 - share) / self.total + weight / (4 * self.total)) / (1 + weight)
        return max(0.0, middle - half), min(1.0, middle + half)
