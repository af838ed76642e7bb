"""The one protocol of a gate: which machine-made labels of the pool are good enough to learn from.

A pool is labeled part by part, and no two parts are in memory together: a gate sees all parts' briefs before
it decides any, and then decides each by itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from selfsame.selection.pool import Briefs

Columns = Mapping[str, pa.Array]  # as the table of pseudo-labels holds them beside the ids


@dataclass(frozen=True)
class Heard:
    """What M teachers say of rows that show what their word is worth: probabilities or values.

    Attributes:
        calibrated_on: the role of the calibration set, which these rows are.
        truth: (J,) their labels.
        calibration: (M, J, K) or (M, J).
        teachers: sha256 of the weights of each teacher's file.
        unit: standard deviation of the labeled values; None of classes.
    """

    calibrated_on: str
    truth: np.ndarray
    calibration: np.ndarray
    teachers: tuple[str, ...]
    unit: float | None


class Decision(Protocol):
    """What was decided of the whole pool; it travels to whoever writes a part.

    Attributes:
        schema: of the pseudo-labels, with the gate's record.
    """

    schema: pa.Schema

    def facts(self, part: int) -> object:
        """Return what decides a part's bytes beside the schema, as JSON has it."""
        ...

    def columns(self, said: np.ndarray, part: int, rows: int) -> Iterator[Columns]:
        """Yield the columns of ``rows`` rows at a time of a part of which M teachers say ``said``."""
        ...


class Gate(Protocol):
    """A gate.

    Attributes:
        ensemble: whether it hears an ensemble's nets and a committee's members one by one, or the baseline
            alone.
    """

    ensemble: bool

    def brief(self, said: np.ndarray) -> np.ndarray:
        """Return of a part's rows what ``decide`` must know of them: (N,), or none."""
        ...

    def decide(self, heard: Heard, pool: Briefs, teaching_round: int) -> Decision:
        """Choose by which rule every row of the pool is accepted."""
        ...
