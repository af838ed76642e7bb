"""The feedback loop as a flow: its page tells the story; and the real thing, killed on its way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from prefect import State
from project import ROOT, TINY, Project
from ruamel.yaml import YAML

from flows import feedback as flow_module
from selfsame.core.errors import SelfsameError
from selfsame.dag.experiments import Trial
from selfsame.trials import study
from tests.conftest import Toy
from tests.flows.runs import ask, task_runs


@pytest.fixture
def project(done: Toy, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        (done.folder / name).write_bytes((ROOT / name).read_bytes())
    yaml = YAML()
    params = yaml.load(done.folder / "params.yaml")
    search = {"training.learning_rate": {"low": 0.0001, "high": 0.03, "log": True}}
    params["feedback"].update(target=2.0, max_trials=4, search=search)
    yaml.dump(params, done.folder / "params.yaml")
    return done.folder


class Pipeline:
    """Stands for the pipeline: the closer the learning rate is to 0.01, the better the model."""

    def __init__(self, fails: int) -> None:
        self.fails = fails  # the number of the trial that does
        self.calls: list[Any] = []

    def run(self, overrides: dict[str, Any], name: str, log: Any, targets: Any = ()) -> Trial:
        self.calls.append(targets)
        log(f"a stage of {name}")
        if len(self.calls) - 1 == self.fails:
            raise SelfsameError("the loss became nan")
        accuracy = 1 - abs(overrides.get("training.learning_rate", 0.02) - 0.01)
        metrics: dict[str, Any] = {"models/student/validation.json": {"accuracy": accuracy}}
        if not targets:
            student = {"holdout": {"accuracy": 0.75}}
            metrics["reports/metrics.json"] = {"student": student, "champion": "student", "pool": {}}
        return Trial(name, overrides, metrics, {}, 1.0)


def run_flow(fails: int, patch: pytest.MonkeyPatch) -> tuple[State, list[Any]]:
    pipeline = Pipeline(fails)
    patch.setattr(study, "run_experiment", pipeline.run)
    patch.setattr(flow_module, "apply_experiment", pipeline.calls.append)
    return flow_module.feedback(apply=True, return_state=True), pipeline.calls


def test_every_trial_is_a_task_and_the_holdout_is_read_once(
    project: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, calls = run_flow(2, monkeypatch)
    assert state.is_completed()
    assert state.message.startswith("budget spent: 4 trials; best: trial ")
    assert "holdout, read once: accuracy 0.7500" in state.message
    *trials, evaluated, applied = calls
    assert trials == [["retrain"]] * 4, "no trial reads the holdout"
    assert evaluated == () and applied.startswith("feedback-")
    run = str(state.state_details.flow_run_id)
    names = {f"trial {number}": "Completed" for number in range(4)} | {"best, on the holdout": "Completed"}
    runs = task_runs(prefect_api, run, **(names | {"trial 2": "Failed"}))
    assert runs["trial 2"]["state"]["message"] == "the loss became nan"
    assert "training.learning_rate" in runs["trial 1"]["state"]["message"]
    artifacts = ask(prefect_api, "artifacts", {"flow_runs": {"id": {"any_": [run]}}})
    (story,) = [artifact["data"] for artifact in artifacts if artifact["key"] == "feedback"]
    assert story.count("\n| ") == 5 and "| 2 | failed |" in story
    _, calls = run_flow(-1, monkeypatch)
    assert calls[:-1] == [()], "the study is finished: only the best is looked at again"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path: Path, prefect_api: str) -> None:
    project = Project.create(tmp_path / "project", TINY)
    search = {"training.learning_rate": {"low": 0.0001, "high": 0.05, "log": True}}
    project.set("feedback", target=2.0, max_trials=3, search=search)
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "first")
    command = [sys.executable, "-m", "selfsame.cli", "feedback"]
    process = subprocess.Popen(
        command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 900
    while project.executions()["pseudo_label"] < 2 and project.executions()["retrain"] < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = project.executions()
    assert before["evaluate"] == 0
    message = project.run(*command)
    assert "budget spent: 3 trials" in message and "holdout, read once" in message
    after = project.executions()
    assert after["train_baseline"] <= 3 and after["evaluate"] == 1
    assert after["download"] == 1 and after["split"] == 1
    assert project.run("git", "status", "--porcelain") == "?? lineage/\n"
    assert len(project.run("dvc", "exp", "list", "--name-only").split()) == 3
