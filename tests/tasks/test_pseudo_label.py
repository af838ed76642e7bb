"""The stage ``pseudo_label``: every pool row with its decision, the threshold inclusive."""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import run_task, section

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import read_column
from selfsame.selection.by_confidence import Labels, accept, choose_thresholds, cut_of
from selfsame.selection.calibration import calibrate, fit_temperature
from selfsame.selection.pool import Briefs, brief
from selfsame.selection.record import GateRecord
from tasks.pseudo_label import PseudoLabelParams

POOL, OUT = Path("data/splits/pool"), Path("data/pseudo_labels")
UNUSED = np.empty((0, 2))  # what is tested reads confidences alone


def label(trained: Path, threshold: float) -> pa.Table:
    run_task("pseudo_label", trained, pseudo_label={"threshold": threshold})
    return pq.read_table(trained / OUT)


def in_parts(pool: Labels, rows: list[int]) -> Briefs:
    """What a gate keeps of rows that lie in parts of so many."""
    briefs = Briefs(BytesIO())
    for part in np.split(brief(pool.labels, pool.confidence), np.cumsum(rows)[:-1]):
        briefs.add(part)
    return briefs


def params(**changes: object) -> PseudoLabelParams:
    return section("pseudo_label", **changes)


def test_every_pool_row_is_there_in_order(trained: Path) -> None:
    decisions = label(trained, 0.6)
    pool = pq.read_table(trained / POOL)
    assert decisions["example_id"].to_pylist() == pool["example_id"].to_pylist()
    assert {*decisions["teacher"].to_pylist()} == {
        sha256_file(trained / "models" / "baseline" / "model.safetensors")
    }
    assert {*decisions["round"].to_pylist()} == {1}
    assert set(decisions.column_names) == {
        *("example_id", "pseudo_label", "confidence", "calibrated_confidence", "threshold", "accepted"),
        *("reason", "round", "teacher", "probabilities"),
    }
    written = pq.read_metadata(trained / OUT / "part-00000.parquet").row_group(0)
    floats = [
        leaf for leaf in map(written.column, range(written.num_columns)) if leaf.physical_type == "FLOAT"
    ]
    assert len(floats) == 4 and not any(leaf.has_dictionary_page for leaf in floats)


def test_labels_and_confidences_are_the_teachers(trained: Path) -> None:
    from selfsame.model.models import answer_table, load_model

    decisions = label(trained, 0.6)
    said = answer_table(load_model(trained / "models" / "baseline"), trained / POOL)
    np.testing.assert_array_equal(decisions["pseudo_label"], said.argmax(axis=1))
    np.testing.assert_array_equal(decisions["confidence"], said.max(axis=1))


def test_the_gate_never_judges_on_rows_that_the_teacher_learned(trained: Path) -> None:
    """A refitted baseline has learned the validation rows: the one from before labels and is judged."""
    before, judged = label(trained, 0.6), GateRecord.of(trained / OUT)
    run_task("train_baseline", trained, training={"refit_on_validation": True})
    after = label(trained, 0.6)
    assert after.drop_columns("teacher") == before.drop_columns("teacher")
    assert GateRecord.of(trained / OUT) == judged
    weights = trained / "models" / "baseline" / "model.safetensors"
    (teacher,) = {*after["teacher"].to_pylist()}
    assert teacher == before["teacher"][0].as_py() != sha256_file(weights)
    assert teacher == sha256_file(weights.parent / "validated" / weights.name)


