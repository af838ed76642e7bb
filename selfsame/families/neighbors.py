"""Fitting label spreading: labels go along a graph of near rows, those of the pool among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from selfsame.families import estimators
from selfsame.families.features import alike, see, standardised
from selfsame.families.rows import Rows, heaviest, tensor
from selfsame.model.fitted import Neighbors, NeighborsOfClasses

NEAREST = 7
FOLLOWED, STEPS = 0.5, 30  # how far a row follows its neighbors rather than its label; how often
MOST_ROWS = 2000  # with a label
DOUBT = 1e-3  # of the mean label in every row's: what no neighbor says is not impossible


def neighbors(rows: Rows, seed: int) -> nn.Module:
    """Spread labels over rows and the unlabeled ones that they bring along (Zhou et al., 2004).

    All features get one scale where labels of near rows then agree more often, beyond a standard error: of
    pixels, which share a unit, one for each would blow up the corners' noise.
    """
    from scipy.sparse import diags

    rows = heaviest(rows, MOST_ROWS, seed)
    truth = estimators.truth(rows)
    each, one = (see(rows, scale, seed) for scale in (standardised, alike))
    errors = [((_near(seen) @ truth - truth) ** 2).sum(axis=1) for _, seen in (each, one)]
    gain = errors[0] - errors[1]
    features, graph = one if gain.mean() > gain.std() / len(gain) ** 0.5 else each
    if len(rows.unlabeled):
        graph = np.concatenate([graph, features(torch.from_numpy(rows.unlabeled)).numpy()])
    edges = _near(graph) > 0
    edges = (edges + edges.T).astype(np.float64)
    root = diags(edges.sum(axis=1).A1 ** -0.5)
    edges = FOLLOWED * root @ edges @ root
    given = np.zeros((len(graph), truth.shape[1] + 1))  # a row's label, and how much it counts
    given[: len(truth)] = rows.weights[:, None] * np.append(truth, np.ones((len(truth), 1)), axis=1)
    spread = given
    for _ in range(STEPS):
        spread = edges @ spread + (1 - FOLLOWED) * given
    mean = truth.mean(axis=0)
    reached = spread[:, -1:] > 0
    said = np.where(reached, spread[:, :-1] / np.where(reached, spread[:, -1:], 1), mean)
    kind = NeighborsOfClasses if rows.classes > 0 else Neighbors
    head = kind(
        learned=tensor(graph),
        said=tensor((1 - DOUBT) * said + DOUBT * mean),
        nearest=torch.tensor(min(NEAREST, len(graph))),
    )
    return nn.Sequential(features, head)


def _near(seen: np.ndarray) -> Any:
    """Return a sparse matrix (N, N): of each row, the nearest others, whose shares add up to 1."""
    from sklearn.neighbors import NearestNeighbors

    nearest = min(NEAREST, len(seen) - 1)
    return NearestNeighbors(n_neighbors=nearest, algorithm="brute").fit(seen).kneighbors_graph() / nearest
