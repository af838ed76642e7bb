"""What a label is, an index into classes or a value: here alone the two differ on disk."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

UNLABELED = -1  # the class index of a row without a label; a row without a value has NaN


@dataclass(frozen=True)
class ClassLabels:
    """Labels are indices into ``names``.

    Attributes:
        arrow: their type in a table.
        dtype: their type in arrays and tensors.
        logits: whether a net says logits, from which probabilities come; else it says values.
    """

    names: tuple[str, ...]
    arrow: ClassVar = pa.int64()
    dtype: ClassVar = np.int64
    logits: ClassVar = True

    @property
    def outputs(self) -> int:
        """Numbers that a net says of a row: one logit per class."""
        return len(self.names)

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Tell which of a source's labels (N,) are unknown: (N,) bool."""
        found: np.ndarray = labels == UNLABELED
        return found

    def as_given(self, labels: np.ndarray) -> np.ndarray:
        """Return a source's labels (N,) as float64, NaN where unknown."""
        return np.where(self.unknown(labels), np.nan, labels.astype(np.float64))

    def strata(self, given: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return (N,) int32 the class that each row is drawn with, negative without a label, and their names.

        Args:
            given: (N,) float64, NaN where unknown.
        """
        strata = np.full(len(given), UNLABELED, np.int32)
        np.copyto(strata, given, casting="unsafe", where=~np.isnan(given))
        return strata, self.names

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """Return the columns of labels (N,) that are scaled for training: of classes none, (N, 0)."""
        return np.empty((len(labels), 0))

    def describe(self, known: np.ndarray) -> dict[str, Any]:
        """Count known labels (N,) by class."""
        counts = np.bincount(known, minlength=len(self.names)).tolist()
        return {"rows_per_class": dict(zip(self.names, counts, strict=True)), "target": None}


@dataclass(frozen=True)
class ValueLabels:
    """Labels are numbers; what isn't said here is as in ``ClassLabels``."""

    arrow: ClassVar = pa.float64()
    dtype: ClassVar = np.float64
    logits: ClassVar = False
    outputs: ClassVar = 1

    def unknown(self, labels: np.ndarray) -> np.ndarray:
        """Tell which labels are NaN."""
        found: np.ndarray = np.isnan(labels)
        return found

    def as_given(self, labels: np.ndarray) -> np.ndarray:
        """Return them as they are."""
        return labels.astype(np.float64)

    def strata(self, given: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return one class for all values."""
        return np.where(np.isnan(given), np.int32(UNLABELED), np.int32(0)), ("all rows",)

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """Return them as the column (N, 1) that is scaled for training."""
        return labels[:, None]

    def describe(self, known: np.ndarray) -> dict[str, Any]:
        """Summarize known labels (N,)."""
        figures = {name: float(getattr(known, name)()) for name in ("mean", "std", "min", "max")}
        return {"rows_per_class": {}, "target": figures}


Labels = ClassLabels | ValueLabels
