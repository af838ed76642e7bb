"""The data checks: quiet where rows are alike, loud where they are not."""

import numpy as np
import pytest

from selfsame.report.data_checks import (
    CHANCE,
    DataChecks,
    Drift,
    evenly,
    measure_drift,
)
from selfsame.stats.share import Share


def rows(count: int, seed: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of two classes that lie apart, the second of them three times as often."""
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.75).astype(np.int64)
    return random.normal(0, 1, (count, 6)) + 3 * labels[:, None] + shift * np.eye(6)[0], labels


def budget(inputs: np.ndarray, labels: np.ndarray, each: int) -> np.ndarray:
    return np.concatenate([np.flatnonzero(labels == label)[:each] for label in (0, 1)])


@pytest.mark.parametrize("seed", range(10))
def test_a_label_budget_is_no_drift(seed: int) -> None:
    inputs, labels = rows(2000, seed)
    known = budget(inputs, labels, 40)
    pool = np.setdiff1d(np.arange(2000), known)
    drift = measure_drift(inputs[known], labels[known], inputs[pool], labels[pool])
    assert drift.p_value > CHANCE
    assert drift.differing == Share(0, 6)


def test_one_shifted_feature_is_drift() -> None:
    inputs, labels = rows(500, 0)
    known = budget(inputs, labels, 60)
    pool, pool_labels = rows(2000, 1, shift=1.5)
    drift = measure_drift(inputs[known], labels[known], pool, pool_labels)
    assert drift.p_value < CHANCE
    assert drift.differing == Share(1, 6)


def test_a_constant_feature_is_no_feature() -> None:
    inputs, labels = rows(200, 0)
    inputs[:, 2] = 7
    assert measure_drift(inputs[:100], labels[:100], inputs[100:], labels[100:]).differing.total == 5


def test_missing_values_are_no_drift_and_no_hindrance() -> None:
    inputs, labels = rows(500, 0)
    pool, pool_labels = rows(2000, 1)
    pool[::2, 0] = np.nan
    inputs[:, 1] = np.nan
    drift = measure_drift(inputs, labels, pool, pool_labels)
    assert drift.p_value > CHANCE
    assert drift.differing == Share(0, 5)


def test_an_empty_pool_does_not_drift() -> None:
    inputs, labels = rows(20, 0)
    assert measure_drift(inputs, labels, inputs[:0], labels[:0]) == Drift(1.0, Share(0, 0))


def test_disagreement_on_the_pool_counts_only_when_it_is_more_than_elsewhere() -> None:
    def p_value(pool: Share, validation: Share) -> float:
        return DataChecks(pool, validation, Share(0, 0), Drift(1.0, Share(0, 0))).disagreement_p_value

    assert p_value(Share(300, 1000), Share(5, 100)) < CHANCE
    assert p_value(Share(50, 1000), Share(5, 100)) > 0.5
    assert p_value(Share(0, 1000), Share(20, 100)) > 0.99
    assert p_value(Share(0, 0), Share(0, 10)) == 1


def test_evenly_spaced_rows_span_the_table() -> None:
    assert evenly(5, 10).tolist() == [0, 1, 2, 3, 4]
    taken = evenly(1001, 101)
    assert (taken[0], taken[-1], len(set(taken.tolist()))) == (0, 1000, 101)
