"""What a flow does beside the stages, against a real Prefect server: refresh, pull, push, commit, limits."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Toy
from tests.flows.runs import STAGES, finish, run_flow, start_flow, task_runs


def shell(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shared(toy: Toy, tmp_path: Path) -> Toy:
    """A committed toy project with a remote that a second copy can reach."""
    toy.dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    toy.dvc("remote", "modify", "store", "verify", "true")
    shell("git", "config", "user.name", "operator")
    shell("git", "config", "user.email", "operator@example.org")
    Path(".gitignore").write_text("/runs.log\n/*.txt\n!/source.txt\n")
    shell("git", "add", ".")
    shell("git", "commit", "-qm", "the project")
    return toy


def second_copy(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str = "second") -> Toy:
    """Clone the project and go there: its own DVC cache, its own notes, as on another machine."""
    shell("git", "clone", "-q", str(toy.folder), str(tmp_path / name))
    monkeypatch.chdir(tmp_path / name)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / f"{name}-site"))
    return Toy(tmp_path / name)


def test_what_cannot_be_done_is_refused_before_anything_runs(toy: Toy, prefect_api: str) -> None:
    refusals = {
        "no stage named 'lefft'": {"targets": ["lefft"]},
        "no default DVC remote": {"push": True},
        "git rev-parse": {"commit": True},
        "operation.refresh_url": {"refresh": True},
    }
    toy.set("operation", retries=0)
    params = toy.params | {"data": {"path": "source.txt"}}
    (toy.folder / "params.yaml").write_text(json.dumps(params))
    for message, options in refusals.items():
        answer = run_flow(**options)
        assert answer["type"] == "FAILED" and message in answer["message"]
    toy.dvc("remote", "add", "-d", "store", "../store")
    assert "not verified" in run_flow(pull=True)["message"]
    assert toy.runs() == []


@pytest.mark.slow
def test_another_machine_runs_nothing_that_this_one_ran(
    shared: Toy, prefect_api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_flow(push=True, commit=True)
    task_runs(prefect_api, first["id"], **dict.fromkeys([*STAGES, "push", "commit"], "Completed"))
    assert shell("git", "log", "-1", "--format=%s").startswith("Run: ")
    assert shell("git", "status", "--porcelain") == ""

    # With dvc.lock from git, and without it, from the noted runs alone: nothing runs.
    for name, lock in (("second", True), ("third", False)):
        copy = second_copy(shared, tmp_path, monkeypatch, name)
        if not lock:
            (copy.folder / "dvc.lock").unlink()
        answer = run_flow(pull=True)
        assert answer["message"] == "restored: prepare, left, right, join"
        assert copy.runs() == []
        for stage in STAGES:
            assert (copy.folder / f"{stage}.txt").read_text() == (shared.folder / f"{stage}.txt").read_text()

    # What is computed there is used here.
    copy.set("left", value=5)
    assert run_flow(pull=True, push=True)["message"].startswith("ran: left, join")
    monkeypatch.chdir(shared.folder)
    shared.runs()
    shared.set("left", value=5)
    assert run_flow(pull=True)["message"] == "restored: left, join; unchanged: prepare, right"
    assert shared.runs() == []


def test_a_push_that_failed_is_caught_up(shared: Toy, prefect_api: str, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("in the way\n")
    failed = run_flow(push=True, commit=True)
    assert failed["type"] == "FAILED" and "push: DVC: " in failed["message"]
    task_runs(prefect_api, failed["id"], **dict.fromkeys(STAGES, "Completed"), push="Hindered")
    assert shell("git", "log", "-1", "--format=%s") == "the project\n", "what isn't shared isn't recorded"
    assert set(shared.runs()) == STAGES
    store.unlink()
    again = run_flow(push=True, commit=True)
    assert again["type"] == "COMPLETED" and shared.runs() == []
    assert shared.dvc("status", "--cloud").strip().endswith("in sync.")
    assert shell("git", "log", "-1", "--format=%s").startswith("Run: ")


@pytest.mark.slow
def test_a_hindrance_that_passes_is_waited_for(shared: Toy, prefect_api: str) -> None:
    lock = shared.folder / ".git" / "index.lock"
    lock.touch()
    shared.set("operation", retries=3, retry_seconds=4)
    flow = start_flow(targets=["prepare"], commit=True)
    shared.wait_for_start("prepare")
    finished = None
    while finished is None:  # until the commit has been tried once
        lines = flow.stderr.readline() if flow.stderr else ""
        finished = "Retry 1/3" in lines or None
    lock.unlink()
    assert finish(flow)["type"] == "COMPLETED"
    assert shell("git", "log", "-1", "--format=%s") == "Run: prepare\n"


def test_a_stage_has_a_time_limit_and_no_second_try(toy: Toy, prefect_api: str, real_python: None) -> None:
    toy.set("left", sleep=200)
    toy.set("operation", stage_minutes_of={"left": 0.05})
    answer = run_flow()
    assert "left: killed at its time limit of 3 s" in answer["message"]
    assert answer["message"].startswith("failed: left; blocked: join")
    assert sorted(toy.runs()) == ["prepare", "right"]
    toy.set("left", sleep=0)
    toy.set("operation", stage_minutes_of={})
    assert run_flow()["message"] == "ran: left, join; unchanged: prepare, right"
