"""Scoring as a flow: its state and its artifact say what the command says."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prefect import State

from flows import active_learning
from flows.score import PICTURES, score
from tests.conftest import Toy
from tests.flows.runs import ask


def run(patch: pytest.MonkeyPatch, answer: Any, status: int = 0, said: str = "") -> State:
    calls: list[list[str]] = []

    def answered(command: list[str], **_: Any) -> Any:
        calls.append(command)
        return subprocess.CompletedProcess(command, status, json.dumps(answer), said)

    with patch.context() as patched:
        patched.setattr(active_learning.subprocess, "run", answered)
        state = score(return_state=True)
    assert [command[2:] for command in calls] == [["selfsame.cli", "score", "--json"]]
    return state


def test_the_state_says_what_came_of_it(done: Toy, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Path("data/scored/x/drift.html")
    page.parent.mkdir(parents=True)
    figure = '<figure role="img" aria-label="mass_[g]: PSI 0.31"><svg width="9" height="9"></svg></figure>'
    page.write_text(f"<style>--paper: #fff;</style>{figure * 9}", encoding="utf-8")
    lines = ["9 rows of 1 file scored: data/scored/x", "never seen: '<Mars>' (30)"]
    state = run(monkeypatch, {"said": lines, "alarms": [], "folder": "data/scored/x"})
    assert (state.name, state.message) == ("Completed", lines[0])
    criteria = {"flow_runs": {"id": {"any_": [str(state.state_details.flow_run_id)]}}}
    (artifact,) = ask(prefect_api, "artifacts", criteria)
    assert artifact["key"] == "scoring" and r"'\<Mars\>' \(30\)" in artifact["data"]
    assert artifact["data"].count("mass\\_\\[g\\]: PSI 0.31\n\n![](data:image/svg+xml;base64,") == PICTURES
    page.unlink()
    alarm = "input 'mass_g': PSI 0.31"
    state = run(monkeypatch, {"said": [*lines, alarm], "alarms": [alarm], "folder": "data/scored/x"}, 7)
    assert (state.name, state.message, state.is_completed()) == ("Drifted", f"{lines[0]}\n{alarm}", True)
    state = run(monkeypatch, None)
    assert (state.name, state.message) == ("Cached", "nothing new in data/to_score")
    state = run(monkeypatch, None, 1, "error: data/to_score/a.csv: no rows")
    assert (state.name, state.message) == ("Failed", "data/to_score/a.csv: no rows")
