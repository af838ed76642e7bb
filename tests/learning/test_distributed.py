"""A training in two processes: the batches, the losses and the model are those of one, up to rounding."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from project import ROOT, TINY, run_task
from ruamel.yaml import YAML
from safetensors.numpy import load_file

from selfsame.core.graph_file import read_yaml
from selfsame.learning.resume import SCRATCH
from selfsame.params.overrides import with_overrides

TOLERANCE = 1e-3  # relative, of every loss of every epoch
# All that must agree: batch normalization, moving average, class weights, augmentation, a clipped gradient.
TECHNIQUES = {
    "model": {"architecture": "mlp", "widths": [8, 8], "batch_norm": True, "dropout": 0.0},
    "training": {
        "batch_size": 7,
        "ema_decay": 0.9,
        "class_weights": "inverse_share",
        "gradient_clip_norm": 1.0,
        "augmentation": {"name": "table", "noise_std": 0.1},
        "refit_on_validation": True,
    },
    "train_baseline": {"max_epochs": 6},
}


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first two stages have run; for copying only."""
    folder = tmp_path_factory.mktemp("split")
    for name in ("download", "split"):
        run_task(name, folder)
    shutil.copy2(ROOT / "dvc.yaml", folder)
    return folder


def start(
    folder: Path, processes: int, stage: str = "train_baseline", **changes: dict[str, Any]
) -> subprocess.Popen[str]:
    """Start a stage as DVC does."""
    written = read_yaml(ROOT / "params.yaml")
    for values in (TINY, TECHNIQUES, changes, {"training": {"processes": processes}}):
        with_overrides(
            written, {f"{name}.{key}": new for name, own in values.items() for key, new in own.items()}
        )
    YAML().dump(written, folder / "params.yaml")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SELFSAME_OBSERVE": "0"}
    command = [sys.executable, "-m", f"tasks.{stage}"]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def history(folder: Path, model: str = "baseline") -> np.ndarray:
    with (folder / "models" / model / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return np.array([[float(value) for value in row.values()] for row in rows])


def trained(
    split: Path, folder: Path, processes: int, stage: str = "train_baseline", **changes: dict[str, Any]
) -> Path:
    """Return a copy of the folder in which the stage has run to its end."""
    shutil.copytree(split, folder)
    process = start(folder, processes, stage, **changes)
    _, said = process.communicate(timeout=250)
    assert process.returncode == 0, said
    return folder


def test_two_processes_train_as_one(split: Path, tmp_path: Path) -> None:
    one, two = (trained(split, tmp_path / str(count), count) for count in (1, 2))
    np.testing.assert_allclose(history(two), history(one), rtol=TOLERANCE)
    for part in ("", "validated"):
        found, expected = (
            load_file(each / "models/baseline" / part / "model.safetensors") for each in (two, one)
        )
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-2, atol=1e-4, err_msg=name)
    recipes = [
        json.loads((each / "models/baseline/config.json").read_text())["recipe"] for each in (one, two)
    ]
    assert [recipe["training"].get("processes") for recipe in recipes] == [None, 2]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["offline", "online", "self_training"])
def test_two_processes_learn_from_the_pool_as_one(method: str, split: Path, tmp_path: Path) -> None:
    run_task("train_baseline", split)
    run_task("pseudo_label", split)
    own: dict[str, Any] = {"method": method, "max_epochs": 6, "pool_batch_size": 15}
    if method == "self_training":
        own |= {"relabel_every_epochs": 2, "strong_augmentation": {"name": "table", "noise_std": 0.2}}
    one, two = (
        trained(split, tmp_path / str(count), count, "retrain", retrain=own, pseudo_label={"threshold": 0.6})
        for count in (1, 2)
    )
    np.testing.assert_allclose(history(two, "student"), history(one, "student"), rtol=TOLERANCE)
    found, expected = (load_file(each / "models/student/model.safetensors") for each in (two, one))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-2, atol=1e-4, err_msg=name)


def test_a_process_that_fails_ends_the_stage_with_its_message(split: Path, tmp_path: Path) -> None:
    folder = tmp_path / "failing"
    shutil.copytree(split, folder)
    process = start(folder, 2, training={"learning_rate": 1e30, "gradient_clip_norm": None})
    _, said = process.communicate(timeout=250)
    assert process.returncode == 1
    assert "a process of the training failed: the training loss became" in said.splitlines()[-2]
    assert not (folder / "models/baseline").exists()


@pytest.mark.slow
def test_a_killed_process_ends_the_stage_and_the_next_run_goes_on(
    split: Path, tmp_path: Path, real_python: None
) -> None:
    import psutil

    longer = {
        "train_baseline": {"max_epochs": 60},
        "training": {"refit_on_validation": False},
        "monitoring": {"checkpoint_seconds": 0.0},
    }
    whole = trained(split, tmp_path / "whole", 2, **longer)
    folder = tmp_path / "killed"
    shutil.copytree(split, folder)
    process = start(folder, 2, **longer)
    while not list((folder / SCRATCH).rglob("*.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    ranks = [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if child.environ().get("RANK") == "1"
    ]
    ranks[0].send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1 and "a process of the training failed" in said
    process = start(folder, 2, **longer)
    _, said = process.communicate(timeout=250)
    assert process.returncode == 0 and "goes on after epoch" in said
    weights = "models/baseline/model.safetensors"
    assert (folder / weights).read_bytes() == (whole / weights).read_bytes()
