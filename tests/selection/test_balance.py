"""Balance: what is kept is the most confident, and the shares are as asked."""

import numpy as np
import pytest

from selfsame.selection.balance import divergence, most_confident, rows_for_prior


def test_the_most_confident_of_every_class_are_kept() -> None:
    random = np.random.default_rng(0)
    labels, confidence = random.integers(0, 3, 400), random.random(400).round(2)
    passed = confidence > 0.3
    kept = most_confident(labels, confidence, passed, np.array([10, 0, 1000]))
    assert np.bincount(labels[kept], minlength=3).tolist() == [10, 0, (passed & (labels == 2)).sum()]
    assert not (kept & ~passed).any()
    left_out = confidence[passed & ~kept & (labels == 0)]
    assert confidence[kept & (labels == 0)].min() >= left_out.max()


def test_of_equal_confidences_the_earlier_row_is_kept() -> None:
    kept = most_confident(np.zeros(4, int), np.ones(4), np.ones(4, bool), np.array([2]))
    assert kept.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("passed", "prior", "rows"),
    [
        ([50, 50], [0.5, 0.5], [50, 50]),
        ([90, 10], [0.5, 0.5], [10, 10]),
        ([90, 3], [0.7, 0.3], [7, 3]),
        ([90, 0, 10], [0.5, 0.25, 0.25], [20, 0, 10]),  # a class without a passed row can't be matched
        ([90, 10], [1.0, 0.0], [90, 0]),
        ([0, 0], [0.5, 0.5], [0, 0]),
    ],
)
def test_the_scarcest_class_sets_the_number(passed: list[int], prior: list[float], rows: list[int]) -> None:
    assert rows_for_prior(np.array(passed), np.array(prior)).tolist() == rows


def test_divergence_is_the_share_of_rows_of_another_class() -> None:
    even = np.array([0.5, 0.5])
    assert divergence(np.array([5, 5]), even) == 0
    assert divergence(np.array([8, 2]), even) == pytest.approx(0.3)
    assert divergence(np.array([9, 0]), np.array([0.0, 1.0])) == 1
    assert divergence(np.array([0, 0]), even) is None
