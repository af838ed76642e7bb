"""What the system refuses is one sentence, whoever was told so."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.system_errors import FIXES, MEMORY, ROOM, mendable
from tests.conftest import ROOT


@pytest.mark.parametrize("code", FIXES)
def test_every_refusal_has_its_place_and_a_way_out(code: int) -> None:
    said = mendable(OSError(code, "refused", "models/student"))
    assert said is not None and said.what == "models/student: refused" and said.fix == FIXES[code]


def test_what_is_no_refusal_is_a_fault_of_the_code() -> None:
    for error in (KeyError("a"), ZeroDivisionError(), RuntimeError("size mismatch"), OSError("odd")):
        assert mendable(error) is None
    own = SelfsameError("the oven is cold", "light it")
    assert mendable(own) is own


@pytest.mark.parametrize(
    "text",
    ["", "CUDA out of memory. Tried to allocate 2 GiB", "[alloc_cpu.cpp:118] (Cannot allocate memory)"],
)
def test_memory(text: str) -> None:
    said = mendable(RuntimeError(text) if text else MemoryError())
    assert said is not None and said.fix == MEMORY


SAVE = """
import numpy, sys
from safetensors.numpy import save_file
from selfsame.system_errors import mendable
try:
    save_file({"weights": numpy.zeros(10_000)}, "weights")
except Exception as error:
    print(mendable(error))
"""


def run_with_little_room(limit: int, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that can write no file of more than ``limit`` bytes."""

    def take_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(command, capture_output=True, text=True, preexec_fn=take_room, check=False)


def test_a_library_in_another_language_says_it_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_with_little_room(1000, sys.executable, "-c", SAVE)
    assert "File too large" in done.stdout and ROOM in done.stdout, done


def test_a_stage_whose_output_does_not_fit_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # which is left again
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    from small import environment, make_project, write_params

    for name in ("PATH", "PYTHONPATH", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, environment(tmp_path)[name])
    make_project(tmp_path / "small")
    command = [sys.executable, "work.py", "one"]
    assert subprocess.run(command, check=False).returncode == 0
    old = Path("one.txt").read_bytes()
    write_params({"one": 5, "two": 0, "three": 0, "four": 0})
    full = run_with_little_room(len(old) // 2, *command)
    assert full.returncode == 1 and "error in stage one: " in full.stderr and "Traceback" not in full.stderr
    assert "File too large" in full.stderr and ROOM in full.stderr
    assert Path("one.txt").read_bytes() == old and not Path(".partial-one.txt").exists()
    assert subprocess.run(command, check=False).returncode == 0
    assert Path("one.txt").read_bytes() != old
