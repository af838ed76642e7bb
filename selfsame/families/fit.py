"""Fitting the families of tables: scikit-learn fits, and what it found becomes a module's arrays.

Everything is fitted on one thread: the same rows give the same bits on any number of cores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.stats import norm
from torch import Tensor, nn

from selfsame.model.families import (
    Features,
    Frequencies,
    Kernel,
    Linear,
    ProcessOfClass,
    ProcessOfClasses,
    ProcessOfValues,
    SupportVectors,
    Trees,
)

PENALTIES = np.logspace(-3, 4, 15)  # of a linear model's squared weights; the best by cross-validation
FOLDS = 5
LIMIT = 4.0  # standard deviations: farther out a feature says only that it is extreme
KNOTS = 200  # of a feature's normal scores
MOST_ROWS_OF_A_PROCESS = 2000  # its time grows with their cube …
MOST_ROWS_TO_TUNE_A_PROCESS = 400  # … and its kernel is fitted to these in so many steps:
TUNING_STEPS = 15  # on California housing as good as a hundred, in half the time
MOST_LENGTHS = 20  # features that get a length scale of their own
TREES, MOST_LEAVES = 300, 1000
WIDE = 200  # inputs with more values than this are first projected …
COMPONENTS = 50  # … on so many principal components; trees see them all


@dataclass(frozen=True)
class Rows:
    """What a family learns from.

    Attributes:
        inputs: raw (N, F) float64, NaN where missing; or images (N, C, H, W) uint8.
        labels: (N,) class indices, or standardised values.
        weights: (N,) what each row counts.
        classes: how many; 0 of values.
    """

    inputs: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    classes: int

    def of(self, places: np.ndarray) -> Rows:
        """Return some of the rows."""
        return replace(
            self, inputs=self.inputs[places], labels=self.labels[places], weights=self.weights[places]
        )


def fit_family(name: str, rows: Rows, seed: int) -> nn.Module:
    """Fit a family: (N, F) raw rows to logits (N, K) or standardised values (N, 1)."""
    from sklearn.exceptions import ConvergenceWarning

    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a kernel at its bound is as good as one inside
        return _FIT[name](rows, seed)


def out_of_fold(name: str, rows: Rows, seed: int) -> Tensor:
    """Return what a family says of each row, fitted on the other folds: logits (N, K) or values (N, 1)."""
    said = torch.zeros(len(rows.labels), max(rows.classes, 1), dtype=torch.float64)
    with one_thread(), torch.inference_mode():
        for held in folds(rows.labels, rows.classes, seed):
            fitted = fit_family(name, rows.of(np.setdiff1d(np.arange(len(rows.labels)), held)), seed)
            said[held] = fitted(torch.from_numpy(rows.inputs[held])).double()
    return said


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep sums in one order whatever the number of cores."""
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(threads)


def folds(labels: np.ndarray, classes: int, seed: int) -> list[np.ndarray]:
    """Return the places of each fold's rows: of every class as many, at most ``FOLDS`` of them."""
    from sklearn.model_selection import KFold, StratifiedKFold

    if not classes:
        parts = KFold(min(FOLDS, len(labels)), shuffle=True, random_state=seed).split(labels)
    else:
        fewest = int(np.unique(labels, return_counts=True)[1].min())
        parts = StratifiedKFold(max(min(FOLDS, fewest), 2), shuffle=True, random_state=seed).split(
            labels, labels
        )
    return [test for _, test in parts]