def test_a_row_is_accepted_at_the_very_threshold(trained: Path) -> None:
    """Also where the float32 nearest to the parameter lies below it."""
    confidence = np.sort(label(trained, 0.5)["confidence"].to_numpy())
    for value in confidence[[1, len(confidence) // 2, -1]]:
        for threshold in (float(value), float(str(value))):
            decisions = label(trained, threshold)
            accepted = decisions["accepted"].to_numpy()
            np.testing.assert_array_equal(accepted, decisions["confidence"].to_numpy() >= value)
            assert accepted[decisions["confidence"].to_numpy() == value].all()
        above = label(trained, float(np.nextafter(value, np.float32(1))))
        assert not above["accepted"].to_numpy()[above["confidence"].to_numpy() == value].any()


def test_another_threshold_predicts_nothing_again(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = label(trained, 0.6)
    with monkeypatch.context() as without:
        without.setattr("selfsame.model.models.load_model", None)
        after = label(trained, 0.9)
    assert after["confidence"] == before["confidence"]
    assert after["accepted"].to_numpy().sum() < before["accepted"].to_numpy().sum()
    run_task("train_baseline", trained, train_baseline={"max_epochs": 1})
    assert label(trained, 0.9)["confidence"] != before["confidence"]


def test_the_reason_is_that_of_the_decision(trained: Path) -> None:
    decisions = label(trained, float(np.median(label(trained, 0.5)["confidence"])))
    reasons = set(zip(decisions["accepted"].to_pylist(), decisions["reason"].to_pylist(), strict=True))
    assert reasons == {(True, "confidence at or above threshold"), (False, "confidence below threshold")}


def test_a_threshold_of_nothing_accepts_all(trained: Path) -> None:
    assert label(trained, 0.0)["accepted"].to_numpy().all()


def test_a_threshold_of_one_accepts_certainty_alone() -> None:
    own = params(threshold=1.0)
    sure = np.array([[1, 0], [np.nextafter(np.float32(1), np.float32(0)), 1e-7]], np.float32)
    labels = Labels.of(sure)
    thresholds = np.full(2, own.threshold, np.float32)
    accepted, _ = accept(labels, thresholds, cut_of(own, in_parts(labels, [2]), thresholds), 0)
    assert (labels.labels.tolist(), accepted.tolist()) == ([0, 0], [True, False])
    assert labels.confidence.dtype == labels.calibrated(1.0).dtype == np.float32


def test_the_same_inputs_give_the_same_bytes(trained: Path) -> None:
    digests = []
    for _ in range(2):
        label(trained, 0.6)
        digests.append([sha256_file(file) for file in files_under(trained / OUT)])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("probabilities", [[0.25, 0.25, 0.25, 0.25], [0.4, 0.4, 0.2, 0.0]])
def test_of_equal_classes_the_first_is_taken(probabilities: list[float]) -> None:
    labels = Labels.of(np.array([probabilities], np.float32))
    assert (labels.labels[0], labels.confidence[0]) == (0, np.float32(max(probabilities)))


def test_the_calibrated_confidence_is_that_of_the_recorded_temperature(trained: Path) -> None:
    from selfsame.model.models import answer_table, load_model

    decisions = label(trained, 0.6)
    record = GateRecord.of(trained / OUT)
    model = load_model(trained / "models" / "baseline")
    probabilities = answer_table(model, trained / POOL)
    np.testing.assert_array_equal(
        decisions["calibrated_confidence"], calibrate(probabilities, record.temperature).max(axis=1)
    )
    validation = trained / "data/splits/validation.parquet"
    judges, truth = answer_table(model, validation), read_column(validation, "label")
    assert record.temperature == fit_temperature(judges, truth) != 1
    assert (record.calibrated_on, record.calibration_rows) == ("validation", len(truth))
    assert sum(record.before.right) == sum(record.after.right) == (judges.argmax(axis=1) == truth).sum()
    assert [precision for precision, _ in record.guaranteed] == [0.8, 0.9, 0.95, 0.99]


def test_rows_set_aside_for_the_gate_judge_alone(trained: Path) -> None:
    run_task("split", trained, split={"calibration_fraction": 0.6})
    label(trained, 0.6)
    record = GateRecord.of(trained / OUT)
    assert (record.calibrated_on, record.calibration_rows) == ("calibration", 12)


@pytest.mark.parametrize("per_class", [False, True])
def test_a_guarantee_that_cannot_be_shown_accepts_nothing(trained: Path, per_class: bool) -> None:
    asked = {"rule": "target_precision", "target_precision": 0.99, "per_class": per_class}
    run_task("pseudo_label", trained, pseudo_label=asked)
    decisions = pq.read_table(trained / OUT)
    assert {*decisions["reason"].to_pylist()} == {"no threshold guarantees the target precision"}
    assert {*decisions["accepted"].to_pylist()} == {False}
    assert decisions["threshold"].null_count == decisions.num_rows
    record = GateRecord.of(trained / OUT)
    assert record.thresholds == (None, None)
    assert "nothing is accepted" in record.verdict and "calibration set has 20 rows" in record.verdict


def test_a_guarantee_that_can_be_shown_is_kept_class_by_class() -> None:
    """One class is labeled well, the other is not: only a guarantee for each class sees it."""
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 600).astype(np.float32)
    predicted = np.arange(600) % 2
    truth = np.where((predicted == 1) & (random.random(600) < 0.3), 0, predicted)
    probabilities = np.stack([1 - confidence, confidence], axis=1)
    probabilities[predicted == 0] = probabilities[predicted == 0][:, ::-1]
    judges = pool = Labels.of(probabilities)
    right = judges.labels == truth
    asked = {"rule": "target_precision", "target_precision": 0.8}
    briefs = in_parts(pool, [100, 500])
    together, verdict = choose_thresholds(params(**asked), briefs, judges, right)
    assert together[0] == together[1] <= 0.7
    assert "The lowest threshold" in verdict
    apart, verdict = choose_thresholds(params(**asked, per_class=True), briefs, judges, right)
    assert apart[0] == confidence[predicted == 0].min() and np.isnan(apart[1])
    assert "found for 1 of 2 classes" in verdict
    accepted, reasons = accept(pool, apart, None, 0)
    np.testing.assert_array_equal(accepted, predicted == 0)
    assert set(np.asarray(reasons)[predicted == 1]) == {"no threshold guarantees the target precision"}


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"balance": {"name": "top_k", "rows_per_class": 7}}, [7, 7]),
        ({"balance": {"name": "prior"}}, [20, 20]),
        ({"balance": {"name": "prior"}, "class_prior": [0.75, 0.25]}, [60, 20]),
    ],
)
def test_balance_leaves_out_the_least_confident(asked: dict[str, Any], rows: list[int]) -> None:
    pool = Labels(np.repeat([0, 1], [80, 20]), np.linspace(0.6, 1, 100, dtype=np.float32), UNUSED)
    thresholds = np.full(2, 0.6, np.float32)
    cut = cut_of(params(**asked), in_parts(pool, [30, 70]), thresholds)
    halves = [
        accept(Labels(pool.labels[part], pool.confidence[part], UNUSED), thresholds, cut, number)
        for number, part in enumerate((slice(30), slice(30, 100)))
    ]
    accepted, reasons = (np.concatenate(each) for each in zip(*halves, strict=True))
    assert np.bincount(pool.labels[accepted]).tolist() == rows
    assert set(reasons[~accepted]) == {"left out to balance the classes"}


