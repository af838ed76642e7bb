"""Fitting the families of tables: scikit-learn fits, and what it found becomes a module's arrays.

Each is fitted on one thread, several side by side: the same rows give the same bits on any number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import product

import numpy as np
import torch
from torch import Tensor, nn

from selfsame.families import estimators
from selfsame.families.features import see, standardised
from selfsame.families.kernels import gaussian_process, support_vectors
from selfsame.families.neighbors import neighbors
from selfsame.families.rows import Rows, one_thread, tensor, together
from selfsame.families.trees import boosting, forest
from selfsame.model.fitted import Linear


def fit_families(names: Iterable[str], rows: Rows, seed: int, extra: Rows | None = None) -> list[nn.Module]:
    """Fit families: (N, F) raw rows to logits (N, K) or standardised values (N, 1).

    Args:
        extra: further rows, with labels of a teacher; label spreading, which labels the pool itself, needs
            none of them.
    """

    def fit(name: str) -> nn.Module:
        return _FIT[name](rows if name == "neighbors" else together(rows, extra), seed)

    with one_thread() as side_by_side:
        return list(side_by_side.map(fit, names))


def out_of_fold(
    names: Iterable[str], rows: Rows, seed: int, splits: list[tuple[np.ndarray, np.ndarray]] | None = None
) -> Tensor:
    """Return what M families say of each row, fitted on the other folds: logits (M, N, K), values (M, N, 1).

    Args:
        splits: the places of rows to learn and of rows to judge; None for those of the rows.
    """
    names = list(names)
    said = torch.zeros(len(names), len(rows.labels), max(rows.classes, 1), dtype=torch.float64)

    @torch.inference_mode()
    def judge(fold: tuple[int, tuple[np.ndarray, np.ndarray]]) -> None:
        member, (others, held) = fold
        fitted = _FIT[names[member]](rows.of(others), seed)
        said[member, held] = fitted(torch.from_numpy(rows.inputs[held])).double()

    with one_thread() as side_by_side:
        list(side_by_side.map(judge, product(range(len(names)), rows.splits if splits is None else splits)))
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
    "extra_trees": partial(forest, kind="ExtraTrees"),
    "neighbors": neighbors,
}