def _tensor(values: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(np.ascontiguousarray(values), dtype=dtype).reshape(np.shape(values))


def _standardised(inputs: np.ndarray) -> Features:
    """Standard deviations from the mean, at most ``LIMIT``; what is missing is the mean, and says so."""
    mean, std = _moments(inputs)
    return _scaled(inputs, mean, mean - LIMIT * std, mean + LIMIT * std, LIMIT)


def _pixels(inputs: np.ndarray) -> Features:
    """0 … 1: pixels share one unit, and scaling each to its own spread would blow up the corners' noise."""
    nothing = np.zeros(inputs.shape[1])
    return _scaled(inputs, nothing, nothing - 255, nothing + 255, 1.0)


def _scaled(
    inputs: np.ndarray, filling: np.ndarray, low: np.ndarray, high: np.ndarray, end: float
) -> Features:
    knots = np.stack([low, high], axis=1)
    scores = np.broadcast_to([-end, end], knots.shape)
    return Features(
        filling=_tensor(filling), knots=_tensor(knots), scores=_tensor(scores), missing=_missing(inputs)
    )


def _normal_scores(inputs: np.ndarray) -> Features:
    """Each feature's rank as a standard normal value; what is missing is the median, and says so."""
    found = [_ranks(column[~np.isnan(column)]) for column in inputs.T]
    width = max(len(knots) for knots, _ in found)
    padded = [[np.pad(each, (0, width - len(each)), "edge") for each in pair] for pair in found]
    knots, scores = (np.stack(each) for each in zip(*padded, strict=True))
    return Features(
        filling=_tensor(np.nan_to_num(np.nanmedian(np.where(np.isnan(inputs).all(0), 0, inputs), axis=0))),
        knots=_tensor(knots),
        scores=_tensor(scores),
        missing=_missing(inputs),
    )


def _ranks(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots and scores of one feature's known values, two at least."""
    values, counts = np.unique(known, return_counts=True)
    if len(values) < 2:
        value = values[0] if len(values) else 0.0
        return np.array([value, value]), np.zeros(2)
    scores = norm.ppf((counts.cumsum() - counts / 2) / counts.sum())
    kept = np.unique(np.linspace(0, len(values) - 1, KNOTS).round().astype(int))
    return values[kept], scores[kept]


def _below_all(inputs: np.ndarray) -> Features:
    """Raw values; what is missing lies below all others, so that a tree can tell it apart."""
    _, std = _moments(inputs)
    lowest = np.nanmin(np.where(np.isnan(inputs).all(0), 0, inputs), axis=0)
    return Features(filling=_tensor(lowest - std), missing=torch.empty(0, dtype=torch.int64))


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.where(np.isnan(inputs).all(0), 0, inputs)
    mean, std = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    return mean, np.where(std > 1e-12 * np.abs(mean), std, 1.0)


def _missing(inputs: np.ndarray) -> Tensor:
    """Return the features whose absence tells something: the first of those that are missing together."""
    absent = np.isnan(inputs)
    _, first = np.unique(absent, axis=1, return_index=True)
    return _tensor(
        [place for place in sorted(first) if 0 < absent[:, place].sum() < len(inputs)], torch.int64
    )


def _see(rows: Rows, features: Callable[[np.ndarray], Features], seed: int) -> tuple[Features, np.ndarray]:
    """Fit features to rows; what is wide is projected on principal components."""
    from sklearn.decomposition import PCA

    flat = rows.inputs.reshape(len(rows.inputs), -1).astype(np.float64)
    made = (_pixels if rows.inputs.dtype == np.uint8 else features)(flat)
    seen = made(torch.from_numpy(flat)).numpy()
    if seen.shape[1] > WIDE and features is not _below_all:
        components = min(COMPONENTS, len(flat) // 2)
        fitted = PCA(components, svd_solver="randomized", random_state=seed).fit(seen)
        made.mean, made.projection = _tensor(fitted.mean_), _tensor(fitted.components_.T)
        seen = made(torch.from_numpy(flat)).numpy()
    return made, seen


def _linear(rows: Rows, seed: int) -> nn.Module:
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, RidgeCV

    features, seen = _see(rows, _standardised, seed)
    if not rows.classes:
        fitted = RidgeCV(PENALTIES).fit(seen, rows.labels, rows.weights)
        return nn.Sequential(
            features, Linear(weight=_tensor(fitted.coef_)[:, None], bias=_tensor([fitted.intercept_]))
        )
    places = folds(rows.labels, rows.classes, seed)
    everywhere = np.arange(len(rows.labels))
    split = [(np.setdiff1d(everywhere, test), test) for test in places]
    if min(np.bincount(rows.labels, minlength=rows.classes)) < 2:
        fitted = LogisticRegression(max_iter=1000).fit(seen, rows.labels, rows.weights)
    else:
        fitted = LogisticRegressionCV(
            Cs=1 / PENALTIES[::-1],
            cv=split,
            scoring="neg_log_loss",
            max_iter=1000,
            l1_ratios=(0,),
            use_legacy_attributes=False,
        ).fit(seen, rows.labels, rows.weights)
    weight, bias = fitted.coef_.T, fitted.intercept_
    if weight.shape[1] == 1:  # of two classes, the second's
        weight, bias = np.hstack([0 * weight, weight]), np.append(0.0, bias)
    return nn.Sequential(features, Linear(weight=_tensor(weight), bias=_tensor(bias)))


def _gaussian_process(rows: Rows, seed: int) -> nn.Module:
    rows = _heaviest(rows, MOST_ROWS_OF_A_PROCESS, seed)
    features, seen = _see(rows, _normal_scores, seed)
    if not rows.classes:
        return nn.Sequential(features, _process(seen, rows.labels, rows.weights, seed))
    classes = [1] if rows.classes == 2 else range(rows.classes)
    each = (_process(seen, rows.labels == label, rows.weights, seed) for label in classes)
    return nn.Sequential(features, ProcessOfClasses(each))


def _heaviest(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most so many rows: those that count most, of equals a random choice."""
    shuffled = np.random.default_rng(seed).permutation(len(rows.labels))
    return rows.of(np.sort(shuffled[np.argsort(-rows.weights[shuffled], kind="stable")[:most]]))


def _process(seen: np.ndarray, labels: np.ndarray, weights: np.ndarray, seed: int) -> nn.Module:
    """Fit a kernel to some rows, and with it a process to all: of values, or of yes and no (bool)."""
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    values, width = labels.dtype != bool, seen.shape[1]
    lengths = np.ones(width) if values and width <= MOST_LENGTHS else np.sqrt(width)
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(lengths, (1e-1, 1e3), nu=1.5)
    few = np.random.default_rng(seed).permutation(len(labels))[:MOST_ROWS_TO_TUNE_A_PROCESS]
    if values:
        tuned = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-3, 3)), alpha=1e-6, optimizer=_descend)
        tuned = tuned.fit(seen[few], labels[few]).kernel_
        noise = tuned.k2.noise_level / np.maximum(weights, 1e-3)
        fitted = GaussianProcessRegressor(tuned.k1, alpha=noise, optimizer=None).fit(seen, labels)
        return ProcessOfValues(_kernel(fitted.kernel_, seen), dual=_tensor(fitted.alpha_).reshape(-1, 1))
    tuned = kernel
    if 0 < labels[few].sum() < len(few):
        tuned = GaussianProcessClassifier(kernel, optimizer=_descend).fit(seen[few], labels[few]).kernel_
    fitted = GaussianProcessClassifier(tuned, optimizer=None).fit(seen, labels).base_estimator_
    return ProcessOfClass(
        _kernel(fitted.kernel_, seen),
        dual=_tensor(fitted.y_train_ - fitted.pi_),
        roots=_tensor(fitted.W_sr_),
        factor=_tensor(fitted.L_),
    )


def _descend(cost: Callable[..., Any], start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    found = minimize(
        cost, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": TUNING_STEPS}
    )
    return found.x, found.fun


def _kernel(fitted: Any, seen: np.ndarray) -> Kernel:
    return Kernel(
        learned=_tensor(seen),
        length=_tensor(np.atleast_1d(fitted.k2.length_scale)),
        variance=_tensor(fitted.k1.constant_value),
    )


def _support_vectors(rows: Rows, seed: int) -> nn.Module:
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC, SVR

    features, seen = _see(rows, _standardised, seed)
    gamma = 1 / (seen.shape[1] * max(seen.var(), 1e-12))
    everywhere = np.arange(len(rows.labels))
    split = [(np.setdiff1d(everywhere, test), test) for test in folds(rows.labels, rows.classes, seed)]
    grid = {"C": [1.0, 10.0, 100.0], "gamma": [gamma, gamma / 3]}
    search = GridSearchCV(SVC() if rows.classes else SVR(), grid, cv=split)
    fitted = search.fit(seen, rows.labels, sample_weight=rows.weights).best_estimator_
    dual, bias = fitted.dual_coef_.T, fitted.intercept_
    if rows.classes > 2:
        dual = _of_pairs(fitted.dual_coef_, fitted.n_support_)
    elif rows.classes:  # scikit-learn turns the sign of the only pair
        dual, bias = -dual, -bias
    head = SupportVectors(
        learned=_tensor(fitted.support_vectors_),
        dual=_tensor(dual),
        bias=_tensor(bias),
        gamma=_tensor(fitted.gamma),
        classes=torch.tensor(rows.classes),
    )
    return nn.Sequential(features, head)


def _of_pairs(dual: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the coefficients (S, P) of every pair of classes, of libsvm's (K - 1, S)."""
    classes, of_class = len(counts), np.repeat(np.arange(len(counts)), counts)
    pairs = [(i, j) for i in range(classes) for j in range(i + 1, classes)]
    return np.stack(
        [np.where(of_class == i, dual[j - 1], 0) + np.where(of_class == j, dual[i], 0) for i, j in pairs],
        axis=1,
    )


def _boosting(rows: Rows, seed: int) -> nn.Module:
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

    features, seen = _see(rows, _below_all, seed)
    kind = GradientBoostingClassifier if rows.classes else GradientBoostingRegressor
    size = (
        {"n_estimators": 100, "max_depth": 3, "max_features": "sqrt"}
        if rows.classes
        else {"n_estimators": 400, "max_depth": 5, "max_features": 0.5}
    )
    model = kind(learning_rate=0.05, subsample=0.6, min_samples_leaf=3, random_state=seed, **size)
    model.fit(seen, rows.labels, rows.weights)
    outputs = max(rows.classes, 1)
    columns = [1] if rows.classes == 2 else range(outputs)  # of two classes, trees speak of the second
    parts = [
        (tree, model.learning_rate * tree.value[:, 0, :1] * np.eye(outputs)[column])
        for row in model.estimators_
        for tree, column in zip((each.tree_ for each in row), columns, strict=True)
    ]
    head = Trees(**_forest(parts), start=torch.zeros(outputs, dtype=torch.float64))
    said = model.decision_function(seen[:1]) if rows.classes else model.predict(seen[:1])[:, None]
    if rows.classes == 2:
        said = np.stack([[0.0], said], axis=1)
    head.start = _tensor(said[0]) - head(torch.tensor(seen[:1]))[0]
    return nn.Sequential(features, head)


def _forest_of(rows: Rows, seed: int) -> nn.Module:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    features, seen = _see(rows, _below_all, seed)
    kind = RandomForestClassifier if rows.classes else RandomForestRegressor
    size = (
        {"min_samples_leaf": 2, "max_features": "sqrt"}
        if rows.classes
        else {"min_samples_leaf": 1, "max_features": 0.5}
    )
    model = kind(TREES, max_leaf_nodes=MOST_LEAVES, random_state=seed, **size)
    model.fit(seen, rows.labels, rows.weights)
    parts = [(each.tree_, each.tree_.value[:, 0] / TREES) for each in model.estimators_]
    outputs = max(rows.classes, 1)
    head = (Frequencies if rows.classes else Trees)(
        **_forest(parts), start=torch.zeros(outputs, dtype=torch.float64)
    )
    return nn.Sequential(features, head)


def _forest(parts: list[tuple[Any, np.ndarray]]) -> dict[str, Tensor]:
    """Return the arrays of ``Trees``, of scikit-learn's trees with their nodes' values (M, K)."""
    nodes = max(tree.node_count for tree, _ in parts)
    itself = np.arange(nodes)

    def padded(values: np.ndarray, dtype: torch.dtype) -> Tensor:
        return _tensor(
            np.stack(
                [np.pad(each, [(0, nodes - len(each)), *[(0, 0)] * (each.ndim - 1)]) for each in values]
            ),
            dtype,
        )

    def children(name: str) -> Tensor:
        ends = [getattr(tree, name) for tree, _ in parts]
        return padded([np.where(each < 0, itself[: len(each)], each) for each in ends], torch.int32)

    return {
        "feature": padded([np.maximum(tree.feature, 0) for tree, _ in parts], torch.int32),
        "left": children("children_left"),
        "right": children("children_right"),
        "threshold": padded([tree.threshold for tree, _ in parts], torch.float64),
        "value": padded([value for _, value in parts], torch.float32),
        "depth": torch.tensor(max(tree.max_depth for tree, _ in parts)),
    }


_FIT: dict[str, Callable[[Rows, int], nn.Module]] = {
    "linear": _linear,
    "gaussian_process": _gaussian_process,
    "support_vectors": _support_vectors,
    "boosting": _boosting,
    "forest": _forest_of,
}
