"""What is cleared away is needed by nothing, and nothing else is."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.dag.garbage import CHECKPOINTS, OLD_SECONDS, TRIAL, collect
from tests.conftest import Toy


def git(*arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)


def run_with(toy: Toy, value: int) -> None:
    toy.set("left", value=value)
    toy.dvc("repro", "-q")


def test_only_what_nobody_can_ask_for_goes(done: Toy) -> None:
    Path(".gitignore").write_text("/*.txt\n!/source.txt\n/runs.log\n/.scratch\n")
    git("add", ".")
    git("commit", "-qm", "first")
    run_with(done, 2)
    git("switch", "-qc", "other")
    git("commit", "-qam", "second")
    run_with(done, 3)  # seen by nobody but the cache
    run_with(done, 4)  # not committed either, but here
    git("switch", "-qc", "third")
    old, young = CHECKPOINTS / "old", CHECKPOINTS / "young"
    for folder in (old, young, TRIAL):
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"x" * 1000)
    past = time.time() - 2 * OLD_SECONDS
    for path in (old / "weights", old):
        os.utime(path, (past, past))
    cached = set(Path(".dvc/cache").rglob("*"))

    found = collect(delete=False)
    assert set(Path(".dvc/cache").rglob("*")) == cached and old.exists()
    assert sorted(path.read_text() for path in found.objects) == ["131source\n11source\n", "31source\n"]
    assert set(found.leftovers) == {old, TRIAL} and found.leftover_bytes == 2000
    assert found.format(False).startswith("2 objects") and "add --delete" in found.format(False)

    assert collect(delete=True) == found
    assert not any(path.exists() for path in (*found.objects, old, TRIAL)) and young.exists()
    assert collect(delete=False).objects == ()
    done.runs()
    for value, runs in ((1, []), (2, []), (4, []), (3, ["left", "join"])):
        run_with(done, value)
        assert done.runs() == runs, value


def test_without_a_commit_or_with_a_shared_cache_nothing_is_touched(done: Toy, tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match="no commit yet"):
        collect(delete=True)
    git("add", ".")
    git("commit", "-qm", "first")
    done.dvc("cache", "dir", "--local", str(tmp_path / "shared"))
    with pytest.raises(SelfsameError, match="other projects may need"):
        collect(delete=True)
