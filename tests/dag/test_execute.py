"""One stage in a process of its own."""

import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from selfsame.dag import execute
from selfsame.dag.execute import read_lines, run_stage
from selfsame.dag.workspace import hold_workspace
from tests.conftest import Toy, has_ended


def bring_up(stage: str, force: bool = False) -> tuple[execute.Outcome, list[str]]:
    lines: list[str] = []
    with hold_workspace() as workspace:
        return run_stage(workspace, stage, lines.append, force), lines


def test_ran_unchanged_restored(toy: Toy) -> None:
    outcome, lines = bring_up("prepare")
    assert (outcome.kind, outcome.error) == ("ran", "")
    assert "hello from prepare" in lines
    assert bring_up("prepare")[0].kind == "unchanged"
    toy.set("prepare", value=2)
    assert bring_up("prepare")[0].kind == "ran"
    toy.set("prepare", value=1)
    assert toy.runs() == ["prepare", "prepare"]
    assert bring_up("prepare")[0].kind == "restored"
    assert (toy.folder / "prepare.txt").read_text() == "1source\n"
    assert toy.runs() == []
    assert bring_up("prepare", force=True)[0].kind == "ran"


def test_failure_gives_the_stages_own_error(toy: Toy) -> None:
    toy.set("prepare", fail=True)
    outcome, _ = bring_up("prepare")
    assert outcome.kind == "failed"
    assert outcome.error.startswith("error in stage prepare: told to fail\n")


def test_error_before_the_command(toy: Toy) -> None:
    Path("source.txt").unlink()
    outcome, _ = bring_up("prepare")
    assert outcome.kind == "failed"
    assert "source.txt" in outcome.error


def test_much_stderr_does_not_hang(toy: Toy) -> None:
    toy.set("prepare", noise_lines=4000)  # 320 kB
    outcome, lines = bring_up("prepare")
    assert outcome.kind == "ran"
    assert lines.count("x" * 79) == 4000


def test_environment_reaches_the_stage(toy: Toy, real_python: None) -> None:
    text = (toy.folder / "stage.py").read_text()
    (toy.folder / "stage.py").write_text(text + "print(sys.executable, os.environ['ADDED'])\n")
    lines: list[str] = []
    with hold_workspace() as workspace:
        run_stage(workspace, "prepare", lines.append, environment={"ADDED": "here"})
    (said,) = [line for line in lines if line.endswith(" here")]
    assert Path(said.removesuffix(" here")).parent == Path(sys.executable).parent


def test_letting_go_kills_the_stage(toy: Toy, real_python: None) -> None:
    toy.set("prepare", sleep=200)
    outcomes: list[execute.Outcome] = []
    with hold_workspace() as workspace:
        thread = threading.Thread(
            target=lambda: outcomes.append(run_stage(workspace, "prepare", lambda _: None))
        )
        thread.start()
        stage = toy.wait_for_start("prepare")
    thread.join(60)
    assert outcomes[0].kind == "failed"
    assert has_ended(stage)


def test_waits_for_paths_held_by_another_dvc(toy: Toy) -> None:
    toy.set("prepare", until="go")
    beside = subprocess.Popen(["dvc", "repro", "-q", "prepare"], stdout=subprocess.DEVNULL)

    def heard(line: str) -> None:
        if line.startswith("waiting: "):
            Path("go").touch()

    try:
        toy.wait_for_start("prepare")
        with hold_workspace() as workspace:
            outcome = run_stage(workspace, "prepare", heard)
        assert outcome.kind == "unchanged" and Path("go").exists()
    finally:
        Path("go").touch()
        assert beside.wait(120) == 0
    assert toy.runs() == ["prepare"]


def as_stream(text: bytes) -> io.BufferedReader:
    read_end, write_end = os.pipe()
    os.write(write_end, text)
    os.close(write_end)
    return os.fdopen(read_end, "rb")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"a\nb\r\nc", ["a", "b", "c"]),
        (b"\r 1%\r 2%\r 3%\ndone\n", [" 1%", " 3%", "done"]),
        (b"\x1b[31mred\x1b[0m\n", ["red"]),
        (b"", []),
        (b"caf\xc3\xa9 \xff\n", ["café �"]),
    ],
)
def test_lines(text: bytes, lines: list[str]) -> None:
    with as_stream(text) as stream:
        assert list(read_lines(stream)) == lines


def test_progress_is_thinned_and_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100, 1000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with as_stream(b"".join(b"\r%d" % number for number in range(10)) + b"\n") as stream:
        assert list(read_lines(stream)) == ["0", "2", "4", "6", "8", "9"]
