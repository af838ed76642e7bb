"""What a run is asked for: refused before anything happens, or run as an experiment."""

from pathlib import Path
from typing import Any

import pytest
from project import TINY, Project

from flows.request import WORKSPACE_ONLY, RunRequest
from selfsame.core.errors import SelfsameError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"targets": ["retrian"]}, "did you mean retrain?"),
        ({"overrides": {"pseudo_label.treshold": 0.9}}, "nearest valid name: threshold"),
        ({"overrides": {"pseudo_label.threshold": 2}}, "pseudo_label.threshold = 2"),
        *(
            ({"overrides": {"split.seed": 1}, name: True}, f"overrides and {name} don't go together")
            for name in WORKSPACE_ONLY
        ),
    ],
)
def test_what_cannot_be_done_is_refused(
    asked: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SelfsameError) as caught:
        RunRequest(**asked).check()
    assert said in str(caught.value)


@pytest.mark.slow
def test_overrides_leave_the_workspace_alone(tmp_path: Path, prefect_api: str) -> None:
    project = Project.create(tmp_path / "project", TINY)
    project.run("git", "config", "user.name", "operator")
    project.run("git", "config", "user.email", "operator@example.org")
    project.run("git", "add", ".")
    project.run("git", "commit", "-qm", "the project")
    run = ("python", "-m", "selfsame.cli", "run", "--target", "split", "--set")
    first = project.run(*run, "split.labels_per_class=12")
    assert "ran: download, split; experiment run-" in first
    assert project.run("git", "status", "--porcelain", "--", "params.yaml", "dvc.lock", "data") == ""
    assert "12" in project.run("dvc", "exp", "show", "--csv")
    refused = project.start(*run, "split.labels_per_clas=12")
    assert refused.returncode == 1 and "nearest valid name: labels_per_class" in refused.stderr
