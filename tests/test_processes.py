"""Locks, groups and the death of a parent."""

import subprocess
import sys
from pathlib import Path

import pytest

from selfsame.processes import LOOK_SECONDS, kill_group, leader_options, lock
from tests.conftest import PATIENCE_SECONDS, has_ended


def test_a_lock_keeps_others_out_and_is_shared_by_readers(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with file.open("a+") as first, file.open("a+") as second:
        assert lock(first, shared=True) and lock(second, wait=False, shared=True)
        with file.open("a+") as third:
            assert not lock(third, wait=False)
    with file.open("a+") as first, file.open("a+") as second:
        assert lock(first)
        assert not lock(second, wait=False, shared=True)


SLEEPER = (
    "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
)


def test_a_group_is_killed_whole() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True, **leader_options()
    ) as process:
        assert process.stdout is not None
        grandchild = int(process.stdout.readline())
        kill_group(process.pid)
    assert has_ended(grandchild)
    kill_group(process.pid)  # which has ended: nothing


CHILD = (
    "from selfsame.processes import end_with_parent as f; f(); import os, time;"
    "print(os.getpid(), flush=True); time.sleep(60)"
)


@pytest.mark.parametrize(
    "between",
    [[], ["/bin/sh", "-c", '"$@"; true', "sh"], ["/bin/bash", "-c", '"$@" | cat', "bash"]],
    ids=["none", "sh", "a pipe in bash"],
)
@pytest.mark.parametrize("watch_only", [False, True], ids=["signal", "watch"])
def test_a_process_ends_with_its_parent(between: list[str], watch_only: bool) -> None:
    child = CHILD
    if watch_only:  # as on other systems than Linux
        child = f"import psutil, sys; sys.platform = 'other'; {CHILD}"
    command = [*between, sys.executable, "-c", child]
    parent = f"import subprocess; subprocess.run({command!r})"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        process.wait()
        assert has_ended(pid)
    assert LOOK_SECONDS <= 1


STDIN = (
    "import subprocess, sys, time; from selfsame.processes import end_with_standard_input as f; f();"
    "print(subprocess.Popen(['cat']).wait(), flush=True);"
    "print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
)


def test_a_group_ends_with_its_standard_input() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STDIN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **leader_options(),
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "0\n", "what it starts has nothing to read"
    grandchild = int(process.stdout.readline())
    process.stdin.close()
    assert process.wait(PATIENCE_SECONDS) < 0
    process.stdout.close()
    assert has_ended(grandchild)
