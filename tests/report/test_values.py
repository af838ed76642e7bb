"""Scores, agreement and comparison of values, against truth that is known."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made import VALUES
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from selfsame.core.errors import SelfsameError
from selfsame.core.table_writer import TableWriter
from selfsame.report.gate import Gate
from selfsame.report.promotion import promote
from selfsame.report.scores import Scores, compare
from selfsame.report.value_page import confusion_of_tenths
from selfsame.report.values import rank_correlation
from selfsame.selection.agreement import AgreementRecord, ByAgreement
from selfsame.selection.gate import Heard
from selfsame.selection.pool import Briefs

RANDOM = np.random.default_rng(0)
ACTUAL = RANDOM.normal(100, 10, 200)


def scores(noise: float, seed: int = 1) -> Scores:
    return VALUES.score(ACTUAL, ACTUAL + np.random.default_rng(seed).normal(0, noise, 200))


def test_scores_are_those_of_scikit_learn() -> None:
    made = scores(5.0)
    for name, theirs in (("r2", r2_score), ("mae", mean_absolute_error), ("rmse", root_mean_squared_error)):
        measure = made.measures[name]
        assert measure.value == pytest.approx(theirs(made.actual, made.predicted))
        assert measure.low < measure.value < measure.high


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for draw in range(100):
        random = np.random.default_rng(draw)
        actual = random.normal(0, 1, 150)
        rmse = VALUES.score(actual, actual + random.normal(0, 0.5, 150)).measures["rmse"]
        held += rmse.low <= 0.5 <= rmse.high
    assert 85 <= held <= 100


def test_rows_without_a_value_are_left_out() -> None:
    some = ACTUAL.copy()
    some[::2] = np.nan
    assert VALUES.score(some, ACTUAL + 1).actual.tolist() == ACTUAL[1::2].tolist()
    with pytest.raises(SelfsameError, match="no row has a value"):
        VALUES.score(np.full(3, np.nan), np.zeros(3))


@pytest.mark.parametrize("rows", [1, 5])
def test_values_that_do_not_vary_have_no_explained_variance(rows: int) -> None:
    assert VALUES.score(np.ones(rows), np.ones(rows)).main.value == 0.0


def test_a_better_student_is_seen_and_an_equal_one_is_not() -> None:
    rough, fine = scores(5.0), scores(2.0, seed=2)
    better = compare(rough, fine)
    assert better.p_value < 0.001 and better.gained > better.lost
    promotion = promote(VALUES, rough, fine, rough, 0.05)
    assert promotion.student.p_value < 0.001 and promotion.champion == "student"
    worse = compare(fine, rough)
    assert (worse.gained, worse.lost) == (better.lost, better.gained)
    assert promote(VALUES, fine, rough, rough, 0.5).student.p_value > 0.999
    same = compare(rough, rough)
    assert (same.p_value, same.gained, same.lost) == (1.0, 0, 0)
    assert promote(VALUES, rough, rough, rough, 0.5).champion == "baseline"


def test_models_of_the_same_skill_are_called_better_no_more_often_than_the_level_says() -> None:
    called = 0
    for draw in range(100):
        errors = np.random.default_rng(draw).normal(0, 1, (2, 60)) ** 2
        pair = [Scores({}, np.arange(60), np.zeros(60), np.zeros(60), each) for each in errors]
        called += promote(VALUES, *pair, pair[0], 0.1).champion == "student"
    assert called <= 20


def write_gate(folder: Path, values: np.ndarray, truth: np.ndarray, largest_ensemble_std: float) -> Gate:
    """Decide on what M nets say (M, N), and hold it against the values that aren't NaN."""
    ids = [f"{row:032x}" for row in range(values.shape[1])]
    members = ("ab" * 32, "cd" * 32)
    gate = ByAgreement(largest_ensemble_std)
    heard = Heard("validation", np.zeros(5), values[:, :5], members, unit=2.0)
    decided = gate.decide(heard, Briefs(BytesIO()), 1)
    made = next(decided.columns(values, 0, len(ids)))
    columns = [pa.array(ids, pa.string()), *(made[name] for name in decided.schema.names[1:])]
    with TableWriter(folder / "pseudo_labels", decided.schema) as writer:
        for start in range(0, len(ids), 7):
            rows = [column.slice(start, 7) for column in columns]
            writer.write(pa.record_batch(rows, schema=decided.schema))
    known = ~np.isnan(truth)
    hidden = pa.record_batch(
        {
            "example_id": pa.array([ids[row] for row in np.flatnonzero(known)], pa.string()),
            "label": truth[known],
        }
    )
    with TableWriter(folder / "hidden.parquet", hidden.schema) as writer:
        writer.write(hidden)
    return VALUES.gate(folder / "pseudo_labels", folder / "hidden.parquet")


