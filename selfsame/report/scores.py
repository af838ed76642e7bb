"""Scores of a classifier: pure functions of labels and probabilities."""

from dataclasses import dataclass, replace

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.stats.share import Share


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class; a score without any row to judge it by is None."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    rows: int


@dataclass(frozen=True)
class Scores:
    """How one model does on one table.

    Attributes:
        loss: mean negative log-likelihood, in nats; None of a model that gives no probabilities.
        macro_f1: mean F1 of the classes, each of the same weight.
        confusion: (K, K) int64 counts, actual × predicted.
        actual, predicted: (N,) int64 class indices, in the table's order.
        positive: (N,) probability of the second of two classes; None of more, or without probabilities.
    """

    accuracy: Share
    loss: float | None
    macro_f1: float
    classes: tuple[ClassScores, ...]
    confusion: np.ndarray
    actual: np.ndarray
    predicted: np.ndarray
    positive: np.ndarray | None

    @property
    def right(self) -> np.ndarray:
        """(N,) bool."""
        return self.predicted == self.actual


def score(labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> Scores:
    """Score predictions against true labels.

    Args:
        labels: (N,) class indices; rows with a negative one have no known label and are left out.
        probabilities: (N, K).

    Raises:
        SelfsameError: no row has a label.
    """
    known = labels >= 0
    found = score_labels(labels, probabilities.argmax(axis=1), classes)
    return replace(
        found,
        loss=_negative_log_likelihood(found.actual, probabilities[known]),
        positive=probabilities[known, 1] if len(classes) == 2 else None,
    )


def score_labels(labels: np.ndarray, predicted: np.ndarray, classes: tuple[str, ...]) -> Scores:
    """Score class indices (N,), for which no probabilities are known, as ``score`` does."""
    from sklearn.metrics import confusion_matrix, f1_score, precision_recall_fscore_support

    known = labels >= 0
    labels, predicted = labels[known], predicted[known]
    if not len(labels):
        raise SelfsameError("a model can't be scored: no row has a label", "bring labels, or another split")
    indices = list(range(len(classes)))
    columns = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=np.nan)
    return Scores(
        accuracy=Share(int((predicted == labels).sum()), len(labels)),
        loss=None,
        macro_f1=float(f1_score(labels, predicted, labels=indices, average="macro", zero_division=np.nan)),
        classes=tuple(
            ClassScores(name, _defined(precision), _defined(recall), _defined(f1), int(rows))
            for name, precision, recall, f1, rows in zip(classes, *columns, strict=True)
        ),
        confusion=confusion_matrix(labels, predicted, labels=indices),
        actual=labels,
        predicted=predicted,
        positive=None,
    )


@dataclass(frozen=True)
class Comparison:
    """Two models on the same rows.

    Attributes:
        gained: rows that only the student has right.
        lost: rows that only the baseline has right.
    """

    gained: int
    lost: int

    @property
    def p_value(self) -> float:
        """McNemar's exact test: how often models of the same skill differ by this much or more."""
        from scipy.stats import binomtest

        differing = self.gained + self.lost
        return float(binomtest(self.gained, differing).pvalue) if differing else 1.0


def compare(baseline: Scores, student: Scores) -> Comparison:
    """Compare two models that were scored on the same table."""
    return Comparison(
        gained=int((student.right & ~baseline.right).sum()), lost=int((baseline.right & ~student.right).sum())
    )


def _negative_log_likelihood(labels: np.ndarray, probabilities: np.ndarray) -> float:
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # A softmax in float32 may underflow to 0: one such row must not make the mean infinite.
    return float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
