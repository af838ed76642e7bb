"""The promotion, against what is known of the models."""

import numpy as np
import pytest
from made import target

from selfsame.params.evaluate import EvaluateParams
from selfsame.report.promotion import Promotion, promote
from selfsame.report.scores import Scores
from selfsame.selection.calibration import calibrate

LABELS = np.random.default_rng(0).integers(0, 3, 50)
TARGET = target()


def probabilities(skill: float, random: np.random.Generator) -> np.ndarray:
    """(50, 3), the nearer to the truth the more skill."""
    powers = np.exp(random.normal(size=(50, 3)) + skill * np.eye(3)[LABELS])
    return powers / powers.sum(axis=1, keepdims=True)


def promoted(baseline: np.ndarray, student: np.ndarray, level: float) -> Promotion:
    scores = [TARGET.score(LABELS, each) for each in (baseline, student, baseline)]
    return promote(TARGET, *scores, level)


def squared_errors(said: np.ndarray) -> np.ndarray:
    return TARGET.distances(TARGET.score(LABELS, said))


def right(said: np.ndarray) -> int:
    return int((said.argmax(axis=1) == LABELS).sum())


def test_squared_errors_are_the_best_that_calibration_makes_and_no_matter_of_being_sure() -> None:
    said = probabilities(2, np.random.default_rng(2))
    errors = squared_errors(said)
    for temperature in (0.5, 2.0):
        again = squared_errors(calibrate(said, temperature))
        assert again.mean() == pytest.approx(errors.mean(), abs=0.01)
    tried = [calibrate(said, each) for each in np.geomspace(0.2, 5, 50)]
    best = min(((each - np.eye(3)[LABELS]) ** 2).sum(axis=1).mean() for each in tried)
    assert errors.mean() == pytest.approx(best, abs=0.02)


def test_a_better_student_is_promoted_even_if_as_many_are_right() -> None:
    baseline = probabilities(2, np.random.default_rng(2))
    student = (
        baseline + np.eye(3)[LABELS] * (baseline.argmax(axis=1) == LABELS)[:, None]
    )  # nearer where right
    student /= student.sum(axis=1, keepdims=True)
    assert right(student) == right(baseline)
    assert promoted(baseline, student, 0.01).champion == "student"
    assert promoted(student, baseline, 0.5).champion == "baseline"


def test_a_student_with_fewer_rows_right_is_not() -> None:
    truth, other = np.eye(3)[LABELS], np.eye(3)[(LABELS + 1) % 3]
    wrong = np.arange(50)[:, None]
    baseline = np.where(wrong < 8, other, truth) * 0.97 + 0.01  # eight wrong, and sure of it
    student = np.where(wrong < 9, 0.46 * truth + 0.5 * other + 0.04 / 3, truth * 0.97 + 0.01)  # nine, just so
    promotion = promoted(baseline, student, 0.05)
    student = promotion.student
    assert student.p_value < 0.05 and student.error < student.present_error
    assert (student.worse, promotion.champion) == (True, "baseline")


def test_a_simple_model_must_be_better_than_the_better_of_the_two() -> None:
    bad, good, best = (probabilities(skill, np.random.default_rng(2)) for skill in (0.5, 2, 5))

    def champion(*said: np.ndarray) -> str:
        return promote(TARGET, *(TARGET.score(LABELS, each) for each in said), 0.05).champion

    assert champion(bad, good, best) == champion(good, bad, best) == "reference"
    assert champion(bad, best, good) == "student"
    assert champion(best, bad, good) == "baseline"
    assert champion(good, good, good) == "baseline"


def test_out_of_fold_answers_judge_a_simple_model_where_they_are_known() -> None:
    bad, good, best = (
        TARGET.score(LABELS, probabilities(skill, np.random.default_rng(2))) for skill in (0.5, 2, 5)
    )

    def promotion(student: Scores, reference: Scores, *out_of_fold: Scores) -> Promotion:
        return promote(TARGET, good, student, reference, 0.05, True, out_of_fold or None)

    assert promotion(bad, best).champion == "reference"
    lucky = promotion(bad, best, best, good)
    assert (lucky.champion, lucky.reference.worse, lucky.out_of_fold_rows) == ("baseline", True, len(LABELS))
    assert promotion(bad, bad, good, best).champion == "reference", "on more rows it is the better one"
    assert promotion(best, bad, good, best).champion == "student", "a promoted student is to be beaten too"


def test_an_equal_student_is_not_promoted_at_any_level() -> None:
    said = probabilities(2, np.random.default_rng(2))
    for promotion in (
        promoted(said, said, 0.5),
        promoted(said, calibrate(said, 0.5), 0.1),  # more sure of the same
    ):
        assert promotion.champion == "baseline"


def test_a_student_of_the_same_skill_is_promoted_no_more_often_than_the_level() -> None:
    random, found = np.random.default_rng(1), 0
    for _ in range(200):
        pair = probabilities(2, random), probabilities(2, random)
        found += promoted(*pair, 0.1).champion == "student"
    assert 0 < found <= 30  # at most 20 are expected


def test_at_the_default_level_a_better_student_is_mostly_found_and_a_worse_one_seldom_promoted() -> None:
    random, level = np.random.default_rng(1), EvaluateParams().promotion_level
    promotions = {"better": 0, "worse": 0}
    for _ in range(100):
        weak, strong = probabilities(2, random), probabilities(2.8, random)
        promotions["better"] += promoted(weak, strong, level).champion == "student"
        promotions["worse"] += promoted(strong, weak, level).champion == "student"
    assert promotions["better"] >= 70 and promotions["worse"] <= 5
