"""The stage ``pseudo_label``: every pool row with its decision, the threshold inclusive."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import run_task

from selfsame.core.digests import files_under, sha256_file
from tasks.pseudo_label import decide

POOL, OUT = Path("data/splits/pool"), Path("data/pseudo_labels")


def label(trained: Path, threshold: float) -> pa.Table:
    run_task("pseudo_label", trained, pseudo_label={"threshold": threshold})
    return pq.read_table(trained / OUT)


def test_every_pool_row_is_there_in_order(trained: Path) -> None:
    decisions = label(trained, 0.6)
    pool = pq.read_table(trained / POOL)
    assert decisions["example_id"].to_pylist() == pool["example_id"].to_pylist()
    assert {*decisions["teacher"].to_pylist()} == {
        sha256_file(trained / "models" / "baseline" / "model.safetensors")
    }
    assert {*decisions["round"].to_pylist()} == {1}
    assert set(decisions.column_names) == {
        *("example_id", "pseudo_label", "confidence", "threshold", "accepted", "reason", "round", "teacher")
    }


def test_labels_and_confidences_are_the_teachers(trained: Path) -> None:
    from selfsame.learning.models import load_model, predict_table

    decisions = label(trained, 0.6)
    predictions = predict_table(load_model(trained / "models" / "baseline"), trained / POOL)
    np.testing.assert_array_equal(decisions["pseudo_label"], predictions.predicted)
    np.testing.assert_array_equal(decisions["confidence"], predictions.confidence)


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


def test_the_reason_is_that_of_the_decision(trained: Path) -> None:
    decisions = label(trained, float(np.median(label(trained, 0.5)["confidence"])))
    reasons = set(zip(decisions["accepted"].to_pylist(), decisions["reason"].to_pylist(), strict=True))
    assert reasons == {(True, "confidence at or above threshold"), (False, "confidence below threshold")}


def test_a_threshold_of_nothing_accepts_all(trained: Path) -> None:
    assert label(trained, 0.0)["accepted"].to_numpy().all()


def test_a_threshold_of_one_accepts_certainty_alone() -> None:
    sure = np.array([[1, 0], [np.nextafter(np.float32(1), np.float32(0)), 1e-7]], np.float32)
    labels, confidence, accepted = decide(sure, 1.0)
    assert (labels.tolist(), accepted.tolist()) == ([0, 0], [True, False])
    assert confidence.dtype == np.float32


def test_the_same_inputs_give_the_same_bytes(trained: Path) -> None:
    digests = []
    for _ in range(2):
        label(trained, 0.6)
        digests.append([sha256_file(file) for file in files_under(trained / OUT)])
    assert digests[0] == digests[1]


@pytest.mark.parametrize("probabilities", [[0.25, 0.25, 0.25, 0.25], [0.4, 0.4, 0.2, 0.0]])
def test_of_equal_classes_the_first_is_taken(probabilities: list[float]) -> None:
    labels, confidence, _ = decide(np.array([probabilities], np.float32), 0.5)
    assert (labels[0], confidence[0]) == (0, np.float32(max(probabilities)))
