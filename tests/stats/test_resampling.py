"""The permutation test and the bootstrap against scipy and against what is known."""

import numpy as np
import pytest
from scipy.stats import binomtest
from scipy.stats import permutation_test as scipys_test

from selfsame.stats.resampling import bootstrap_interval, permutation_test


def test_the_p_values_are_those_of_scipy() -> None:
    saved = np.random.default_rng(3).normal(0.3, 1, 12)  # few enough for scipy to try all signs
    one, two = (
        scipys_test((saved,), np.sum, permutation_type="samples", n_resamples=np.inf, alternative=kind).pvalue
        for kind in ("greater", "two-sided")
    )
    found = permutation_test(saved)
    assert found.better == pytest.approx(one, abs=0.02)
    assert found.either == pytest.approx(two, abs=0.02)


def test_of_right_and_wrong_alone_it_is_mcnemars_test() -> None:
    saved = np.repeat([1.0, -1.0, 0.0], [7, 2, 30])
    assert permutation_test(saved).either == pytest.approx(binomtest(7, 9).pvalue, abs=0.02)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for draw in range(100):
        low, high = bootstrap_interval(np.mean, np.random.default_rng(draw).normal(0, 1, 50))
        held += low <= 0 <= high
    assert 85 <= held <= 100


def test_a_single_row_has_an_interval_of_one_point() -> None:
    assert bootstrap_interval(np.mean, np.array([3.0])) == (3.0, 3.0)
