"""What the gate decided and why: it travels in the metadata of the pseudo-labels' table."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import GATE_KEY
from selfsame.core.tables import open_table
from selfsame.selection.calibration import Reliability


@dataclass(frozen=True)
class GateRecord:
    """The gate's decision.

    Attributes:
        rule: ``threshold`` (fixed) or ``target_precision`` (searched).
        thresholds: (K,) lowest confidence accepted, by pseudo-label; None where no label is accepted.
        guarantee: (target precision, confidence level) of a searched threshold; None for a fixed one.
        verdict: why these thresholds, in one sentence.
        calibrated_on: the role whose rows calibrated and judged: ``validation``, which also stopped the
            teacher's training, or ``calibration``, which nothing else has seen.
        calibration_rows: how many they are.
        temperature: above 1 for an overconfident teacher.
        before, after: reliability on the judging rows, by raw and by calibrated confidence.
        balance: ``none``, ``top_k`` or ``prior``.
        prior: (K,) shares that the accepted labels are compared with.
        guaranteed: precisions, and the lowest threshold that would guarantee each (of all classes together);
            None where none does.
    """

    rule: str
    thresholds: tuple[float | None, ...]
    guarantee: tuple[float, float] | None
    verdict: str
    calibrated_on: str
    calibration_rows: int
    temperature: float
    before: Reliability
    after: Reliability
    balance: str
    prior: tuple[float, ...]
    guaranteed: tuple[tuple[float, float | None], ...] = ()

    @property
    def level(self) -> float | None:
        """The lowest confidence that is accepted, of any class; None where nothing is."""
        return min((value for value in self.thresholds if value is not None), default=None)

    def attach(self, schema: pa.Schema) -> pa.Schema:
        """Return ``schema`` with this record in its metadata."""
        return schema.with_metadata({GATE_KEY: json.dumps(asdict(self), sort_keys=True)})

    @classmethod
    def of(cls, pseudo_labels: Path) -> Self:
        """Read the record that a table of pseudo-labels carries.

        Raises:
            SelfsameError: it carries none.
        """
        values = {key: _tuples(item) for key, item in read_decision(pseudo_labels).items()}
        for key in ("before", "after"):
            values[key] = Reliability(**{name: tuple(item) for name, item in values[key].items()})
        return cls(**values)


def read_decision(pseudo_labels: Path) -> dict[str, Any]:
    """Read the record of either gate, of classes or of values, as it was written.

    Raises:
        SelfsameError: the table carries none.
    """
    metadata = open_table(pseudo_labels).schema.metadata or {}
    if GATE_KEY not in metadata:
        raise SelfsameError(
            f"{pseudo_labels}: not a table of pseudo-labels", "rebuild it with 'dvc repro --force'"
        )
    return json.loads(metadata[GATE_KEY])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
