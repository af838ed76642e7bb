"""The whole pipeline on images: the same inputs give the same bytes, watched or not."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from project import TINY, Project, compute_anew

IMAGES = TINY | {
    "data": {"source": "digits"},
    "split": {"labels_per_class": 5, "validation_per_class": 5},
    "model": {"architecture": "cnn", "widths": [4, 4], "halve_after": [1]},
    "training": TINY["training"] | {"augmentation": {"name": "image"}},
    "train_baseline": {"max_epochs": 30, "patience_epochs": 30},
    "retrain": {"max_epochs": 5, "ramp_up_end_epochs": 2},
    "pseudo_label": {"threshold": 0.3},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project of images after its first run."""
    project = Project.create(tmp_path_factory.mktemp("same") / "project", IMAGES)
    project.repro()
    return project


def test_code_and_parameters_alone_decide_every_byte(images: Project) -> None:
    assert images.digests() == compute_anew(images)


def test_a_second_run_unobserved_writes_the_same_bytes(images: Project) -> None:
    digests, executions = images.digests(), images.executions()
    assert set(executions.values()) == {1}
    images.run("dvc", "repro", "--force", SELFSAME_OBSERVE="0")
    assert images.digests() == digests
    assert images.executions() == executions


def test_watching_and_checkpoints_leave_the_bytes_alone(images: Project) -> None:
    digests = images.digests()
    images.set("monitoring", tensorboard=True, checkpoint_seconds=0.0)
    assert images.repro().ran == ()
    images.run("dvc", "repro", "--force")
    assert images.digests() == digests
    scratch = images.root / ".scratch"
    for stage in ("train_baseline", "retrain"):
        assert len([path for path in (scratch / "tensorboard" / stage).rglob("*") if path.is_file()]) == 1
        assert newest_record(images, stage)["notes"] == []
    assert not list((scratch / "resume").rglob("*.safetensors"))


def newest_record(project: Project, stage: str) -> dict[str, Any]:
    """Return what a stage's newest record says beside its parameters."""
    file = max((project.root / "lineage" / stage).iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(file.read_text())["predicate"]["buildDefinition"]["internalParameters"]


@pytest.mark.slow
def test_a_killed_run_is_taken_up_and_its_record_says_so(images: Project, tmp_path: Path) -> None:
    project = images.copy_to(tmp_path / "killed")
    project.set("monitoring", checkpoint_seconds=0.0)
    project.set("train_baseline", max_epochs=200, patience_epochs=200)
    scratch = project.root / ".scratch" / "resume" / "train_baseline"
    process = subprocess.Popen(
        ["dvc", "repro"], cwd=project.root, start_new_session=True, env=project.environment()
    )
    while not list(scratch.rglob("*.safetensors")):
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert "train_baseline" in project.repro().ran
    assert newest_record(project, "train_baseline")["notes"][0]["resumedFromEpoch"] >= 1
    assert project.digests() == compute_anew(project)


@pytest.mark.parametrize("method", ["online", "offline"])
def test_other_methods_are_repeatable_too(method: str, images: Project) -> None:
    before = images.digests()
    images.set("retrain", method=method)
    assert images.repro().ran == ("retrain", "evaluate")
    assert images.digests() == compute_anew(images) != before
