"""Fitting what turns raw rows into the features that a family learns from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from selfsame.families.rows import Rows, tensor
from selfsame.model.families import Features

LIMIT = 4.0  # standard deviations: farther out a feature says only that it is extreme
KNOTS = 200  # of a feature's normal scores
WIDE = 200  # inputs with more values than this are first projected …
COMPONENTS = 50  # … on so many principal components; trees see them all


def standardised(inputs: np.ndarray) -> Features:
    """Standard deviations from the mean, at most ``LIMIT``; what is missing is the mean, and says so."""
    mean, std = _moments(inputs)
    return _scaled(inputs, mean, mean - LIMIT * std, mean + LIMIT * std, LIMIT)


def alike(inputs: np.ndarray) -> Features:
    """Differences from the mean, of all features in one unit; what is missing is the mean, and says so."""
    mean, _ = _moments(inputs)
    std = np.nanstd(np.where(np.isnan(inputs).all(0), 0, inputs), axis=0)
    reach = LIMIT * (std.max() or 1.0)
    unit = (std**2).mean() ** 0.5 or 1.0
    return _scaled(inputs, mean, mean - reach, mean + reach, reach / unit)


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
        filling=tensor(filling), knots=tensor(knots), scores=tensor(scores), missing=_missing(inputs)
    )


def normal_scores(inputs: np.ndarray) -> Features:
    """Each feature's rank as a standard normal value; what is missing is the median, and says so."""
    found = [_ranks(column[~np.isnan(column)]) for column in inputs.T]
    width = max(len(knots) for knots, _ in found)
    padded = [[np.pad(each, (0, width - len(each)), "edge") for each in pair] for pair in found]
    knots, scores = (np.stack(each) for each in zip(*padded, strict=True))
    return Features(
        filling=tensor(np.nan_to_num(np.nanmedian(np.where(np.isnan(inputs).all(0), 0, inputs), axis=0))),
        knots=tensor(knots),
        scores=tensor(scores),
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


def below_all(inputs: np.ndarray) -> Features:
    """Raw values; what is missing lies below all others, so that a tree can tell it apart."""
    _, std = _moments(inputs)
    lowest = np.nanmin(np.where(np.isnan(inputs).all(0), 0, inputs), axis=0)
    return Features(filling=tensor(lowest - std), missing=torch.empty(0, dtype=torch.int64))


def _moments(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.where(np.isnan(inputs).all(0), 0, inputs)
    mean, std = np.nanmean(known, axis=0), np.nanstd(known, axis=0)
    return mean, np.where(std > 1e-12 * np.abs(mean), std, 1.0)


def _missing(inputs: np.ndarray) -> Tensor:
    """Return the features whose absence tells something: the first of those that are missing together."""
    absent = np.isnan(inputs)
    if not absent.any():
        return tensor([], torch.int64)
    _, first = np.unique(absent, axis=1, return_index=True)
    return tensor([place for place in sorted(first) if 0 < absent[:, place].sum() < len(inputs)], torch.int64)


def see(rows: Rows, features: Callable[[np.ndarray], Features], seed: int) -> tuple[Features, np.ndarray]:
    """Fit features to rows; what is wide is projected on principal components."""
    from sklearn.decomposition import PCA

    flat = rows.inputs.reshape(len(rows.inputs), -1).astype(np.float64)
    made = (_pixels if rows.inputs.dtype == np.uint8 else features)(flat)
    seen = made(torch.from_numpy(flat)).numpy()
    if seen.shape[1] > WIDE and features is not below_all:
        components = min(COMPONENTS, len(flat) // 2)
        fitted = PCA(components, svd_solver="randomized", random_state=seed).fit(seen)
        made.mean, made.projection = tensor(fitted.mean_), tensor(fitted.components_.T)
        seen = made.projected(torch.from_numpy(seen)).numpy()
    return made, seen
