"""The rows that a family learns from, and how they are folded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

FOLDS = 5


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

    @property
    def splits(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The places of the rows to learn and of those to judge, for each fold."""
        everywhere = np.arange(len(self.labels))
        return [(np.setdiff1d(everywhere, held), held) for held in folds(self.labels, self.classes)]


def together(rows: Rows, extra: Rows | None) -> Rows:
    """Return both, one after the other."""
    if extra is None:
        return rows
    return Rows(
        np.concatenate([rows.inputs, extra.inputs]),
        np.concatenate([rows.labels, extra.labels]),
        np.concatenate([rows.weights, extra.weights]),
        rows.classes,
    )


def heaviest(rows: Rows, most: int, seed: int) -> Rows:
    """Return at most so many rows: those that count most, of equals a random choice."""
    shuffled = np.random.default_rng(seed).permutation(len(rows.labels))
    return rows.of(np.sort(shuffled[np.argsort(-rows.weights[shuffled], kind="stable")[:most]]))


def folds(labels: np.ndarray, classes: int) -> list[np.ndarray]:
    """Return the places of each fold's rows: of every class as many, at most ``FOLDS`` of them."""
    from sklearn.model_selection import KFold, StratifiedKFold

    if not classes:
        parts = KFold(min(FOLDS, len(labels)), shuffle=True, random_state=0).split(labels)
    else:
        fewest = int(np.unique(labels, return_counts=True)[1].min())
        parts = StratifiedKFold(max(min(FOLDS, fewest), 2), shuffle=True, random_state=0).split(
            labels, labels
        )
    return [test for _, test in parts]


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep sums in one order whatever the number of cores."""
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        yield
    torch.set_num_threads(threads)


def tensor(values: Any, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return a tensor of an array, whatever its memory's order."""
    return torch.tensor(np.ascontiguousarray(values), dtype=dtype).reshape(np.shape(values))
