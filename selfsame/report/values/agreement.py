"""What agreement was worth: the spread of pseudo-targets against their error, where hidden values exist."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selfsame.core.tables import read_column
from selfsame.report.gate import with_truth
from selfsame.selection.agreement import AgreementRecord, root_mean_square
from selfsame.stats.share import Share

CLOSE = 0.5  # standard deviations of the labeled values: a pseudo-target as near is close
SHARES = np.linspace(0.02, 1, 50)  # of the pool; the spreads that would keep them are those to explore


@dataclass(frozen=True)
class ValueGate:
    """The pool's pseudo-targets.

    Attributes:
        record: what was decided, and why.
        teachers: the digests that the table names.
        spread: (N,) float32 of every pool row, in standard deviations of the labeled values.
        accepted: (N,) bool.
        error: (N,) float64 pseudo-target − hidden value, in the values' unit; NaN where none is known.
    """

    record: AgreementRecord
    teachers: tuple[str, ...]
    spread: np.ndarray
    accepted: np.ndarray
    error: np.ndarray

    @property
    def coverage(self) -> Share:
        """Share of the pool that was accepted."""
        return Share(int(self.accepted.sum()), len(self.accepted))

    @property
    def known_accepted(self) -> int:
        """Accepted rows whose hidden value is known."""
        return int((self.accepted & ~np.isnan(self.error)).sum())

    @property
    def error_of_accepted(self) -> float | None:
        """Root mean square error of accepted pseudo-targets; None where no truth is known."""
        return self._error_of(self.accepted)

    @property
    def error_of_rejected(self) -> float | None:
        """Root mean square error of rejected pseudo-targets; None where no truth is known."""
        return self._error_of(~self.accepted)

    @property
    def close(self) -> Share:
        """Share of accepted pseudo-targets within ``CLOSE`` of the truth."""
        return self._close(self.accepted)

    @property
    def rank_correlation(self) -> float | None:
        """Spearman's correlation of spread and absolute error: near 0 if agreement says nothing."""
        from scipy.stats import spearmanr

        known = ~np.isnan(self.error)
        spread, error = self.spread[known], np.abs(self.error[known])
        if len(spread) < 3 or np.ptp(spread) == 0 or np.ptp(error) == 0:
            return None
        return float(spearmanr(spread, error).statistic)

    def kept_by(self, largest_spread: float) -> "Kept":
        """Return what another largest spread would keep."""
        rows = self.spread <= np.float32(largest_spread)
        return Kept(
            float(largest_spread), Share(int(rows.sum()), len(rows)), self._error_of(rows), self._close(rows)
        )

    def explored(self) -> list["Kept"]:
        """Return what the largest spreads that keep round shares of the pool would keep, ascending."""
        if not len(self.spread):
            return []
        spreads = np.unique(np.quantile(self.spread, SHARES, method="higher"))
        return [self.kept_by(each) for each in spreads]

    def tenths(self) -> list[tuple[float, float | None]]:
        """Return mean spread and error of each tenth of the pool, from the most agreed on to the least."""
        parts = np.array_split(np.argsort(self.spread, kind="stable"), 10)
        return [
            (float(self.spread[rows].mean()), self._error(self.error[rows])) for rows in parts if len(rows)
        ]

    def _error_of(self, rows: np.ndarray) -> float | None:
        return self._error(self.error[rows])

    def _error(self, errors: np.ndarray) -> float | None:
        return root_mean_square(errors[~np.isnan(errors)])

    def _close(self, rows: np.ndarray) -> Share:
        errors = np.abs(self.error[rows & ~np.isnan(self.error)])
        return Share(int((errors <= CLOSE * self.record.unit).sum()), len(errors))


@dataclass(frozen=True)
class Kept:
    """What a largest spread keeps of the pool; the error is a root mean square, None without known truth."""

    largest_spread: float
    coverage: Share
    error: float | None
    close: Share


def measure_agreement(pseudo_labels: Path, hidden_labels: Path) -> ValueGate:
    """Compare pseudo-targets with hidden values; memory holds three numbers of every pool row.

    Raises:
        SelfsameError: the hidden values aren't those of rows of this pool in its order.
    """
    errors = [np.empty(0)]
    for batch, known, truth in with_truth(pseudo_labels, hidden_labels):
        error = np.full(batch.num_rows, np.nan)
        error[known] = batch.column("pseudo_label").to_numpy()[known] - truth
        errors.append(error)
    return ValueGate(
        record=AgreementRecord.of(pseudo_labels),
        teachers=tuple(sorted(set(read_column(pseudo_labels, "teacher")))),
        spread=read_column(pseudo_labels, "spread").astype(np.float32),
        accepted=read_column(pseudo_labels, "accepted").astype(bool),
        error=np.concatenate(errors),
    )
