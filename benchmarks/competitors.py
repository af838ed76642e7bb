"""What a user has for free, on one draw: ``python benchmarks/competitors.py [data/splits] [--macro-f1]``.

Scores on the holdout, with the CPU seconds of choosing, fitting and predicting, one thread:

* scikit-learn's models as a careful user would fit them, each on labeled and validation rows together:
  features scaled where it matters, a small grid by cross-validation;
* LabelSpreading and LabelPropagation on the graph of labeled, validation and pool rows. Kernel, its width
  and alpha are chosen on the validation rows; then these give their labels too. Wide rows are projected on 50
  principal components, and 100 iterations are made: scikit-learn's default of 1,000 took LabelPropagation
  from 0.941 to 0.605 on MNIST with 100 labels.

The score is accuracy (or macro F1, or of values R²). A script of the results page calls ``compete``.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, f1_score, r2_score
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR
from threadpoolctl import threadpool_limits

from selfsame.core.tables import TableInfo, inputs_of, iter_batches, read_column

ROLES = ("labeled", "validation", "pool", "holdout")
NEIGHBOURS = (3, 5, 7, 10, 15, 20)
ALPHAS = (0.2, 0.5, 0.8, 0.95, 0.99)
WIDTHS = (0.01, 0.03, 0.1, 0.3)  # of the rbf kernel, in the median distance of two rows
MOST_ROWS_OF_RBF = 2_000  # its matrix is dense
MOST_ROWS_OF_KERNEL = 5_000  # beyond, a support vector machine takes minutes
MOST_ROWS_OF_PROCESS = 1_500  # its time grows with their cube
MAX_ITERATIONS = 100
WIDE, COMPONENTS = 200, 50  # inputs of more values are projected on so many principal components


class Row(NamedTuple):
    """One competitor: its score on the holdout and the CPU seconds that it took."""

    name: str
    metric: float
    seconds: float


class Kernel(NamedTuple):
    """One graph: what it is called, and its weights of (all rows, graph's rows) as a matrix."""

    name: str
    weights: Any


def compete(splits: Path, macro_f1: bool = False) -> list[Row]:
    """Score all competitors on the tables that the stage ``split`` has written to a folder."""
    info = TableInfo.of(splits / "labeled.parquet")
    x, y = {}, {}
    for role in ROLES:
        table = splits / ("pool" if role == "pool" else f"{role}.parquet")
        batches = [inputs_of(batch, info) for batch in iter_batches(table)]
        nothing = np.empty((0, *info.input_shape))  # a pool may be empty
        x[role], y[role] = np.concatenate(batches or [nothing]), read_column(table, "label")
    classes = info.target == "classification"
    measure = r2_score if not classes else _macro_f1 if macro_f1 else accuracy_score
    rows = []
    with threadpool_limits(1):
        learned, labels = (np.concatenate([part["labeled"], part["validation"]]) for part in (x, y))
        for name, model in careful(learned, len(learned), classes).items():
            with _timed(rows, name) as score, warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(flatten(learned), labels)
                score(measure(y["holdout"], model.predict(flatten(x["holdout"]))))
        if classes:
            rows += _propagate(x, y, measure)
    return rows


def careful(inputs: np.ndarray, rows: int, classes: bool) -> dict[str, Any]:
    """Return unfitted models by name."""
    filled = [] if inputs.ndim > 2 else [SimpleImputer(keep_empty_features=True)]
    scaled = [*filled, *([] if inputs.ndim > 2 else [StandardScaler()])]
    if np.prod(inputs.shape[1:]) > WIDE:
        scaled.append(PCA(min(COMPONENTS, rows // 2), svd_solver="randomized", random_state=0))
    folds = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=0)

    def grid(model: Any, **values: Any) -> Any:
        return GridSearchCV(model, values, cv=folds)

    trees = {"n_estimators": 300, "random_state": 0}
    if classes:
        found = {
            "logistic regression": make_pipeline(
                *scaled, grid(LogisticRegression(max_iter=1000), C=np.logspace(-3, 2, 6))
            ),
            "random forest": make_pipeline(
                *filled, grid(RandomForestClassifier(**trees), min_samples_leaf=[1, 3])
            ),
            "extra trees": make_pipeline(
                *filled, grid(ExtraTreesClassifier(**trees), min_samples_leaf=[1, 3])
            ),
            "gradient boosting": make_pipeline(
                *filled, grid(HistGradientBoostingClassifier(random_state=0), learning_rate=[0.03, 0.1])
            ),
        }
        kernel, process = SVC(), GaussianProcessClassifier(1.0 * RBF(3.0))
    else:
        found = {
            "ridge regression": make_pipeline(*scaled, RidgeCV(np.logspace(-3, 3, 7))),
            "random forest": make_pipeline(*filled, RandomForestRegressor(max_features=0.5, **trees)),
            "extra trees": make_pipeline(*filled, ExtraTreesRegressor(max_features=0.5, **trees)),
            "gradient boosting": make_pipeline(
                *filled, grid(HistGradientBoostingRegressor(random_state=0), learning_rate=[0.03, 0.1])
            ),
        }
        kernel = TransformedTargetRegressor(SVR(), transformer=StandardScaler())
        process = TransformedTargetRegressor(
            GaussianProcessRegressor(1.0 * RBF(3.0) + WhiteKernel(0.1)), transformer=StandardScaler()
        )
    if inputs.ndim > 2:  # pixels by trees take minutes and are far off
        found = {name: model for name, model in found.items() if "regression" in name}
    if rows <= MOST_ROWS_OF_KERNEL:
        prefix = "" if classes else "regressor__"
        search = grid(kernel, **{f"{prefix}C": [1, 10, 100], f"{prefix}gamma": ["scale", 0.01, 0.1]})
        found["support vector machine"] = make_pipeline(*scaled, search)
    if rows <= MOST_ROWS_OF_PROCESS and inputs.ndim == 2:
        found["Gaussian process"] = make_pipeline(*scaled, process)
    return found


def flatten(inputs: np.ndarray) -> np.ndarray:
    """Return raw inputs as (N, F) float64, pixels in 0…1."""
    flat = inputs.reshape(len(inputs), -1).astype(np.float64)
    return flat / 255 if inputs.dtype == np.uint8 else flat


def _propagate(
    x: dict[str, np.ndarray], y: dict[str, np.ndarray], measure: Callable[..., float]
) -> list[Row]:
    """Let labels spread over the graph, by both of scikit-learn's ways."""
    started = time.process_time()
    sizes = [len(x[role]) for role in ROLES[:3]]
    features = _features(
        np.concatenate([x[role] for role in ("labeled", "validation", "pool", "holdout")]), sum(sizes)
    )
    kernels = list(_kernels(features, sum(sizes)))
    graph_seconds = time.process_time() - started
    labels = np.concatenate([y["labeled"], y["validation"], np.full(sizes[2], -1)]).astype(np.int64)
    held = slice(sizes[0], sizes[0] + sizes[1])
    choosing = labels.copy()
    choosing[held] = -1
    rows: list[Row] = []
    for kind, alphas in ((LabelSpreading, ALPHAS), (LabelPropagation, (None,))):
        with _timed(rows, kind.__name__) as score:
            _, kernel, alpha = max(
                (
                    (measure(y["validation"], spread.transduction_[held]), kernel, alpha)
                    for kernel in kernels
                    for alpha in alphas
                    for spread in [_spread(kind, kernel, alpha, choosing)]
                ),
                key=lambda each: each[0],
            )
            model = _spread(kind, kernel, alpha, labels)
            outside = np.arange(len(labels), len(features))[:, None]
            with np.errstate(invalid="ignore"):  # rows that no label has reached
                score(measure(y["holdout"], model.predict(outside)))
        chosen = f"{kernel.name}{'' if alpha is None else f', alpha {alpha}'}"
        rows[-1] = Row(f"{kind.__name__} ({chosen})", rows[-1].metric, rows[-1].seconds + graph_seconds)
    return rows


def _spread(kind: type, kernel: Kernel, alpha: float | None, labels: np.ndarray) -> Any:
    """Fit; the model's inputs are row numbers, by which the graph that was made once is looked up."""

    def weights(left: np.ndarray, right: np.ndarray) -> Any:
        return kernel.weights[right[:, 0].astype(np.int64)].T[left[:, 0].astype(np.int64)]

    model = kind(kernel=weights, max_iter=MAX_ITERATIONS, **({} if alpha is None else {"alpha": alpha}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.arange(len(labels))[:, None], labels)


def _features(inputs: np.ndarray, in_graph: int) -> np.ndarray:
    """Scale tables to standard deviations and project what is wide; both are fitted on the graph's rows."""
    features = flatten(inputs)
    if inputs.ndim == 2:
        scaling = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
        features = scaling.fit(features[:in_graph]).transform(features)
    if features.shape[1] > WIDE:
        projection = PCA(COMPONENTS, svd_solver="randomized", random_state=0)
        features = projection.fit(features[:in_graph]).transform(features)
    return features


def _kernels(features: np.ndarray, in_graph: int) -> Iterator[Kernel]:
    """Yield the graphs to choose from: nearest neighbours, and for few rows a Gaussian of the distance."""
    search = NearestNeighbors(n_neighbors=max(NEIGHBOURS)).fit(features[:in_graph])
    found = search.kneighbors(features, return_distance=False)
    for count in NEIGHBOURS:
        ends = np.arange(len(features) + 1) * count
        nearest = found[:, :count].ravel()
        matrix = csr_matrix((np.ones(len(nearest)), nearest, ends), shape=(len(features), in_graph))
        yield Kernel(f"{count} neighbours", matrix)
    if in_graph <= MOST_ROWS_OF_RBF:
        squares = euclidean_distances(features, features[:in_graph], squared=True)
        for width in WIDTHS:
            yield Kernel(f"rbf of {width}", np.exp(-squares / (width * np.median(squares))))


def _macro_f1(actual: np.ndarray, predicted: np.ndarray) -> float:
    return f1_score(actual, predicted, average="macro")


@contextmanager
def _timed(rows: list[Row], name: str) -> Iterator[Callable[[float], None]]:
    """Append a row with the score that the block tells and the CPU seconds it took."""
    started, scores = time.process_time(), []
    yield scores.append
    rows.append(Row(name, float(scores[0]), time.process_time() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a user has for free, on one draw.")
    parser.add_argument("splits", type=Path, nargs="?", default=Path("data/splits"))
    parser.add_argument("--macro-f1", action="store_true")
    options = parser.parse_args()
    print("| model | score | CPU seconds |\n|---|---|---|")
    for row in compete(options.splits, options.macro_f1):
        print(f"| {row.name} | {row.metric:.4f} | {row.seconds:.1f} |")


if __name__ == "__main__":
    main()
