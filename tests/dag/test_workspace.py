"""One writer at a time, and no hand work after a crash."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.dag.execute import run_stage
from selfsame.dag.plan import read_plan
from selfsame.dag.workspace import clear_dead_locks, hold_workspace, is_alive
from tests.conftest import Toy

HOLD = """
from selfsame.dag.workspace import hold_workspace
with hold_workspace():
    print("held", flush=True)
    input()
"""


def hold_elsewhere() -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLD]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    return other


def test_one_holder_at_a_time(toy: Toy) -> None:
    said: list[str] = []
    with hold_elsewhere() as other:
        with pytest.raises(SelfsameError, match=f"in use by process {other.pid}"), hold_workspace(wait=False):
            pass
        assert other.stdin is not None

        def let_go(message: str) -> None:
            said.append(message)
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()

        with hold_workspace(say=let_go):
            assert other.wait(10) == 0
    assert f"process {other.pid}" in said[0]


def test_a_killed_holder_leaves_no_lock(toy: Toy) -> None:
    with hold_elsewhere() as other:
        other.kill()
    with hold_workspace(wait=False):
        pass


def test_not_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SelfsameError, match="not a DVC project"), hold_workspace():
        pass


def write_table(pid: int, cmd: str) -> Path:
    table = Path(".dvc/tmp/rwlock")
    owner = {"pid": pid, "cmd": cmd}
    table.write_text(json.dumps({"write": {"/a": owner}, "read": {"/b": [owner]}}))
    return table


@pytest.mark.parametrize(
    ("pid", "cmd"),
    [(2**22 - 1, "dvc repro"), (os.getpid(), "dvc repro never-my-arguments")],
    ids=["dead", "number-reused"],
)
def test_dead_owners_are_cleared(toy: Toy, pid: int, cmd: str) -> None:
    table = write_table(pid, cmd)
    clear_dead_locks(Path(".dvc/tmp"))
    assert json.loads(table.read_text()) == {"write": {}, "read": {}}
    toy.dvc("repro", "-q")


def test_living_owner_is_kept(toy: Toy) -> None:
    command = psutil.Process().cmdline()
    table = write_table(os.getpid(), " ".join(["dvc", *command[-1:]]))
    before = table.read_text()
    clear_dead_locks(Path(".dvc/tmp"))
    assert table.read_text() == before


def test_a_process_younger_than_the_entry_is_no_owner() -> None:
    process = psutil.Process()
    owner = {"pid": process.pid, "cmd": "dvc " + process.cmdline()[-1]}
    assert is_alive(owner, process.create_time())
    assert not is_alive(owner, process.create_time() - 60)


@pytest.mark.parametrize("text", ["", '{"write": {"/a"', "[]", '{"write": {"/a": {"pid": 1}}}'])
def test_unreadable_table_is_cleared(toy: Toy, text: str) -> None:
    table = Path(".dvc/tmp/rwlock")
    table.write_text(text)
    clear_dead_locks(Path(".dvc/tmp"))
    assert not table.exists()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_a_lock_file_cut_short_is_set_aside_and_nothing_runs_again(done: Toy, share: float) -> None:
    whole = Path("dvc.lock").read_text()
    cut = whole[: int(len(whole) * share)].rsplit("md5", 1)[0] + ("{" if share else "")
    Path("dvc.lock").write_text(cut)
    said: list[str] = []
    with hold_workspace(say=said.append) as workspace:
        assert Path(".dvc/tmp/dvc.lock.cut").read_text() == cut and not Path("dvc.lock").exists()
        kinds = [run_stage(workspace, one.stage, print).kind for one in read_plan().stages]
    assert kinds == ["restored"] * 4 and done.runs() == []
    assert said[0].startswith("dvc.lock was cut short") and Path("dvc.lock").read_text() == whole


def test_a_lock_file_with_conflict_markers_is_left_to_a_person(done: Toy) -> None:
    Path("dvc.lock").write_text("<<<<<<< ours\n")
    with hold_workspace():
        assert Path("dvc.lock").read_text() == "<<<<<<< ours\n"


def test_unreadable_table_beside_a_living_dvc_is_an_error(toy: Toy) -> None:
    toy.set("prepare", sleep=200)
    beside = subprocess.Popen(["dvc", "repro", "-q", "prepare"], start_new_session=True)
    try:
        toy.wait_for_start("prepare")
        Path(".dvc/tmp/rwlock").write_text("{")
        with pytest.raises(SelfsameError, match=str(beside.pid)):
            clear_dead_locks(Path(".dvc/tmp"))
    finally:
        os.killpg(beside.pid, 9)
        beside.wait()
