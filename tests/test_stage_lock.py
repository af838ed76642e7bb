"""A stage runs once at a time, readers of its outputs keep it waiting, and it ends with its DVC."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from selfsame.processes import runs
from tests.conftest import BIN, ROOT

GRAPH = """
stages:
  make:
    cmd: python stage.py make
    outs: [made]
  left:
    cmd: python stage.py left
    deps: [made]
    outs: [a]
  right:
    cmd: python stage.py right
    deps: [made]
    outs: [b]
"""
STAGE = """
import os, pathlib, sys
from selfsame.core.graph_file import read_stages
from selfsame.stage_lock import hold_stage
stages = read_stages()
with hold_stage(stages[sys.argv[1]], stages):
    print("held", flush=True)
    pathlib.Path("pid").write_text(str(os.getpid()))
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Path("dvc.yaml").write_text(GRAPH)
    Path("stage.py").write_text(STAGE)


def start(stage: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "stage.py", stage]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("in_dvc", [True, False])
def test_a_second_one_waits_and_takes_over(in_dvc: bool) -> None:
    if in_dvc:
        Path(".dvc").mkdir()
    with start("left") as first:
        assert said(first) == "held"
        with start("left") as second, start("right") as other, start("make") as upstream:
            assert said(other) == "held", "both only read what 'make' wrote"
            assert said(second).startswith(f"waiting for stage left, last taken by process {first.pid} at ")
            assert said(upstream).startswith("waiting for stage make, last taken by another process")
            first.kill()
            assert said(second) == "held"
            for process in (other, second):
                process.communicate("")
            assert said(upstream) == "held"
            with start("right") as reader:
                assert said(reader).startswith(
                    f"waiting for stage make, last taken by process {upstream.pid}"
                )
                upstream.communicate("")
                assert said(reader) == "held"
                reader.communicate("")
    assert Path(".dvc/tmp/stage-left.lock").exists() is in_dvc
    assert Path(".scratch/stage-left.lock").exists() is not in_dvc


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_it_ends_with_its_dvc(shell: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SHELL", shell)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    dvc = subprocess.Popen(["dvc", "repro", "-q", "make"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (Path("pid").exists() and Path("pid").read_text()):
        assert time.monotonic() < deadline and dvc.poll() is None
        time.sleep(0.02)
    stage = psutil.Process(int(Path("pid").read_text()))
    dvc.kill()
    dvc.wait()
    while runs(stage):
        assert time.monotonic() < deadline, "the stage outlived its DVC"
        time.sleep(0.02)
    dvc.communicate()
