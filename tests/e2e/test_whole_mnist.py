"""All six stages on MNIST, by ``dvc repro`` and by the flow."""

import json
import os
from pathlib import Path

import pytest
from project import ROOT, Project

from selfsame.core.graph_file import read_yaml

VARIABLE = "SELFSAME_TEST_MNIST"
PRESET = ROOT / "presets" / "mnist-1000.yaml"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_mnist_by_dvc_and_by_the_flow(tmp_path: Path, prefect_api: str) -> None:
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} names no folder with MNIST's four idx files")
    params = read_yaml(PRESET)
    params["data"]["path"] = str(Path(folder).resolve())
    for section in (
        "train_baseline",
        "retrain",
    ):  # enough to run every stage; the accuracy is measured elsewhere
        params[section] |= {"max_epochs": 3, "patience_epochs": 3}
    project = Project.create(tmp_path / "mnist", params)
    assert project.repro().ran == tuple(project.stages)
    metrics = json.loads((project.root / "reports" / "metrics.json").read_text())
    assert (metrics["labeled"]["rows"], metrics["holdout"]["rows"]) == (1000, 10_000)
    rows = sum(metrics[role]["rows"] for role in ("labeled", "validation", "holdout", "pool"))
    assert rows == json.loads((project.root / "data" / "raw" / "manifest.json").read_text())["rows"] == 70_000

    digests, executions = project.digests(), project.executions()
    done = project.selfsame("run", "--force")
    assert done.returncode == 0, done.stderr
    assert project.digests() == digests
    assert project.executions() == {name: 2 * count for name, count in executions.items()}
