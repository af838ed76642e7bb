"""The rows that a family learns from, and how they are folded."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selfsame.model.device import side_by_side

FOLDS = 5


@dataclass(frozen=True)
class Rows:
    """What a family learns from.

    Attributes:
        inputs: raw (N, F) float64, NaN where missing; or images (N, C, H, W) uint8.
        labels: (N,) class indices, or standardised values.
        weights: (N,) what each row counts.
        classes: how many; 0 of values.
        folds: of a cross-validation; without any, families take their defaults and search nothing.
        unlabeled: (U, F) raw rows of the pool, for a family that learns from them too.
    """

    inputs: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    classes: int
    folds: int = FOLDS
    unlabeled: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    def of(self, places: np.ndarray) -> Rows:
        """Return some of the rows."""
        return replace(
            self, inputs=self.inputs[places], labels=self.labels[places], weights=self.weights[places]
        )

    @property
    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The places of the rows to learn and of those to judge, for each of at most ``folds`` folds.

        Every class is in each fold as often as can be; there are none where a class has a single row.
        """
        from sklearn.model_selection import StratifiedKFold

        strata = (self.labels * min(self.classes, 1)).astype(np.int64)  # values are of one class
        folds = min(self.folds, int(np.unique(strata, return_counts=True)[1].min()))
        if folds < 2:
            return []
        return list(StratifiedKFold(folds, shuffle=True, random_state=0).split(strata, strata))

    @property
    def halved_splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The same, to learn from every other row; none where that leaves out a class."""
        halves = []
        for learned, held in self.splits:
            half = np.sort(learned[np.argsort(self.labels[learned], kind="stable")[::2]])
            if len(np.unique(self.labels[half])) < max(self.classes, 2):
                return []
            halves.append((half, held))
        return halves


def together(rows: Rows, extra: Rows | None) -> Rows:
    """Return both, one after the other."""
    if extra is None:
        return rows
    return replace(
        rows,
        inputs=np.concatenate([rows.inputs, extra.inputs]),
        labels=np.concatenate([rows.labels, extra.labels]),
        weights=np.concatenate([rows.weights, extra.weights]),
    )


def heaviest(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most so many rows: those that count most, of equals a random choice."""
    shuffled = np.random.default_rng(seed).permutation(len(rows.labels))
    return rows.of(np.sort(shuffled[np.argsort(-rows.weights[shuffled], kind="stable")[:most]]))


@contextmanager
def one_thread() -> Iterator[ThreadPoolExecutor]:
    """Keep sums in one order whatever the number of cores; these may work side by side, on a fit each."""
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    threads, own = side_by_side(), torch.get_num_threads()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a kernel at its bound is as good as one inside
        torch.set_num_threads(1)
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    torch.set_num_threads(own)


def tensor(values: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return a tensor of an array, whatever its memory's order."""
    return torch.tensor(np.ascontiguousarray(values), dtype=dtype).reshape(np.shape(values))
