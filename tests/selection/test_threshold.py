"""The search for a threshold: against MAPIE, against Clopper–Pearson, and against the truth."""

import numpy as np
import pytest
from mapie.risk_control import BinaryClassificationController
from mapie.risk_control.fwer_control import FWERFixedSequenceTesting, control_fwer
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from scipy.stats import binomtest

from selfsame.selection.threshold import STARTS, candidates, lowest_threshold, passing, rows_needed


def draw(rows: int, random: np.random.Generator, gap: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and labels that are right with the confidence's chance less ``gap``."""
    confidence = random.uniform(0.5, 1, rows).astype(np.float32)
    return confidence, random.random(rows) < confidence - gap


@pytest.mark.parametrize("seed", range(8))
def test_mapie_finds_the_same_threshold(seed: int) -> None:
    random = np.random.default_rng(seed)
    pool, _ = draw(3000, random)
    confidence, right = draw(400, random, gap=-0.1)
    target, error = 0.9, 0.1
    search = lowest_threshold([pool], confidence, right, target, error)
    tested = candidates([pool], 400, rows_needed(target, error))
    sequence = FWERFixedSequenceTesting(n_starts=STARTS)

    kept = confidence >= tested[:, None]
    wrong = (kept & ~right).sum(axis=1) / kept.sum(axis=1)
    # MAPIE rounds rows · risk up: 11.000000000000002 mistakes would count as 12
    p_values = compute_hoeffding_bentkus_p_value(
        np.maximum(wrong - 1e-12, 0), kept.sum(axis=1), 1 - target, binary=True
    )
    assert search.threshold == tested[control_fwer(p_values[:, 0], error, sequence)].min()

    controller = BinaryClassificationController(
        lambda rows: np.hstack([1 - rows, rows]),
        "precision",
        target,
        confidence_level=1 - error,
        list_predict_params=tested.astype(np.float64),
        fwer_method=sequence,
    )
    with pytest.warns(UserWarning, match="monotonic"):
        controller.calibrate(confidence[:, None].astype(np.float64), right.astype(int))
    assert len(controller.valid_predict_params)
    assert min(controller.valid_predict_params) >= search.threshold


@pytest.mark.parametrize("seed", range(5))
def test_clopper_pearsons_bound_reaches_the_target(seed: int) -> None:
    random = np.random.default_rng(seed)
    pool, _ = draw(3000, random)
    search = lowest_threshold([pool], *draw(400, random, gap=-0.1), target=0.9, error=0.1)
    assert search.threshold is not None
    interval = binomtest(search.right, search.rows, alternative="greater").proportion_ci(1 - 0.1 / STARTS)
    assert interval.low >= 0.9


def test_the_promise_holds_as_often_as_it_says() -> None:
    """Labels exactly as good as the target at every threshold: passing any is an error."""
    random = np.random.default_rng(0)
    pool, _ = draw(2000, random)
    draws, false_promises = 1000, 0
    for _ in range(draws):
        confidence, _ = draw(200, random)
        right = random.random(200) < 0.9
        false_promises += lowest_threshold([pool], confidence, right, 0.9 + 1e-9, 0.1).threshold is not None
    assert binomtest(false_promises, draws, 0.1, alternative="greater").pvalue > 0.001
    assert false_promises > 0


def test_the_luckiest_threshold_alone_would_break_the_promise() -> None:
    """Why there is a procedure: without it, the same labels pass far more often than 1 in 10."""
    from scipy.stats import binom

    random = np.random.default_rng(0)
    lucky = 0
    for _ in range(300):
        right = random.random(200) < 0.9
        kept = np.arange(60, 201)
        lucky += (binom.sf(np.cumsum(right)[kept - 1] - 1, kept, 0.9) <= 0.1).any()
    assert lucky / 300 > 0.2


def test_too_few_rows_are_said_to_be_too_few() -> None:
    pool, _ = draw(500, np.random.default_rng(0))
    search = lowest_threshold([pool], np.ones(50, np.float32), np.ones(50, bool), 0.99, 0.05)
    assert (search.threshold, search.needed) == (None, rows_needed(0.99, 0.05))
    assert search.needed > 50
    assert 0.99**search.needed <= 0.05 / STARTS < 0.99 ** (search.needed - 1)


def test_a_hopeless_teacher_gets_no_threshold() -> None:
    random = np.random.default_rng(0)
    pool, _ = draw(500, random)
    confidence, _ = draw(300, random)
    assert lowest_threshold([pool], confidence, np.zeros(300, bool), 0.8, 0.1).threshold is None


def test_a_perfect_teacher_keeps_the_whole_pool() -> None:
    random = np.random.default_rng(0)
    pool, _ = draw(500, random)
    confidence, _ = draw(300, random)
    assert lowest_threshold([pool], confidence, np.ones(300, bool), 0.9, 0.05).threshold == pool.min()


def test_an_empty_pool_has_no_threshold() -> None:
    empty = np.empty(0, np.float32)
    assert (
        lowest_threshold([empty], np.ones(300, np.float32), np.ones(300, bool), 0.9, 0.05).threshold is None
    )


def test_candidates_fall_to_the_whole_pool_and_come_from_it_alone() -> None:
    pool, _ = draw(1000, np.random.default_rng(0))
    tested = candidates([pool], 200, 40)
    assert (np.diff(tested) < 0).all()
    assert set(tested.tolist()) <= set(pool.tolist())
    assert tested[-1] == pool.min()
    assert (pool >= tested[0]).mean() == pytest.approx(0.2, abs=0.01)


def test_each_start_goes_on_to_its_first_failure() -> None:
    p_values = np.array([0.9, 0, 0, 0, 0.02, 0.9, 0, 0, 0.9])
    assert passing(p_values, 0.06).tolist() == [0, 0, 0, 1, 1, 0, 1, 1, 0]  # starts at 0, 3 and 6
