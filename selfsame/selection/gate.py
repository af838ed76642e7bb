"""The one protocol of a gate: which machine-made labels of the pool are good enough to learn from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Heard:
    """What M teachers say: probabilities (M, N, K), or values (M, N).

    Attributes:
        judged_on: the role of the calibration set, whose rows show what their word is worth.
        truth: (J,) the labels of these rows.
        judges: of these rows.
        pool: of the pool.
        teachers: sha256 of the weights of each teacher's file.
        unit: standard deviation of the labeled values; None of classes.
    """

    judged_on: str
    truth: np.ndarray
    judges: np.ndarray
    pool: np.ndarray
    teachers: tuple[str, ...]
    unit: float | None


@dataclass(frozen=True)
class Decision:
    """The pool's pseudo-labels, as their table holds them beside the ids; the record is in the schema."""

    schema: pa.Schema
    columns: Mapping[str, pa.Array]


class Gate(Protocol):
    """A gate.

    Attributes:
        ensemble: whether it hears an ensemble's nets and a committee's members one by one, or the baseline
            alone.
    """

    ensemble: bool

    def decide(self, heard: Heard, teaching_round: int) -> Decision:
        """Label every row of the pool, and accept the labels to trust."""
        ...
