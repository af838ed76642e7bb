"""Which pool rows to ask for: the most uncertain, and among those, rows that differ.

The pool is read once, a batch at a time: only the best candidates so far stay in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from selfsame.active.uncertainty import (
    bald,
    dropout_masks,
    dropout_samples,
    entropy,
    least_confidence,
    margin,
    softmax,
)
from selfsame.core.errors import SelfsameError
from selfsame.params.active_learning import ActiveLearningParams, Bald

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
OF_PROBABILITIES = {"least_confidence": least_confidence, "margin": margin, "entropy": entropy}


@dataclass(frozen=True)
class Candidates:
    """Rows that may be asked for, the most uncertain first once they were chosen.

    Attributes:
        positions: (N,) int64 in the pool.
        scores: (N,) float64; the larger, the sooner it is asked for.
        guesses: (N,) int64, the model's class.
        features: (N, D) float32, the space in which rows differ.
    """

    positions: np.ndarray
    scores: np.ndarray
    guesses: np.ndarray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, places: np.ndarray) -> Self:
        """Return some of them, in the order of ``places``."""
        return type(self)(
            self.positions[places], self.scores[places], self.guesses[places], self.features[places]
        )

    def joined(self, other: Self) -> Self:
        """Return these, then those."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return type(self)(*(np.concatenate(pair) for pair in pairs))


def build_score(own: ActiveLearningParams, weights: np.ndarray, biases: np.ndarray, dropout: float) -> Score:
    """Return the strategy: from probabilities (N, K) and features (N, D) to scores (N,), larger first.

    Args:
        weights, biases: of the last layer, (K, D) and (K,).
        dropout: the rate before it.

    Raises:
        SelfsameError: BALD is asked of a model without dropout.
    """
    if own.strategy == "random":
        random = np.random.default_rng(own.seed)
        return lambda probabilities, _: random.random(len(probabilities))
    if isinstance(own, Bald):
        if not dropout:
            raise SelfsameError(
                "params.yaml: active_learning.strategy = 'bald', but the model has no dropout to sample from",
                "set model.dropout and train again, or choose margin",
            )
        masks = dropout_masks(own.dropout_samples, weights.shape[1], dropout, own.seed)
        return lambda _, features: bald(dropout_samples(features, masks, weights, biases))
    return lambda probabilities, _: OF_PROBABILITIES[own.strategy](probabilities)


def score_batches(
    batches: Iterable[tuple[np.ndarray, np.ndarray]], weights: np.ndarray, biases: np.ndarray, score: Score
) -> Iterator[Candidates]:
    """Score pairs of positions (N,) and features (N, D) as they come."""
    for positions, features in batches:
        probabilities = softmax(features @ weights.T + biases)
        yield Candidates(positions, score(probabilities, features), probabilities.argmax(axis=1), features)


def most_uncertain(batches: Iterable[Candidates], rows: int) -> Candidates | None:
    """Return the ``rows`` candidates of the largest scores, largest first; equal ones in their order."""
    best = None
    for batch in batches:
        found = batch if best is None else best.joined(batch)
        best = found.take(np.argsort(-found.scores, kind="stable")[:rows])
    return best


def choose(candidates: Candidates, own: ActiveLearningParams, known: np.ndarray) -> Candidates:
    """Return the rows to ask for, the most uncertain first.

    Args:
        candidates: the most uncertain first.
        known: (L, D) features of the labeled rows.
    """
    if own.chosen_by == "none" or len(candidates) <= own.rows:
        return candidates.take(np.arange(min(own.rows, len(candidates))))
    if own.chosen_by == "k_means":
        places = one_of_each_cluster(candidates, own.rows, own.seed)
    else:
        places = farthest_first(candidates.features, known, own.rows)
    return candidates.take(np.sort(places))


def one_of_each_cluster(candidates: Candidates, rows: int, seed: int) -> np.ndarray:
    """Return the places of the most uncertain candidate of every k-means cluster, weighted by the scores.

    Zhdanov, "Diverse mini-batch Active Learning", 2019, who takes the one nearest to the centre. Where
    fewer than ``rows`` differ at all, the most uncertain of the others follow.
    """
    from sklearn.cluster import KMeans

    different = len(np.unique(candidates.features, axis=0))
    clusters = KMeans(min(rows, different), n_init=1, random_state=seed).fit_predict(
        candidates.features, sample_weight=np.maximum(candidates.scores, np.finfo(np.float32).tiny)
    )
    _, first = np.unique(clusters, return_index=True)
    others = np.setdiff1d(np.arange(len(candidates)), first)
    return np.concatenate([first, others[: rows - len(first)]])


def farthest_first(features: np.ndarray, known: np.ndarray, rows: int) -> np.ndarray:
    """Return the places of ``rows`` features (N, D), each the farthest from all known and chosen ones.

    The greedy k-centre of Sener and Savarese, "Active Learning for Convolutional Neural Networks: A Core-Set
    Approach", ICLR 2018, algorithm 1. Of equally far ones the first is chosen.
    """
    nearest = np.full(len(features), np.inf)
    for centre in known:
        nearest = np.minimum(nearest, np.linalg.norm(features - centre, axis=1))
    chosen: list[int] = []
    for _ in range(rows):
        place = int(nearest.argmax())
        chosen.append(place)
        nearest = np.minimum(nearest, np.linalg.norm(features - features[place], axis=1))
        nearest[chosen] = -np.inf
    return np.array(chosen)
