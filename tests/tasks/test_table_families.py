"""Architectures that are no nets, through the stages that train, label and evaluate."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from project import run_task
from regression import VALUES, write_splits

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.tables import read_column
from selfsame.model.models import load_model

MEMBERS = ["linear", "boosting"]
NO_NET: dict[str, Any] = {"architecture": "committee", "members": MEMBERS}
FAMILY = {"architecture": "boosting"}


@pytest.mark.parametrize("params", [NO_NET, FAMILY], ids=["committee", "boosting"])
def test_a_table_goes_through_all_stages_without_a_net(params: Any, trained: Path) -> None:
    changes: Any = {"model": params, "training": {"refit_on_validation": True}}
    for stage in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run_task(stage, trained, **changes)
    for name in ("baseline", "student", "champion"):
        model = load_model(trained / "models" / name)
        assert model.is_fitted and model.params.architecture == params["architecture"]
    # The scikit-learn baseline is judged out of fold, on rows whose labels the file doesn't give away.
    judged = np.load(trained / "models/baseline/out_of_fold.npy")
    tables = [trained / f"data/splits/{role}.parquet" for role in ("labeled", "validation")]
    truth = np.concatenate([read_column(table, "label") for table in tables])
    metrics = json.loads((trained / "reports/metrics.json").read_text())
    assert metrics["validation"]["reference_promotion_out_of_fold_rows"] == len(truth) == len(judged)
    assert not (trained / "models/student/out_of_fold.npy").exists()
    before = [sha256_file(file) for file in files_under(trained / "models/baseline")]
    run_task("train_baseline", trained, **changes)
    assert [sha256_file(file) for file in files_under(trained / "models/baseline")] == before


def test_values_go_through_all_stages_without_a_net(tmp_path: Path) -> None:
    write_splits(tmp_path)
    changes = {
        "model": NO_NET,
        "train_baseline": {"ensemble_members": 0},
        "pseudo_label": VALUES["pseudo_label"],
    }
    for stage in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run_task(stage, tmp_path, **changes)
    assert len(load_model(tmp_path / "models/champion").members) == len(MEMBERS)


def test_of_many_accepted_rows_some_are_learned_and_classes_count_by_their_weights(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selfsame.families.estimators.MOST_TAUGHT", 5)
    changes: Any = {"model": {"architecture": "linear"}, "pseudo_label": {"threshold": 0.3}}
    for stage in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run_task(stage, trained, **changes)
    before = sha256_file(trained / "models/baseline/model.safetensors")
    learned = json.loads((trained / "reports/metrics.json").read_text())["learned"]
    rows = len(read_column(trained / "data/splits/labeled.parquet", "label"))
    assert learned["labels_used"] == max(rows, 5)
    factors = {"none": None, "inverse_share": torch.tensor([1.0, 3.0])}  # the rows' own shares are equal
    monkeypatch.setattr("selfsame.learning.tables.class_weights", lambda *given: factors[given[2]])
    run_task("train_baseline", trained, **changes, training={"class_weights": "inverse_share"})
    assert sha256_file(trained / "models/baseline/model.safetensors") != before
