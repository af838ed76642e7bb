"""The estimators of scikit-learn that fit a family, to classes or to values: here alone the two differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from selfsame.families.rows import Rows

PENALTIES = np.logspace(-3, 4, 15)  # of a linear model's squared weights; the best by cross-validation
MOST_ROWS_TO_SORT = 3000  # beyond, boosting goes by histograms: in a tenth of the time, and as good
TREES, MOST_LEAVES = 300, 1000  # of a forest …
TREES_OF_MANY_ROWS = 100  # … and of one of more rows than those: in a third of the time
MOST_ROWS_OF_A_PROCESS = 2000  # its time grows with their cube …
OF_CLASSES = 1000  # … of classes fifty times over, and each keeps a square matrix
MOST_TAUGHT = 2000  # accepted rows of classes that are learned, if no more are labeled: all weigh the same


def truth(rows: Rows) -> np.ndarray:
    """Return labels as a family's outputs should be: certain probabilities (N, K), or values (N, 1)."""
    return np.eye(rows.classes)[rows.labels] if rows.classes else rows.labels[:, None].astype(np.float64)


def most_taught(rows: Rows) -> int | None:
    """Return how many rows with a teacher's label a student learns beside its own at most, if not all."""
    return max(MOST_TAUGHT, len(rows.labels)) if rows.classes else None


def most_of_a_process(rows: Rows) -> int:
    """Return how many rows a Gaussian process learns at most."""
    return OF_CLASSES if rows.classes else MOST_ROWS_OF_A_PROCESS


def linear(rows: Rows) -> Any:
    """Return logistic or ridge regression."""
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV

    if not rows.classes:
        return RidgeCV(PENALTIES)
    splits = rows.splits
    if not splits:
        return LogisticRegression(max_iter=1000)
    return LogisticRegressionCV(
        Cs=1 / PENALTIES[::-1],
        cv=splits,
        scoring=_likelihood,
        max_iter=1000,
        l1_ratios=(0,),
        use_legacy_attributes=False,
    )


def _likelihood(model: Any, seen: np.ndarray, labels: np.ndarray, sample_weight: np.ndarray) -> float:
    """Return the mean logarithm of a label's probability: ``neg_log_loss``, without its many checks."""
    logits = seen @ np.atleast_2d(model.coef_).T + model.intercept_
    if logits.shape[1] == 1:  # of two classes, the second's
        logits = np.append(0 * logits, logits, axis=1)
    right = np.searchsorted(model.classes_, labels)
    said = softmax(logits, axis=1)[np.arange(len(labels)), right]
    return float(np.average(np.log(np.maximum(said, np.finfo(said.dtype).eps)), weights=sample_weight))


def support_vectors(rows: Rows, gamma: float) -> Any:
    """Return a support vector machine, its cost and its kernel's width by cross-validation.

    Args:
        gamma: of the narrower kernel.
    """
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC, SVR

    kind, splits = (SVC if rows.classes else SVR), rows.splits
    grid = (
        {"C": [1.0, 10.0, 100.0], "gamma": [gamma, gamma / 3]} if splits else {"C": [10.0], "gamma": [gamma]}
    )
    everything = np.arange(len(rows.labels))
    return GridSearchCV(kind(), grid, cv=splits or [(everything, everything)])


def boosting(rows: Rows, seed: int) -> Any:
    """Return gradient boosting."""
    from sklearn import ensemble

    alike = {"learning_rate": 0.05, "random_state": seed}
    if len(rows.labels) > MOST_ROWS_TO_SORT:
        alike |= {"max_features": 0.5, "early_stopping": False}
        if rows.classes:
            return ensemble.HistGradientBoostingClassifier(max_iter=200, **alike)
        return ensemble.HistGradientBoostingRegressor(max_iter=600, **alike)
    alike |= {"subsample": 0.6, "min_samples_leaf": 3}
    if rows.classes:
        return ensemble.GradientBoostingClassifier(
            n_estimators=100, max_features="sqrt", max_depth=3, **alike
        )
    return ensemble.GradientBoostingRegressor(n_estimators=400, max_features=0.5, max_depth=5, **alike)


def forest(rows: Rows, seed: int, kind: str) -> Any:
    """Return a ``RandomForest``, or ``ExtraTrees``, whose cuts are drawn at random."""
    from sklearn import ensemble

    trees = TREES if len(rows.labels) <= MOST_ROWS_TO_SORT else TREES_OF_MANY_ROWS
    alike = {"n_estimators": trees, "max_leaf_nodes": MOST_LEAVES, "random_state": seed}
    if rows.classes:
        return getattr(ensemble, f"{kind}Classifier")(min_samples_leaf=2, max_features="sqrt", **alike)
    return getattr(ensemble, f"{kind}Regressor")(min_samples_leaf=1, max_features=0.5, **alike)
