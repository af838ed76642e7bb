"""The feedback loop as a flow: its page tells the story; and the real thing, killed on its way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, TINY, Project
from ruamel.yaml import YAML
from test_pipeline import ask, task_runs

FLOW = Path(__file__).parent / "feedback_flow.py"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    yaml = YAML()
    params = yaml.load(tmp_path / "params.yaml")
    search = {"training.learning_rate": {"low": 0.0001, "high": 0.03, "log": True}}
    params["feedback"].update(target=2.0, max_trials=4, search=search)
    yaml.dump(params, tmp_path / "params.yaml")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def run_flow(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, str(FLOW), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_every_trial_is_a_task_and_the_holdout_is_read_once(project: Path, prefect_api: str) -> None:
    answer = run_flow("2")
    assert answer["type"] == "COMPLETED"
    assert answer["message"].startswith("budget spent: 4 trials; best: trial ")
    assert "holdout, read once: accuracy 0.7500" in answer["message"]
    *trials, evaluated, applied = answer["calls"]
    assert trials == [["retrain"]] * 4, "no trial reads the holdout"
    assert evaluated == [] and applied.startswith("feedback-")
    names = {f"trial {number}": "Completed" for number in range(4)} | {"best, on the holdout": "Completed"}
    runs = task_runs(prefect_api, answer["id"], **(names | {"trial 2": "Failed"}))
    assert runs["trial 2"]["state"]["message"] == "the loss became nan"
    assert "training.learning_rate" in runs["trial 1"]["state"]["message"]
    artifacts = ask(prefect_api, "artifacts", {"flow_runs": {"id": {"any_": [answer["id"]]}}})
    (story,) = [artifact["data"] for artifact in artifacts if artifact["key"] == "feedback"]
    assert story.count("\n| ") == 5 and "| 2 | failed |" in story
    again = run_flow("-1")
    assert again["calls"][:-1] == [[]], "the study is finished: only the best is looked at again"


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
