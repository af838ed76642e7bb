"""How uncertain a model is of a row: one number, and the larger, the more uncertain. Always.

Every function takes probabilities and returns (N,) float64. Settles, "Active Learning Literature Survey",
2009, section 3.1, has the first three; BALD is Houlsby et al., 2011, by dropout samples as in Gal, Islam and
Ghahramani, "Deep Bayesian Active Learning with Image Data", ICML 2017.
"""

from collections.abc import Iterable, Iterator

import numpy as np

TINY = np.finfo(np.float64).tiny


def least_confidence(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 − the largest of (N, K) probabilities."""
    return 1 - probabilities.max(axis=1).astype(np.float64)


def margin(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 − the distance between the two largest of (N, K) probabilities."""
    runner_up, best = np.sort(probabilities.astype(np.float64), axis=1)[:, -2:].T
    return 1 - (best - runner_up)


def entropy(probabilities: np.ndarray) -> np.ndarray:
    """Return the entropy of (N, K) probabilities, in nats."""
    exact = probabilities.astype(np.float64)
    return -(exact * np.log(np.maximum(exact, TINY))).sum(axis=1)


def bald(samples: Iterable[np.ndarray]) -> np.ndarray:
    """Return what the label would tell of the weights: entropy of the mean − mean of the entropies, in nats.

    Args:
        samples: (N, K) probabilities, one array for every draw of the weights; one in memory at a time.
    """
    total, entropies, count = np.zeros(()), np.zeros(()), 0
    for probabilities in samples:
        total, entropies, count = total + probabilities, entropies + entropy(probabilities), count + 1
    return entropy(total / count) - entropies / count


def dropout_masks(samples: int, units: int, rate: float, seed: int) -> np.ndarray:
    """Draw factors (S, D) float32 for the features: 0 with probability ``rate``, else 1 / (1 − rate).

    One mask serves all rows of a sample, so that rows are compared under the same weights (Kirsch et al.,
    "BatchBALD", NeurIPS 2019, section 4).
    """
    kept = np.random.default_rng(seed).random((samples, units)) >= rate
    return (kept / (1 - rate)).astype(np.float32)


def dropout_samples(
    features: np.ndarray, masks: np.ndarray, weights: np.ndarray, biases: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield the probabilities (N, K) that every mask gives.

    Args:
        features: (N, D) what the last layer sees without dropout.
        masks: (S, D) of ``dropout_masks``.
        weights: (K, D) of the last layer.
        biases: (K,).
    """
    for mask in masks:
        yield softmax((features * mask) @ weights.T + biases)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities (N, K) of logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
