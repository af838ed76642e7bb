"""Architectures that are no nets, through the stages that train, label and evaluate."""

from pathlib import Path
from typing import Any

import pytest
from project import run_task
from regression import VALUES, write_splits

from selfsame.core.digests import files_under, sha256_file
from selfsame.model.models import load_model

NO_NET = {"architecture": "committee"}


@pytest.mark.parametrize("architecture", ["committee", "boosting"])
def test_a_table_goes_through_all_stages_without_a_net(architecture: str, trained: Path) -> None:
    changes: Any = {
        "model": NO_NET | {"architecture": architecture},
        "training": {"refit_on_validation": True},
    }
    for stage in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run_task(stage, trained, **changes)
    for name in ("baseline", "student", "champion"):
        model = load_model(trained / "models" / name)
        assert model.is_fitted and model.params.architecture == architecture
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
    assert len(load_model(tmp_path / "models/champion").members) == 3
