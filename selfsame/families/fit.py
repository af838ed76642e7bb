"""Fitting the families of tables: scikit-learn fits, and what it found becomes a module's arrays.

Everything is fitted on one thread: the same rows give the same bits on any number of cores.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from selfsame.families import estimators
from selfsame.families.features import see, standardised
from selfsame.families.kernels import gaussian_process, support_vectors
from selfsame.families.neighbors import neighbors
from selfsame.families.rows import Rows, one_thread, tensor, together
from selfsame.families.trees import boosting, extra_trees, forest
from selfsame.model.families import Linear


def fit_family(name: str, rows: Rows, seed: int, extra: Rows | None = None) -> nn.Module:
    """Fit a family: (N, F) raw rows to logits (N, K) or standardised values (N, 1).

    Args:
        extra: further rows, with labels of a teacher; label spreading, which labels the pool itself, needs
            none of them.
    """
    from sklearn.exceptions import ConvergenceWarning

    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a kernel at its bound is as good as one inside
        return _FIT[name](rows if name == "neighbors" else together(rows, extra), seed)


def out_of_fold(
    name: str, rows: Rows, seed: int, splits: list[tuple[np.ndarray, np.ndarray]] | None = None
) -> Tensor:
    """Return what a family says of each row, fitted on the other folds: logits (N, K) or values (N, 1).

    Args:
        splits: the places of rows to learn and of rows to judge; None for those of the rows.
    """
    said = torch.zeros(len(rows.labels), max(rows.classes, 1), dtype=torch.float64)
    with one_thread(), torch.inference_mode():
        for others, held in rows.splits if splits is None else splits:
            fitted = fit_family(name, rows.of(others), seed)
            said[held] = fitted(torch.from_numpy(rows.inputs[held])).double()
    return said


def linear(rows: Rows, seed: int) -> nn.Module:
    """Fit logistic or ridge regression, its penalty by cross-validation."""
    features, seen = see(rows, standardised, seed)
    fitted = estimators.linear(rows).fit(seen, rows.labels, rows.weights)
    weight, bias = np.atleast_2d(fitted.coef_).T, np.atleast_1d(fitted.intercept_)
    if rows.classes == 2:  # of two classes, the second's
        weight, bias = np.hstack([0 * weight, weight]), np.append(0.0, bias)
    return nn.Sequential(features, Linear(weight=tensor(weight), bias=tensor(bias)))


_FIT: dict[str, Callable[[Rows, int], nn.Module]] = {
    "linear": linear,
    "gaussian_process": gaussian_process,
    "support_vectors": support_vectors,
    "boosting": boosting,
    "forest": forest,
    "extra_trees": extra_trees,
    "neighbors": neighbors,
}
