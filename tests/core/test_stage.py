"""The entry that all stages share: outputs whole or not at all, errors as one message."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT

GRAPH = """
stages:
  bake:
    cmd: python -m tasks.bake
    deps: [tasks/bake.py, data/dough.txt]
    params: [bake]
    outs: [out/bread.txt, out/crumbs]
"""
STAGE = """
import sys, time
from pathlib import Path
from pydantic import Field
from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section
from selfsame.params.reading import check_sections
from selfsame.runner import run_stage

class Bake(Section):
    mode: str
    loaves: int = Field(ge=1)

def check(written):
    return check_sections(written, {"bake": Bake})

def main(stage):
    own = stage.section("bake", Bake)
    stage.outputs["crumbs"].mkdir()
    (stage.outputs["crumbs"] / "one").write_text("crumb")
    stage.outputs["bread"].write_text(stage.inputs["dough"].read_text() * own.loaves)
    if own.mode == "mend":
        raise SelfsameError("the oven is cold", "light it")
    if own.mode == "bug":
        raise ZeroDivisionError("a bug")
    if own.mode == "undeclared":
        stage.inputs["yeast"].read_text()
    if own.mode == "hang":
        print("baking", flush=True)
        time.sleep(60)
    if own.mode == "forgets":
        (stage.outputs["crumbs"] / "one").unlink()
        stage.outputs["crumbs"].rmdir()

if __name__ == "__main__":
    run_stage("bake", main, check)
"""


@pytest.fixture
def bakery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one stage that obeys its parameter ``mode``; the current folder."""
    for name, text in {
        "dvc.yaml": GRAPH,
        "tasks/__init__.py": "",
        "tasks/bake.py": STAGE,
        "data/dough.txt": "dough ",
        "data/yeast.txt": "yeast",
        "params.yaml": "bake: {mode: well, loaves: 2}\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    shutil.copytree(
        ROOT / "selfsame", tmp_path / "selfsame", ignore=shutil.ignore_patterns("__pycache__", "learning")
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")
    monkeypatch.delenv("SELFSAME_DEBUG", raising=False)
    return tmp_path


def bake(mode: str = "well", *arguments: str) -> subprocess.CompletedProcess[str]:
    Path("params.yaml").write_text(f"bake: {{mode: {mode}, loaves: 2}}\n")
    command = [sys.executable, "-m", "tasks.bake", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def written() -> dict[str, str]:
    return {path.as_posix(): path.read_text() for path in sorted(Path("out").rglob("*")) if path.is_file()}


GOOD = {"out/bread.txt": "dough dough ", "out/crumbs/one": "crumb"}


def test_outputs_take_the_place_of_old_ones(bakery: Path) -> None:
    (bakery / "out" / "crumbs").mkdir(parents=True)
    (bakery / "out" / "crumbs" / "old").write_text("from an earlier run")
    (bakery / "out" / "bread.txt").write_text("stale")
    assert bake().returncode == 0
    assert written() == GOOD


@pytest.mark.parametrize("mode", ["mend", "bug", "forgets"])
def test_a_failed_run_leaves_no_part_of_an_output(mode: str, bakery: Path) -> None:
    assert bake().returncode == 0
    shutil.rmtree("out/crumbs")
    Path("out/bread.txt").unlink()
    assert bake(mode).returncode == 1
    assert written() == {}


def test_what_a_killed_run_left_is_removed(bakery: Path) -> None:
    Path("params.yaml").write_text("bake: {mode: hang, loaves: 2}\n")
    process = subprocess.Popen([sys.executable, "-m", "tasks.bake"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"baking\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert written() == {"out/.partial-bread.txt": "dough dough ", "out/.partial-crumbs/one": "crumb"}
    assert bake().returncode == 0
    assert written() == GOOD


def test_two_executions_at_once_come_one_after_the_other(bakery: Path) -> None:
    Path("params.yaml").write_text("bake: {mode: hang, loaves: 2}\n")
    first = subprocess.Popen([sys.executable, "-m", "tasks.bake"], stdout=subprocess.PIPE)
    assert first.stdout is not None and first.stdout.readline() == b"baking\n"
    Path("params.yaml").write_text("bake: {mode: well, loaves: 2}\n")
    command = [sys.executable, "-m", "tasks.bake"]
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert second.stdout is not None
    assert second.stdout.readline().startswith(f"waiting for stage bake, last taken by process {first.pid} ")
    first.kill()
    first.communicate()
    second.communicate()
    assert second.returncode == 0 and written() == GOOD


def test_an_undeclared_input_cannot_be_found(bakery: Path) -> None:
    done = bake("undeclared")
    assert done.returncode == 1
    assert "KeyError: 'yeast'" in done.stderr


def test_a_missing_input_is_named(bakery: Path) -> None:
    Path("data/dough.txt").unlink()
    done = bake()
    assert (done.returncode, done.stderr) == (
        1,
        "error in stage bake: data/dough.txt: missing input of stage bake\n  fix: run 'dvc repro'\n",
    )


def test_an_error_that_a_person_can_mend_is_one_message(bakery: Path) -> None:
    done = bake("mend")
    assert done.returncode == 1
    assert done.stderr == "error in stage bake: the oven is cold\n  fix: light it\n"


@pytest.mark.parametrize("arguments", [["--debug"], []], ids=["option", "variable"])
def test_debugging_shows_the_traceback(
    arguments: list[str], bakery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not arguments:
        monkeypatch.setenv("SELFSAME_DEBUG", "1")
    done = bake("mend", *arguments)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "the oven is cold" in done.stderr


def test_a_bug_shows_its_traceback(bakery: Path) -> None:
    assert "ZeroDivisionError: a bug" in bake("bug").stderr


def test_wrong_parameters_stop_before_any_work(bakery: Path) -> None:
    Path("params.yaml").write_text("bake: {mode: well, loafs: 2}\n")
    done = subprocess.run([sys.executable, "-m", "tasks.bake"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "bake.loafs = 2: unknown key; nearest valid name: loaves" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("params: [bake]", "params: [baker]", "lists the params ['baker'], which are no sections"),
        ("  bake:", "  bakery:", "no stage named 'bake'"),
    ],
)
def test_a_graph_that_says_otherwise_is_refused(old: str, new: str, said: str, bakery: Path) -> None:
    Path("dvc.yaml").write_text(GRAPH.replace(old, new, 1))
    done = bake()
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_observer_writes_a_record_unless_it_is_off(bakery: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bake().returncode == 0
    assert not Path("lineage").exists()
    monkeypatch.delenv("SELFSAME_OBSERVE")
    assert bake().returncode == 0
    assert len(list(Path("lineage/bake").iterdir())) == 1
    assert written() == GOOD
