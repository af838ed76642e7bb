"""Which rows are asked for: the most uncertain, deterministically, and not one thing many times."""

import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from project import section

from selfsame.active.acquisition import (
    Candidates,
    build_score,
    choose,
    farthest_first,
    most_uncertain,
    score_batches,
)
from selfsame.core.errors import SelfsameError
from selfsame.params.active_learning import ActiveLearningParams

WEIGHTS = np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)  # only the first feature tells the class
BIASES = np.zeros(2, np.float32)
STRATEGIES = ("least_confidence", "margin", "entropy", "bald")


def own(**changes: Any) -> ActiveLearningParams:
    plain = {} if changes.get("strategy") == "random" else {"diversity": {"name": "none"}}
    return section("active_learning", **plain | changes)


def ask(
    features: np.ndarray, params: ActiveLearningParams, batch: int = 7, rows: int | None = None
) -> Candidates:
    score = build_score(params, WEIGHTS, BIASES, dropout=0.5)
    places = np.arange(len(features))
    batches = (
        (places[start : start + batch], features[start : start + batch])
        for start in range(0, len(features), batch)
    )
    found = most_uncertain(score_batches(batches, WEIGHTS, BIASES, score), rows or params.rows)
    assert found is not None
    return found


@pytest.mark.parametrize("strategy", ["least_confidence", "margin", "entropy"])
def test_the_most_uncertain_come_first(strategy: str) -> None:
    """The tutorial's slip, an ascending sort that asks for the *least* uncertain, would fail here."""
    place = np.random.default_rng(0).permutation(np.linspace(-6, 6.3, 101))
    features = np.stack([place, np.ones(101)], axis=1).astype(np.float32)
    found = ask(features, own(strategy=strategy, rows=10))
    np.testing.assert_array_equal(found.positions, np.abs(features[:, 0]).argsort()[:10])
    assert (np.diff(found.scores) < 0).all()


def test_bald_asks_first_where_the_samples_disagree() -> None:
    torn, sure = np.tile([1, -1], 10), np.ones(20)  # units against each other, and all of one mind
    features = np.stack([sure, torn, sure, torn]).astype(np.float32)
    weights = np.stack([np.ones(20), -np.ones(20)]).astype(np.float32)
    score = build_score(own(strategy="bald"), weights, BIASES, dropout=0.3)
    found = most_uncertain(score_batches([(np.arange(4), features)], weights, BIASES, score), 4)
    assert found is not None and found.positions.tolist() == [1, 3, 0, 2]
    assert found.scores[1] > 10 * found.scores[2]


@pytest.mark.parametrize("strategy", [*STRATEGIES, "random"])
def test_the_cut_into_batches_does_not_matter(strategy: str) -> None:
    features = np.random.default_rng(1).normal(size=(200, 2)).astype(np.float32)
    params = own(strategy=strategy, rows=9)
    answers = [ask(features, params, batch).positions.tolist() for batch in (1, 7, 200)]
    assert answers[0] == answers[1] == answers[2]


def test_of_equals_the_first_of_the_pool_is_asked() -> None:
    features = np.zeros((50, 2), np.float32)
    assert ask(features, own(strategy="margin", rows=4)).positions.tolist() == [0, 1, 2, 3]


def test_random_is_a_fair_draw() -> None:
    features = np.random.default_rng(2).normal(size=(40, 2)).astype(np.float32)
    counts = np.zeros(40)
    for seed in range(100):
        counts[ask(features, own(strategy="random", rows=20, seed=seed)).positions] += 1
    assert counts.min() > 30 and counts.max() < 70  # 50 expected, 5 the standard deviation


def test_choosing_among_random_rows_is_refused() -> None:
    with pytest.raises(SelfsameError, match=r"diversity = .*: means nothing with strategy = random"):
        own(strategy="random", diversity={"name": "k_means"})


def near_copies() -> np.ndarray:
    """Ten places on the border between the classes; at the first nine copies, at each other one row."""
    places = np.stack([np.full(10, 0.01), np.arange(10)], axis=1)
    copies = np.repeat(places[:1], 9, axis=0) - [0.001, 0]  # still more uncertain than all others
    return np.concatenate([copies, places[1:]]).astype(np.float32)


@pytest.mark.parametrize("diversity", ["k_means", "core_set"])
def test_near_copies_are_not_all_asked(diversity: str) -> None:
    features = near_copies()
    alone = ask(features, own(strategy="margin", rows=9))
    assert set(alone.positions) == set(range(9))
    candidates = ask(features, own(strategy="margin"), rows=18)
    params = own(strategy="margin", diversity={"name": diversity}, rows=9)
    chosen = choose(candidates, params, known=np.float32([[9.0, 99.0]]))
    assert len(set(chosen.positions)) == 9
    assert sum(position < 9 for position in chosen.positions) == 1
    assert (np.diff(chosen.scores) <= 0).all()
    again = choose(candidates, params, known=np.float32([[9.0, 99.0]]))
    assert again.positions.tolist() == chosen.positions.tolist()


@pytest.mark.parametrize("diversity", ["k_means", "core_set"])
def test_the_number_asked_for_is_kept_even_if_all_are_alike(diversity: str) -> None:
    params = own(strategy="margin", diversity={"name": diversity}, rows=5)
    candidates = ask(np.zeros((20, 2), np.float32), params, rows=20)
    chosen = choose(candidates, params, known=np.zeros((3, 2), np.float32))
    assert len(set(chosen.positions)) == 5


def test_a_copy_of_a_labeled_row_comes_last_in_a_core_set() -> None:
    features = np.float32([[0, 0], [0, 5], [0, 9]])
    assert farthest_first(features, known=features[1:2], rows=2).tolist() == [0, 2]
    assert farthest_first(features, known=np.empty((0, 2), np.float32), rows=3).tolist() == [0, 2, 1]


def test_bald_needs_dropout() -> None:
    with pytest.raises(SelfsameError, match="no dropout to sample from"):
        build_score(own(strategy="bald"), WEIGHTS, BIASES, dropout=0.0)


def test_memory_does_not_grow_with_the_pool() -> None:
    def pool(batches: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in range(batches):
            yield np.arange(1000) + 1000 * number, np.full((1000, 2), number, np.float32)

    def peak(batches: int) -> int:
        score = build_score(own(strategy="margin"), WEIGHTS, BIASES, dropout=0.5)
        tracemalloc.start()
        most_uncertain(score_batches(pool(batches), WEIGHTS, BIASES, score), 50)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(2)  # what is loaded once
    assert peak(200) < 1.5 * peak(5)
