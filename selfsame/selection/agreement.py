"""The gate for values: what an ensemble agrees on is trusted.

A net that names a value names no confidence, and none is made up. Nets that differ only by their seed agree
where the labeled rows leave no choice and differ where they do (Lakshminarayanan et al., "Deep Ensembles",
NeurIPS 2017): their mean is the pseudo-target, their standard deviation, the spread, decides.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.layout import GATE_KEY
from selfsame.selection.gate import Columns, Heard
from selfsame.selection.pool import BRIEF, Briefs
from selfsame.selection.record import read_decision

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)  # of the rows that judge; the spreads that accept them are tried
SCHEMA = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("pseudo_label", pa.float64(), nullable=False),
        pa.field("ensemble_std", pa.float32(), nullable=False),
        pa.field("largest_ensemble_std", pa.float32(), nullable=False),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("round", pa.int64(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True)
class AgreementRecord:
    """The gate's decision; errors are root mean squares, in the labels' own unit, None of no rows.

    Attributes:
        rule: ``agreement``.
        largest_ensemble_std: the largest accepted, inclusive, in standard deviations of the labeled values.
        unit: that standard deviation.
        members: sha256 of the weights of every net of the ensemble, the baseline, whose digest stands in
            the column ``teacher``, first.
        calibrated_on: the role whose rows show what agreement is worth.
        calibration_rows, calibration_accepted: how many they are, and how many of them the gate would accept.
        error_of_all, error_of_accepted: of the ensemble's mean on these rows.
        verdict: all of that in one sentence.
        seen: spreads, how many of these rows each would accept, and their error.
    """

    rule: str
    largest_ensemble_std: float
    unit: float
    members: tuple[str, ...]
    calibrated_on: str
    calibration_rows: int
    calibration_accepted: int
    error_of_all: float | None
    error_of_accepted: float | None
    verdict: str
    seen: tuple[tuple[float, int, float], ...] = ()

    @property
    def level(self) -> float:
        """The largest spread that is accepted."""
        return self.largest_ensemble_std

    @property
    def schema(self) -> pa.Schema:
        """The schema of the pseudo-labels' table, with this record in its metadata."""
        return SCHEMA.with_metadata({GATE_KEY: json.dumps(asdict(self), sort_keys=True)})

    @classmethod
    def of(cls, pseudo_labels: Path) -> Self:
        """Read the record that a table of pseudo-labels carries."""
        values = read_decision(pseudo_labels)
        tuples = {"members": tuple(values["members"]), "seen": tuple(map(tuple, values["seen"]))}
        return cls(**{**values, **tuples})


def agree(values: np.ndarray, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (N,) float64 and spread (N,) float32, in ``unit``, of what M nets say: (M, N)."""
    return values.mean(axis=0), (values.std(axis=0) / unit).astype(np.float32)


def accept(spread: np.ndarray, largest_ensemble_std: float) -> np.ndarray:
    """Return which rows (N,) the gate lets through; the largest spread itself is let through."""
    return spread <= np.float32(largest_ensemble_std)


def judge(
    values: np.ndarray,
    truth: np.ndarray,
    *,
    calibrated_on: str,
    largest_ensemble_std: float,
    unit: float,
    members: tuple[str, ...],
) -> AgreementRecord:
    """Say what the nets' agreement is worth on rows of known value: (M, N) said, (N,) true."""
    mean, spread = agree(values, unit)
    accepted = accept(spread, largest_ensemble_std)
    of_all = root_mean_square(mean - truth)
    of_accepted = root_mean_square((mean - truth)[accepted])
    verdict = (
        f"Nets may differ by {largest_ensemble_std:g} of the labeled values' standard deviation: of "
        f"{len(truth)} {calibrated_on} rows that lets {accepted.sum()} through"
    )
    if of_accepted is not None:
        verdict += f", with an error (root mean square) of {of_accepted:.4g}, against {of_all:.4g} of all"
    return AgreementRecord(
        rule="agreement",
        largest_ensemble_std=largest_ensemble_std,
        unit=unit,
        members=members,
        calibrated_on=calibrated_on,
        calibration_rows=len(truth),
        calibration_accepted=int(accepted.sum()),
        error_of_all=of_all,
        error_of_accepted=of_accepted,
        verdict=f"{verdict}.",
        seen=tuple(_seen(spread, mean - truth)),
    )


def _seen(spread: np.ndarray, error: np.ndarray) -> Iterator[tuple[float, int, float]]:
    """Yield what the spreads of round shares of the rows would accept, and how far off that is."""
    for level in np.unique(np.quantile(spread, SHARES, method="higher")) if len(spread) else ():
        rows = accept(spread, level)
        yield float(level), int(rows.sum()), float(np.sqrt((error[rows] ** 2).mean()))


@dataclass(frozen=True)
class ByAgreement:
    """The protocol ``selfsame.selection.gate.Gate`` for values."""

    largest_ensemble_std: float
    ensemble: bool = True

    def brief(self, said: np.ndarray) -> np.ndarray:
        """Return nothing: no row's decision depends on the others'."""
        return np.empty(0, BRIEF)

    def decide(self, heard: Heard, pool: Briefs, teaching_round: int) -> "AgreementDecision":
        """See on rows of known value what agreement is worth."""
        assert heard.unit is not None
        record = judge(
            heard.calibration,
            heard.truth,
            calibrated_on=heard.calibrated_on,
            largest_ensemble_std=self.largest_ensemble_std,
            unit=heard.unit,
            members=heard.teachers,
        )
        return AgreementDecision(record, teaching_round)


@dataclass(frozen=True)
class AgreementDecision:
    """The protocol ``selfsame.selection.gate.Decision`` for values."""

    record: AgreementRecord
    teaching_round: int

    @property
    def schema(self) -> pa.Schema:
        """That of the record."""
        return self.record.schema

    def facts(self, part: int) -> object:
        """Return the round."""
        return self.teaching_round

    def columns(self, said: np.ndarray, part: int, rows: int) -> Iterator[Columns]:
        """Name the ensemble's mean for every row, and accept where the nets agree."""
        record = self.record
        for start in range(0, said.shape[1], rows):
            mean, spread = agree(said[:, start : start + rows], record.unit)
            accepted = accept(spread, record.largest_ensemble_std)
            yield {
                "pseudo_label": pa.array(mean),
                "ensemble_std": pa.array(spread),
                "largest_ensemble_std": pa.repeat(np.float32(record.largest_ensemble_std), len(mean)),
                "accepted": pa.array(accepted),
                "reason": pc.if_else(accepted, "spread at or below the largest", "spread above the largest"),
                "round": pa.repeat(self.teaching_round, len(mean)),
                "teacher": pa.repeat(record.members[0], len(mean)),
            }


def root_mean_square(errors: np.ndarray) -> float | None:
    """Return the root of the mean square of (N,) errors; None of no rows."""
    return float(np.sqrt((errors**2).mean())) if len(errors) else None
