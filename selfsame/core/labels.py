"""What a label is, an index into classes or a value: here alone the two differ on disk."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

UNLABELED = -1  # the class index of a row without a label; a row without a value has NaN


class Labels(Protocol):
    """What the labels of a table are.

    Attributes:
        arrow: their type in a table.
        dtype: their type in arrays and tensors.
        logits: whether a net says logits, from which a class's probability comes; else it says values.
        outputs: of a net: one logit per class, or one value.
    """

    arrow: pa.DataType
    dtype: type[np.number]
    logits: bool

    @property
    def outputs(self) -> int:
        """Numbers that a net says of a row."""
        ...

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Tell which of a source's labels (N,) are unknown: (N,) bool."""
        ...

    def as_given(self, labels: np.ndarray) -> np.ndarray:
        """Return a source's labels (N,) as float64, NaN where unknown."""
        ...

    def strata(self, given: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return (N,) int64 the class that each row is drawn with, negative without a label, and their names.

        Args:
            given: (N,) float64, NaN where unknown. Values are all of one class.
        """
        ...

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """Return the columns (N, 1) of labels that are scaled for training; classes have none: (N, 0)."""
        ...

    def describe(self, known: np.ndarray) -> dict[str, Any]:
        """Count known labels (N,) by class, or summarize values."""
        ...


@dataclass(frozen=True)
class ClassLabels:
    """Labels are indices into ``names``."""

    names: tuple[str, ...]
    arrow = pa.int64()
    dtype = np.int64
    logits = True

    @property
    def outputs(self) -> int:
        """One logit per class."""
        return len(self.names)

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return labels == UNLABELED

    def as_given(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return np.where(self.unknown(labels), np.nan, labels.astype(np.float64))

    def strata(self, given: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """See ``Labels``."""
        return np.where(np.isnan(given), UNLABELED, given).astype(np.int64), self.names

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return np.empty((len(labels), 0))

    def describe(self, known: np.ndarray) -> dict[str, Any]:
        """See ``Labels``."""
        counts = np.bincount(known, minlength=len(self.names)).tolist()
        return {"rows_per_class": dict(zip(self.names, counts, strict=True)), "target": None}


class ValueLabels:
    """Labels are numbers."""

    arrow = pa.float64()
    dtype = np.float64
    logits = False
    outputs = 1

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return np.isnan(labels)

    def as_given(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return labels.astype(np.float64)

    def strata(self, given: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """See ``Labels``."""
        return np.where(np.isnan(given), UNLABELED, 0).astype(np.int64), ("all rows",)

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """See ``Labels``."""
        return labels[:, None]

    def describe(self, known: np.ndarray) -> dict[str, Any]:
        """See ``Labels``."""
        figures = {name: float(getattr(known, name)()) for name in ("mean", "std", "min", "max")}
        return {"rows_per_class": {}, "target": figures}
