"""What a confidence is worth: temperature scaling, and how often labels of each confidence are right."""

from dataclasses import dataclass

import numpy as np

BINS = 10  # of equal width; fifty validation rows fill no more


@dataclass(frozen=True)
class Reliability:
    """Labels sorted into ``BINS`` bins by confidence.

    Attributes:
        rows: labels in each bin.
        right: those of them that are right.
        confidence: their mean confidence; 0 in an empty bin.
    """

    rows: tuple[int, ...]
    right: tuple[int, ...]
    confidence: tuple[float, ...]

    @property
    def shares(self) -> list[float | None]:
        """Share of right labels in each bin; None in an empty one."""
        return [right / rows if rows else None for right, rows in zip(self.right, self.rows, strict=True)]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap between confidence and share of right labels."""
        gaps = [
            abs(rows * mean - right)
            for rows, right, mean in zip(self.rows, self.right, self.confidence, strict=True)
        ]
        return sum(gaps) / max(sum(self.rows), 1)


def measure_reliability(confidence: np.ndarray, right: np.ndarray) -> Reliability:
    """Sort (N,) confidences and whether each label is right into bins."""
    bins = np.minimum((confidence.astype(np.float64) * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(bins, minlength=BINS)
    sums = np.bincount(bins, weights=confidence, minlength=BINS)
    hits = np.bincount(bins[right], minlength=BINS)
    means = sums / np.maximum(rows, 1)
    return Reliability(tuple(rows.tolist()), tuple(hits.tolist()), tuple(means.tolist()))


def calibrate(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the softmax of logits / ``temperature``, from (N, K) probabilities, as float32.

    The logits themselves aren't needed: the logarithms of probabilities differ from them by a constant
    per row, which the softmax takes out again. No row changes its most probable class.
    """
    powers = _powers(probabilities, temperature)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def calibrated_confidence(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the largest of every row of ``calibrate``, (N,) float32: the same bits, sooner."""
    return (1 / _powers(probabilities, temperature).sum(axis=1)).astype(np.float32)


def _powers(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the powers that a softmax is made of, (N, K) float64; a row's largest is 1."""
    logits = _log(probabilities) / temperature
    # numpy takes three times as long for the largest of a few columns as for its place
    logits -= logits[np.arange(len(logits)), logits.argmax(axis=1)][:, None]
    return np.exp(logits, out=logits)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Fit the temperature under which (N, K) probabilities explain (N,) labels best.

    Minimizes the negative log-likelihood (Guo et al., 2017) plus (log T)² / 2. The second term weighs as
    much as one row: with few rows it keeps a teacher that makes no mistake on them from being called
    infallible (T → 0), with many it doesn't count.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits = _log(probabilities)
    rows = np.arange(len(labels))

    def cost(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(log_temperature**2 / 2 - scaled[rows, labels].sum())

    found = minimize_scalar(cost, bounds=(-4, 4), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def _log(probabilities: np.ndarray) -> np.ndarray:
    """Take logarithms; a float32 softmax underflows to 0, which here counts as its smallest number."""
    return np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
