"""Fitting trees: boosting and forests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selfsame.families import estimators
from selfsame.families.features import below_all, see
from selfsame.families.rows import Rows, tensor
from selfsame.model.fitted import Frequencies, Trees


def boosting(rows: Rows, seed: int) -> nn.Module:
    """Fit gradient boosting."""
    features, seen = see(rows, below_all, seed)
    seen = seen.astype(np.float32)  # as trees compare
    outputs = max(rows.classes, 1)
    model = estimators.boosting(rows, seed).fit(seen, rows.labels, rows.weights)
    columns = [1] if rows.classes == 2 else range(outputs)  # of two classes, trees speak of the second
    parts = [
        (tree, tree.value * np.eye(outputs)[column])
        for step in _steps(model)
        for tree, column in zip(step, columns, strict=True)
    ]
    head = Trees(**_forest(parts), start=torch.zeros(outputs, dtype=torch.float64))
    said = getattr(model, "decision_function", model.predict)(seen[:1]).reshape(1, -1)
    if rows.classes == 2:
        said = np.append([[0.0]], said, axis=1)
    head.start = tensor(said[0]) - head(torch.from_numpy(seen[:1]))[0]
    return nn.Sequential(features, head)


def _steps(model: Any) -> list[list[Tree]]:
    """Return the trees of boosting, one for each output, step by step."""
    if not hasattr(model, "estimators_"):  # by histograms
        return [[_grown(each.nodes) for each in step] for step in model._predictors]
    trees = [[each.tree_ for each in step] for step in model.estimators_]
    return [[Tree.of(each, model.learning_rate * each.value[:, 0, :1]) for each in step] for step in trees]


def _grown(nodes: np.ndarray) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[name].astype(np.int64)) for name in ("left", "right"))
    value = np.where(leaf, nodes["value"], 0)[:, None]
    return Tree(nodes["feature_idx"], left, right, nodes["num_threshold"], value, int(nodes["depth"].max()))


def forest(rows: Rows, seed: int, kind: str = "RandomForest") -> nn.Module:
    """Fit a forest of scikit-learn's."""
    features, seen = see(rows, below_all, seed)
    model = estimators.forest(rows, seed, kind).fit(seen, rows.labels, rows.weights)
    trees = [Tree.of(each.tree_, each.tree_.value[:, 0] / len(model)) for each in model.estimators_]
    arrays = _forest([(tree, tree.value) for tree in trees])
    grown = Frequencies if hasattr(model, "predict_proba") else Trees
    head = grown(**arrays, start=torch.zeros(max(rows.classes, 1), dtype=torch.float64))
    return nn.Sequential(features, head)


@dataclass(frozen=True)
class Tree:
    """One tree of M nodes: what each asks, where it leads (-1 from a leaf), what it adds (M, K)."""

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    depth: int

    @classmethod
    def of(cls, tree: Any, value: np.ndarray) -> Tree:
        """Take scikit-learn's tree."""
        return cls(
            tree.feature, tree.children_left, tree.children_right, tree.threshold, value, tree.max_depth
        )


def _forest(parts: list[tuple[Tree, np.ndarray]]) -> dict[str, Tensor]:
    """Return the arrays of ``Trees``, of trees with their nodes' values (M, K)."""
    nodes = max(len(tree.feature) for tree, _ in parts)

    def padded(values: list[np.ndarray], dtype: torch.dtype) -> Tensor:
        widths = [[(0, nodes - len(each)), *[(0, 0)] * (each.ndim - 1)] for each in values]
        return tensor(np.stack([np.pad(*each) for each in zip(values, widths, strict=True)]), dtype)

    def children(ends: list[np.ndarray]) -> Tensor:
        return padded([np.where(each < 0, np.arange(len(each)), each) for each in ends], torch.int32)

    return {
        "feature": padded([np.maximum(tree.feature, 0) for tree, _ in parts], torch.int32),
        "left": children([tree.left for tree, _ in parts]),
        "right": children([tree.right for tree, _ in parts]),
        "threshold": padded([tree.threshold for tree, _ in parts], torch.float64),
        "value": padded([value for _, value in parts], torch.float32),
        "depth": torch.tensor(max(tree.depth for tree, _ in parts)),
    }
