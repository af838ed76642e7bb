"""The reference: what a simple scikit-learn model makes of the same labels, in a second or two.

A user has it for free, so a pipeline that can't beat it must say so. It learns from labeled and validation
rows together: it needs no rows to stop its training by, and chooses by cross-validation on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

FOLDS = 5
WIDE = 200  # inputs with more values than this are first projected …
COMPONENTS = 50  # … on so many principal components
MOST_ROWS_OF_KERNEL = 5_000  # beyond, a support vector machine takes minutes
FEWEST_ROWS_TO_BOOST = 200  # a tree's leaf has 20 rows: fewer rows hardly split, and a lucky fold may win
SEED = 0


@dataclass(frozen=True)
class Reference:
    """The best of some simple models.

    Attributes:
        name: what it is, as a reader would call it.
        rows: labeled and validation rows that it learned from.
        cross_validated: the cross-validated score of every candidate by name: accuracy, or R².
        out_of_fold: (N,) what the chosen kind of model says of each row it was given, when trained on the
            other folds alone: class indices, or target values.
        model: the fitted scikit-learn model.
    """

    name: str
    rows: int
    cross_validated: Mapping[str, float]
    out_of_fold: np.ndarray
    model: Any

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class indices or target values (N,) of raw inputs."""
        with _one_thread():
            return self.model.predict(flatten(inputs))


def fit_reference(
    inputs: np.ndarray, labels: np.ndarray, target: Literal["classification", "regression"]
) -> Reference:
    """Choose the best simple model by cross-validation, and fit it on all rows.

    The same rows give the same predictions, on any number of cores.

    Args:
        inputs: raw (N, C, H, W) uint8 or (N, F) float64.
        labels: (N,) class indices, at least two rows of each class, or target values.
    """
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import cross_val_predict

    measure = accuracy_score if target == "classification" else r2_score
    flat, models = flatten(inputs), candidates(inputs, len(labels), target)
    with _one_thread():
        answers = {
            name: cross_val_predict(model, flat, labels, cv=_folds(labels, target))
            for name, model in models.items()
        }
        scores = {name: float(measure(labels, answer)) for name, answer in answers.items()}
        best = max(scores, key=scores.__getitem__)  # of equals the first, which is the simplest
        model = models[best].fit(flat, labels)
    return Reference(best, len(labels), scores, answers[best], model)


def candidates(inputs: np.ndarray, rows: int, target: str) -> dict[str, Any]:
    """Return unfitted scikit-learn models by name, the simplest first; which, depends on the data.

    Args:
        inputs: (N, …) as ``fit_reference`` takes them.
        rows: how many are learned from.
    """
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    values = int(np.prod(inputs.shape[1:]))
    # Pixels share one unit: scaling each to its own spread would blow up the corners' noise.
    # A missing value is the mean of the rows learned from, as it is for the nets.
    filled = [] if inputs.ndim > 2 else [SimpleImputer(keep_empty_features=True)]
    first = [] if inputs.ndim > 2 else [*filled, StandardScaler()]
    if values > WIDE:
        components = min(COMPONENTS, rows // 2)  # fewer than a fold's rows
        first.append(PCA(components, svd_solver="randomized", random_state=SEED))
    boosts = inputs.ndim == 2 and rows >= FEWEST_ROWS_TO_BOOST
    if target == "regression":
        found = {"ridge regression": make_pipeline(*first, RidgeCV(np.logspace(-3, 3, 7)))}
        boosting = HistGradientBoostingRegressor(random_state=SEED)
    else:
        found = {"logistic regression": make_pipeline(*first, LogisticRegression(max_iter=1000))}
        boosting = HistGradientBoostingClassifier(random_state=SEED)
        if inputs.ndim > 2 and rows <= MOST_ROWS_OF_KERNEL:
            found["support vector machine"] = make_pipeline(*first, SVC(C=10))
    return found | ({"gradient boosting": boosting} if boosts else {})


def flatten(inputs: np.ndarray) -> np.ndarray:
    """Return raw inputs as (N, F) float64, pixels in 0…1."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    return flat / 255 if inputs.dtype == np.uint8 else flat


def _folds(labels: np.ndarray, target: str) -> Any:
    """Split into as many folds as the smallest class has rows, at most ``FOLDS``."""
    from sklearn.model_selection import KFold, StratifiedKFold

    if target == "regression":
        return KFold(FOLDS, shuffle=True, random_state=SEED)
    smallest = int(np.unique(labels, return_counts=True)[1].min())
    return StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=SEED)


def _one_thread() -> AbstractContextManager[Any]:
    """Keep sums in one order whatever the number of cores, and leave torch's threads as they are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