def test_a_prior_of_other_classes_is_refused(trained: Path) -> None:
    with pytest.raises(SelfsameError, match=r"class_prior has 3 shares, the data 2 classes"):
        run_task("pseudo_label", trained, pseudo_label={"class_prior": [0.2, 0.3, 0.5]})


@pytest.mark.parametrize("shares", [[0.5, 0.6], [1.5, -0.5], []])
def test_shares_that_are_none_are_refused(shares: list[float]) -> None:
    with pytest.raises(SelfsameError, match=r"must be shares|should be"):
        params(class_prior=shares)


def in_small_parts(folder: Path) -> list[str]:
    """Split anew, 60 rows a part; return the parts' names."""
    run_task("split", folder, split={"rows_per_part": 60})
    return [path.name for path in files_under(folder / POOL)]


def test_parts_have_the_rows_of_the_pools_parts_and_decide_as_one(trained: Path) -> None:
    whole = label(trained, 0.6)
    names = in_small_parts(trained)
    assert len(names) > 5
    assert label(trained, 0.6) == whole
    assert [path.name for path in files_under(trained / OUT)] == names
    for name in names:
        pool, decided = (pq.read_table(trained / folder / name) for folder in (POOL, OUT))
        assert decided["example_id"] == pool["example_id"]


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.mark.parametrize("where", ["selfsame.model.models.answer_table", "selfsame.labeling.TableWriter"])
def test_a_killed_stage_repeats_one_part_at_most(
    where: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed ever again, at every part it is at, it still goes on, and ends in the same bytes."""
    names = in_small_parts(trained)
    label(trained, 0.6)
    expected = {path.name: sha256_file(path) for path in files_under(trained / OUT)}
    module, _, name = where.rpartition(".")
    real = getattr(sys.modules[module], name)
    calls = 0

    def once_in_three(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 3 == 0:
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(where, once_in_three)
    monkeypatch.setattr("selfsame.model.kept.SCRATCH", trained / "scratch")
    kills = 0
    for _ in range(2 * len(names)):
        try:
            label(trained, 0.6)
        except Killed:
            kills += 1
            continue
        break
    assert {path.name: sha256_file(path) for path in files_under(trained / OUT)} == expected
    first = where.endswith("answer_table")  # the rows that judge are asked about too
    assert kills >= 2 and calls == len(names) + first + kills
