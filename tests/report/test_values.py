"""Scores, agreement and comparison of values, against truth that is known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableWriter
from selfsame.report.promotion import promote
from selfsame.report.values.agreement import ValueGate, measure_agreement
from selfsame.report.values.evaluate import confusion_of_tenths
from selfsame.report.values.scores import ValueScores, compare_values, score_values
from selfsame.selection.agreement import AgreementRecord, decide_values, judge

RANDOM = np.random.default_rng(0)
ACTUAL = RANDOM.normal(100, 10, 200)


def scores(noise: float, seed: int = 1) -> ValueScores:
    return score_values(ACTUAL, ACTUAL + np.random.default_rng(seed).normal(0, noise, 200))


def test_scores_are_those_of_scikit_learn() -> None:
    made = scores(5.0)
    for measure, theirs in (
        (made.r2, r2_score),
        (made.mae, mean_absolute_error),
        (made.rmse, root_mean_squared_error),
    ):
        assert measure.value == pytest.approx(theirs(made.actual, made.predicted))
        assert measure.low < measure.value < measure.high


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for draw in range(100):
        random = np.random.default_rng(draw)
        actual = random.normal(0, 1, 150)
        made = score_values(actual, actual + random.normal(0, 0.5, 150))
        held += made.rmse.low <= 0.5 <= made.rmse.high
    assert 85 <= held <= 100


def test_rows_without_a_value_are_left_out() -> None:
    some = ACTUAL.copy()
    some[::2] = np.nan
    assert score_values(some, ACTUAL + 1).actual.tolist() == ACTUAL[1::2].tolist()
    with pytest.raises(SelfsameError, match="no row has a value"):
        score_values(np.full(3, np.nan), np.zeros(3))


def test_values_that_do_not_vary_have_no_explained_variance() -> None:
    assert score_values(np.ones(5), np.ones(5)).r2.value == 0.0


def test_a_better_student_is_seen_and_an_equal_one_is_not() -> None:
    rough, fine = scores(5.0), scores(2.0, seed=2)
    better = compare_values(rough, fine)
    assert better.p_value < 0.001 and better.gained > better.lost
    promotion = promote(rough.squared_errors, fine.squared_errors, 0.05)
    assert promotion.p_value < 0.001 and promotion.champion == "student"
    worse = compare_values(fine, rough)
    assert (worse.gained, worse.lost) == (better.lost, better.gained)
    assert promote(fine.squared_errors, rough.squared_errors, 0.5).p_value > 0.999
    same = compare_values(rough, rough)
    assert (same.p_value, same.gained, same.lost) == (1.0, 0, 0)
    assert promote(rough.squared_errors, rough.squared_errors, 0.5).champion == "baseline"


def test_models_of_the_same_skill_are_called_better_no_more_often_than_the_level_says() -> None:
    called = 0
    for draw in range(100):
        random = np.random.default_rng(draw)
        actual = np.zeros(60)
        pair = [ValueScores(*[None] * 3, actual, random.normal(0, 1, 60)) for _ in range(2)]  # type: ignore
        called += promote(*(each.squared_errors for each in pair), 0.1).champion == "student"
    assert called <= 20


def write_gate(folder: Path, values: np.ndarray, truth: np.ndarray, largest_spread: float) -> ValueGate:
    """Decide on what M nets say (M, N), and hold it against the values that aren't NaN."""
    ids = [f"{row:032x}" for row in range(values.shape[1])]
    record = judge(
        values[:, :5], np.zeros(5), judged_on="validation", largest_spread=largest_spread, unit=2.0,
        members=("ab" * 32, "cd" * 32),
    )  # fmt: skip
    with TableWriter(folder / "pseudo_labels", record.schema) as writer:
        for start in range(0, len(ids), 7):
            rows = slice(start, start + 7)
            writer.write(decide_values(pa.array(ids[rows], pa.string()), values[:, rows], record, 1))
    known = ~np.isnan(truth)
    hidden = pa.record_batch(
        {
            "example_id": pa.array([ids[row] for row in np.flatnonzero(known)], pa.string()),
            "label": truth[known],
        }
    )
    with TableWriter(folder / "hidden.parquet", hidden.schema) as writer:
        writer.write(hidden)
    return measure_agreement(folder / "pseudo_labels", folder / "hidden.parquet")


def test_the_gate_is_measured_where_the_truth_is_known(tmp_path: Path) -> None:
    middle = np.arange(20.0)
    half = np.linspace(0, 4, 20)  # two nets, each so far from their mean: a spread of half / 2
    truth = middle + half
    truth[3] = np.nan
    gate = write_gate(tmp_path, np.stack([middle - half, middle + half]), truth, largest_spread=1.0)
    np.testing.assert_allclose(gate.spread, half / 2, rtol=1e-6)
    accepted = half / 2 <= 1.0
    assert gate.accepted.tolist() == accepted.tolist()
    known = ~np.isnan(truth)
    assert gate.coverage.part == accepted.sum()
    assert gate.known_accepted == (accepted & known).sum()
    assert gate.error_of_accepted == pytest.approx(np.sqrt((half[accepted & known] ** 2).mean()))
    assert gate.error_of_rejected == pytest.approx(np.sqrt((half[~accepted] ** 2).mean()))
    assert (gate.close.part, gate.close.total) == ((half[accepted & known] <= 1.0).sum(), gate.known_accepted)
    assert gate.rank_correlation == pytest.approx(1.0)
    errors = [each.error for each in gate.explored()]
    assert errors == sorted(errors) and gate.explored()[-1].coverage.value == 1.0
    assert len(gate.tenths()) == 10
    assert gate.record == AgreementRecord.of(tmp_path / "pseudo_labels")


def test_nets_that_all_say_one_value_agree_and_are_told_to_say_nothing(tmp_path: Path) -> None:
    gate = write_gate(tmp_path, np.full((2, 10), 7.0), np.arange(10.0), largest_spread=0.0)
    assert gate.coverage.value == 1.0  # a spread of exactly the largest is accepted
    assert gate.rank_correlation is None
    assert gate.error_of_rejected is None


def test_an_unknown_truth_stays_unknown(tmp_path: Path) -> None:
    gate = write_gate(tmp_path, np.stack([np.zeros(10), np.arange(10.0)]), np.full(10, np.nan), 1.0)
    assert (gate.error_of_accepted, gate.rank_correlation, gate.close.value) == (None, None, None)
    assert all(each.error is None for each in gate.explored())


def test_hidden_values_of_another_pool_are_refused(tmp_path: Path) -> None:
    write_gate(tmp_path, np.zeros((2, 10)), np.arange(10.0), 1.0)
    hidden = pa.record_batch({"example_id": ["ff" * 16], "label": [1.0]})
    with TableWriter(tmp_path / "hidden.parquet", hidden.schema) as writer:
        writer.write(hidden)
    with pytest.raises(SelfsameError, match="not those of"):
        measure_agreement(tmp_path / "pseudo_labels", tmp_path / "hidden.parquet")


def test_tenths_hold_as_many_rows_each_and_sort_by_name() -> None:
    made = confusion_of_tenths(score_values(ACTUAL, ACTUAL))
    assert made["actual"] == made["predicted"]
    names, counts = np.unique(made["actual"], return_counts=True)
    assert counts.tolist() == [20] * 10
    lowest = [ACTUAL[np.array(made["actual"]) == name].min() for name in names]
    assert lowest == sorted(lowest)
