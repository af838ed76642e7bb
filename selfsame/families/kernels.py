"""Fitting Gaussian processes and support vector machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from selfsame.families import estimators
from selfsame.families.features import normal_scores, see, standardised
from selfsame.families.rows import Rows, heaviest, tensor
from selfsame.model.fitted import Kernel, ProcessOfClass, ProcessOfClasses, ProcessOfValues, SupportVectors

MOST_ROWS_TO_TUNE_A_PROCESS = 400  # its kernel is fitted to these in so many steps:
TUNING_STEPS = 15  # on California housing as good as a hundred, in half the time
MOST_ROWS_OF_SUPPORT_VECTORS = 5000  # its time grows with their square …
MOST_ROWS_TO_TUNE_SUPPORT_VECTORS = 2000  # … and it is fitted thirty times to find its cost and width
MOST_LENGTHS = 20  # features that get a length scale of their own


def gaussian_process(rows: Rows, seed: int) -> nn.Module:
    """Fit a Gaussian process; of classes, one for each against the others."""
    rows = heaviest(rows, estimators.most_of_a_process(rows), seed)
    features, seen = see(rows, normal_scores, seed)
    if rows.classes == 0:
        return nn.Sequential(features, _process(seen, rows.labels, rows.weights, seed))
    classes = [1] if rows.classes == 2 else range(rows.classes)
    each = (_process(seen, rows.labels == label, rows.weights, seed) for label in classes)
    return nn.Sequential(features, ProcessOfClasses(each))


def _process(seen: np.ndarray, labels: np.ndarray, weights: np.ndarray, seed: int) -> nn.Module:
    """Fit a kernel to some rows, and with it a process to all: of values, or of yes and no (bool)."""
    from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    values, width = labels.dtype != bool, seen.shape[1]
    lengths = np.ones(width) if values and width <= MOST_LENGTHS else np.sqrt(width)
    kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(lengths, (1e-1, 1e3), nu=1.5)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    few = shuffled[np.argsort(-weights[shuffled], kind="stable")[:MOST_ROWS_TO_TUNE_A_PROCESS]]
    if values:
        tuned = GaussianProcessRegressor(kernel + WhiteKernel(0.1, (1e-3, 3)), alpha=1e-6, optimizer=_descend)
        tuned = tuned.fit(seen[few], labels[few]).kernel_
        noise = tuned.k2.noise_level / np.maximum(weights, 1e-3)
        fitted = GaussianProcessRegressor(tuned.k1, alpha=noise, optimizer=None).fit(seen, labels)
        return ProcessOfValues(_kernel(fitted.kernel_, seen), dual=tensor(fitted.alpha_).reshape(-1, 1))
    tuned = kernel
    if 0 < labels[few].sum() < len(few):
        tuned = GaussianProcessClassifier(kernel, optimizer=_descend).fit(seen[few], labels[few]).kernel_
    fitted = GaussianProcessClassifier(tuned, optimizer=None).fit(seen, labels).base_estimator_
    return ProcessOfClass(
        _kernel(fitted.kernel_, seen),
        dual=tensor(fitted.y_train_ - fitted.pi_),
        roots=tensor(fitted.W_sr_),
        factor=tensor(fitted.L_),
    )


def _descend(cost: Callable[..., Any], start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    found = minimize(
        cost, start, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": TUNING_STEPS}
    )
    return found.x, found.fun


def _kernel(fitted: Any, seen: np.ndarray) -> Kernel:
    return Kernel(
        learned=tensor(seen),
        length=tensor(np.atleast_1d(fitted.k2.length_scale)),
        variance=tensor(fitted.k1.constant_value),
    )


def support_vectors(rows: Rows, seed: int) -> nn.Module:
    """Fit a support vector machine, its cost and its kernel's width by cross-validation."""
    rows = heaviest(rows, MOST_ROWS_OF_SUPPORT_VECTORS, seed)
    features, seen = see(rows, standardised, seed)
    gamma = 1 / (seen.shape[1] * max(seen.var(), 1e-12))
    few = heaviest(replace(rows, inputs=seen), MOST_ROWS_TO_TUNE_SUPPORT_VECTORS, seed)
    search = estimators.support_vectors(few, gamma)
    fitted = search.fit(few.inputs, few.labels, sample_weight=few.weights).best_estimator_
    if len(few.labels) < len(seen):
        fitted = fitted.fit(seen, rows.labels, rows.weights)
    dual, bias = fitted.dual_coef_.T, fitted.intercept_
    if rows.classes > 2:
        dual = _of_pairs(fitted.dual_coef_, fitted.n_support_)
    elif rows.classes == 2:  # scikit-learn turns the sign of the only pair
        dual, bias = -dual, -bias
    head = SupportVectors(
        learned=tensor(fitted.support_vectors_),
        dual=tensor(dual),
        bias=tensor(bias),
        gamma=tensor(fitted.gamma),
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