def test_the_gate_is_measured_where_the_truth_is_known(tmp_path: Path) -> None:
    middle = np.arange(20.0)
    half = np.linspace(0, 4, 20)  # two nets, each so far from their mean: a spread of half / 2
    truth = middle + half
    truth[3] = np.nan
    gate = write_gate(tmp_path, np.stack([middle - half, middle + half]), truth, largest_ensemble_std=1.0)
    np.testing.assert_allclose(gate.trust, half / 2, rtol=1e-6)
    accepted = half / 2 <= 1.0
    assert gate.accepted.tolist() == accepted.tolist()
    known = ~np.isnan(truth)
    kept = gate.of_accepted
    assert (gate.coverage.part, kept.right.total) == (accepted.sum(), (accepted & known).sum())
    assert kept.error == pytest.approx(np.sqrt((half[accepted & known] ** 2).mean()))
    assert gate.of_rejected.error == pytest.approx(np.sqrt((half[~accepted] ** 2).mean()))
    assert kept.right.part == (half[accepted & known] <= 1.0).sum()
    assert rank_correlation(gate) == pytest.approx(1.0)
    errors = [each.error for each in gate.explored]
    assert errors == sorted(errors) and gate.explored[-1].coverage.value == 1.0
    for each in gate.explored:
        assert gate.at(each.level).coverage == each.coverage
    assert len(gate.tenths()) == 10
    assert gate.record == AgreementRecord.of(tmp_path / "pseudo_labels")


def test_nets_that_all_say_one_value_agree_and_are_told_to_say_nothing(tmp_path: Path) -> None:
    gate = write_gate(tmp_path, np.full((2, 10), 7.0), np.arange(10.0), largest_ensemble_std=0.0)
    assert gate.coverage.value == 1.0  # a spread of exactly the largest is accepted
    assert (rank_correlation(gate), gate.of_rejected.error) == (None, None)


def test_an_unknown_truth_stays_unknown(tmp_path: Path) -> None:
    gate = write_gate(tmp_path, np.stack([np.zeros(10), np.arange(10.0)]), np.full(10, np.nan), 1.0)
    kept = gate.of_accepted
    assert (kept.error, rank_correlation(gate), kept.right.value) == (None, None, None)
    assert all(each.error is None for each in gate.explored)


def test_hidden_values_of_another_pool_are_refused(tmp_path: Path) -> None:
    write_gate(tmp_path, np.zeros((2, 10)), np.arange(10.0), 1.0)
    hidden = pa.record_batch({"example_id": ["ff" * 16], "label": [1.0]})
    with TableWriter(tmp_path / "hidden.parquet", hidden.schema) as writer:
        writer.write(hidden)
    with pytest.raises(SelfsameError, match="not those of"):
        VALUES.gate(tmp_path / "pseudo_labels", tmp_path / "hidden.parquet")


def test_tenths_hold_as_many_rows_each_and_sort_by_name() -> None:
    made = confusion_of_tenths(VALUES.score(ACTUAL, ACTUAL))
    assert made["actual"] == made["predicted"]
    names, counts = np.unique(made["actual"], return_counts=True)
    assert counts.tolist() == [20] * 10
    lowest = [ACTUAL[np.array(made["actual"]) == name].min() for name in names]
    assert lowest == sorted(lowest)
