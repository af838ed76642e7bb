"""The scikit-learn baseline: what a simple model makes of the same labels, in a second or two.

A user has it for free, so a pipeline that can't beat it must say so. It learns from labeled and validation
rows together: it needs no rows to stop its training by, and chooses by cross-validation on them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from selfsame.report.scores import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from selfsame.report.target import Target

WIDE = 200  # inputs with more values than this are first projected …
COMPONENTS = 50  # … on so many principal components
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
        sureness: (N, K) probabilities of each class, likewise; None of values.
        halved: the same, when trained on every other row of these; None where that leaves a class without.
        model: the fitted scikit-learn model.
    """

    name: str
    rows: int
    cross_validated: Mapping[str, float]
    out_of_fold: np.ndarray
    sureness: np.ndarray | None
    halved: np.ndarray | None
    model: Any

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return class indices or target values (N,) of raw inputs."""
        with _one_thread():
            return self.model.predict(flatten(inputs))


def fit_reference(inputs: np.ndarray, labels: np.ndarray, target: Target) -> Reference:
    """Choose the best simple model by cross-validation, and fit it on all rows.

    The same rows give the same predictions, on any number of cores.

    Args:
        inputs: raw (N, C, H, W) uint8 or (N, F) float64.
        labels: (N,) class indices, at least two rows of each class, or target values.
    """
    from sklearn.model_selection import cross_val_predict

    flat, models = flatten(inputs), candidates(inputs, len(labels), target)
    with _one_thread():
        folds = list(target.folds(labels).split(flat, labels))
        answers = {name: cross_val_predict(model, flat, labels, cv=folds) for name, model in models.items()}
        scores = {name: target.score(labels, answer).main.value or 0.0 for name, answer in answers.items()}
        best = max(scores, key=scores.__getitem__)  # of equals the first, which is the simplest
        halves = [(_every_other(train, labels), test) for train, test in folds]
        kinds = len(np.unique(target.kinds(labels)))
        halved = None
        if all(len(np.unique(target.kinds(labels[train]))) == kinds for train, _ in halves):
            fewer = candidates(inputs, min(len(train) for train, _ in halves), target)
            halved = cross_val_predict(fewer.get(best, models[best]), flat, labels, cv=halves)
        sureness = _sureness(models[best], flat, labels, folds)
        model = models[best].fit(flat, labels)
    return Reference(best, len(labels), scores, answers[best], sureness, halved, model)


def _sureness(model: Any, flat: np.ndarray, labels: np.ndarray, folds: Any) -> np.ndarray | None:
    """Return the out-of-fold probabilities of each class (N, K), or what stands for them; None of values."""
    from scipy.special import softmax
    from sklearn.model_selection import cross_val_predict

    if hasattr(model, "predict_proba"):
        return cross_val_predict(model, flat, labels, cv=folds, method="predict_proba")
    if not hasattr(model, "decision_function"):
        return None
    found = cross_val_predict(model, flat, labels, cv=folds, method="decision_function")
    return softmax(found if found.ndim > 1 else np.stack([-found, found], axis=1), axis=1)


def candidates(inputs: np.ndarray, rows: int, target: Target) -> dict[str, Any]:
    """Return unfitted scikit-learn models by name, the simplest first; which, depends on the data.

    Args:
        inputs: (N, …) as ``fit_reference`` takes them.
        rows: how many are learned from.
    """
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    images = inputs.ndim > 2
    # Pixels share one unit: scaling each to its own spread would blow up the corners' noise.
    # A missing value is the mean of the rows learned from, as it is for the nets.
    filled = [] if images else [SimpleImputer(keep_empty_features=True)]
    first = [] if images else [*filled, StandardScaler()]
    if int(np.prod(inputs.shape[1:])) > WIDE:
        components = min(COMPONENTS, rows // 2)  # fewer than a fold's rows
        first.append(PCA(components, svd_solver="randomized", random_state=SEED))
    by_distance, boosting = target.simple_models(images, rows)
    found = {name: make_pipeline(*first, model) for name, model in by_distance.items()}
    if not images and rows >= FEWEST_ROWS_TO_BOOST:
        found["gradient boosting"] = make_pipeline(*filled, boosting)
    return found


def flatten(inputs: np.ndarray) -> np.ndarray:
    """Return raw inputs as (N, F) float64, pixels in 0…1."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    return flat / 255 if inputs.dtype == np.uint8 else flat


def more_labels(reference: Reference, labels: np.ndarray, target: Target) -> tuple[Scores, Scores] | None:
    """Return the cross-validated scores with half of the rows and with all; None where half is too few."""
    if reference.halved is None:
        return None
    return target.score(labels, reference.halved), target.score(labels, reference.out_of_fold)


def _every_other(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return half of the rows, of all classes or over the whole range of values."""
    return np.sort(rows[np.argsort(labels[rows], kind="stable")][::2])


def _one_thread() -> AbstractContextManager[Any]:
    """Keep sums in one order whatever the number of cores, and leave torch's threads as they are."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
