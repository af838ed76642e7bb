"""The flow of active learning on the real pipeline and a real server: it asks, waits, and learns."""

import csv
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from project import TINY, Project, Repro

from selfsame.core.annotations import ANNOTATIONS, read_annotations

SCRIPT = """
import sys
from flows.active_learning import active_learning
state = active_learning(wait_hours=float(sys.argv[1]), return_state=True)
print(state.type.value, state.message)
"""
ROWS = 4
WAIT_SECONDS = 900  # for what takes a minute where nothing else runs


@pytest.fixture
def project(tmp_path: Path, prefect_api: str) -> Project:
    project = Project.create(tmp_path / "project", TINY | {"active_learning": {"rows": ROWS}})
    project.run("git", "config", "user.name", "Ada")
    project.run("git", "config", "user.email", "ada@example.org")
    project.run("git", "add", "--all")
    project.run("git", "commit", "-qm", "sources")
    return project


def ask(api: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    for _ in range(10):
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code != 503:  # the server's small database is busy
                raise
            time.sleep(2)
    raise TimeoutError(path)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_asked_answered_learned(project: Project, prefect_api: str) -> None:
    flow = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, "1"],
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + WAIT_SECONDS
        paused = {"flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
        while not (runs := ask(prefect_api, "flow_runs/filter", paused)):
            assert flow.poll() is None, flow.communicate()
            assert time.monotonic() < deadline
            time.sleep(1)
        before = project.executions()
        assert set(before.values()) == {1}
        with (project.root / "data/annotations/request.csv").open() as file:
            asked = [row["example_id"] for row in csv.DictReader(file)]
        assert len(asked) == ROWS
        lines = [f"{name},malignant" for name in asked]
        (project.root / "answers.csv").write_text("\n".join(["example_id,label", *lines]))
        answers = {"file": "answers.csv", "annotator": "Ada"}
        said = ask(prefect_api, f"flow_runs/{runs[0]['id']}/resume", {"run_input": answers})
        assert said["status"] == "ACCEPT", said
        out, err = flow.communicate(timeout=WAIT_SECONDS)
    finally:
        flow.kill()
    assert out.startswith("COMPLETED ran: split, train_baseline, pseudo_label, retrain, evaluate"), err
    given = read_annotations(project.root / ANNOTATIONS)
    assert {(one.annotator, one.strategy) for one in given.values()} == {("Ada", "margin")}
    assert set(given) == set(asked)
    ran = {stage for stage, count in project.executions().items() if count > before[stage]}
    assert ran == set(project.stages) - {"download"}
    metrics = json.loads((project.root / "reports/metrics.json").read_text())
    assert metrics["labeled"] == {"rows": 20 + ROWS, "asked": {"margin": ROWS}}
    assert project.repro() == Repro((), ())
    assert "4 labels given on request" in project.run("git", "log", "--format=%s")
    shown = project.selfsame("rows", asked[0]).stdout
    assert "human: Ada at 2" in shown and "asked by the strategy margin" in shown


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nobody_answers(project: Project) -> None:
    out = project.run("python", "-c", SCRIPT, "0.0003")
    assert out.startswith("FAILED no answers came within 0.0003 hours"), out
    assert (project.root / "data/annotations/request.html").is_file()
