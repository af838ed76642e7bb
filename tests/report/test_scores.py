"""Scores against figures computed in another way."""

import math

import numpy as np
import pytest
from made import target

from selfsame.core.errors import SelfsameError
from selfsame.report.scores import Measure, Scores, compare
from selfsame.stats.share import Share

NAMES = ("a", "b", "c")
TARGET = target(NAMES)


def test_scores_agree_with_counting_by_hand() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    probabilities = random.dirichlet((1, 1, 1), 200).astype(np.float32)
    scores = TARGET.score(labels, probabilities)
    guesses = [max(range(3), key=row.__getitem__) for row in probabilities.tolist()]
    pairs = list(zip(labels.tolist(), guesses, strict=True))

    assert scores.main == Measure.of(Share(sum(actual == guess for actual, guess in pairs), 200))
    assert scores.measures["loss"].value == pytest.approx(
        -sum(math.log(row[label]) for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True))
        / 200
    )
    f1s = []
    for index, found in enumerate(TARGET.by_class(scores)):
        hits = pairs.count((index, index))
        taken = sum(guess == index for _, guess in pairs)
        actual = sum(label == index for label, _ in pairs)
        f1s.append(2 * hits / (taken + actual))
        assert (found.name, found.rows) == (NAMES[index], actual)
        assert (found.precision, found.recall, found.f1) == pytest.approx(
            (hits / taken, hits / actual, f1s[-1])
        )
        assert TARGET.confusion(scores)[index].tolist() == [pairs.count((index, other)) for other in range(3)]
    assert scores.measures["macro_f1"].value == pytest.approx(sum(f1s) / 3)


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    scores = TARGET.score(np.array([0, 1]), np.array([[0.9, 0.1, 0], [0.8, 0.2, 0]]))
    by_class = TARGET.by_class(scores)
    assert [each.precision for each in by_class] == [0.5, None, None]
    assert [each.recall for each in by_class] == [1.0, 0.0, None]
    assert scores.measures["macro_f1"].value == pytest.approx(
        (2 / 3 + 0) / 2
    )  # the absent third class has no say


def test_rows_without_a_label_are_left_out() -> None:
    scores = TARGET.score(np.array([np.nan, 0]), np.array([[0, 0, 1], [0.9, 0.1, 0]]))
    assert (scores.main, scores.rows.tolist()) == (Measure.of(Share(1, 1)), [1])
    with pytest.raises(SelfsameError, match="no row has a label"):
        TARGET.score(np.array([np.nan]), np.array([[1.0, 0, 0]]))


def test_a_probability_of_zero_leaves_the_loss_finite() -> None:
    found = TARGET.score(np.array([1]), np.array([[1, 0, 0]], dtype=np.float32))
    assert 80 < found.measures["loss"].value < 100


def _scored(right: int, sure: float) -> Scores:
    labels = np.zeros(10, dtype=np.int64)
    probabilities = np.where(np.arange(10)[:, None] < right, [sure, 1 - sure], [1 - sure, sure])
    return target(("a", "b")).score(labels, probabilities)


def test_comparison_counts_rows_that_only_one_model_has_right() -> None:
    comparison = compare(_scored(4, 0.9), _scored(9, 0.9))
    assert (comparison.gained, comparison.lost) == (5, 0)
    assert comparison.p_value == pytest.approx(2 * 0.5**5)
    assert compare(_scored(4, 0.9), _scored(4, 0.8)).p_value == 1.0
