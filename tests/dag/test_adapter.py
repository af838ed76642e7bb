"""What of DVC's inside is relied on, name by name: what a new release breaks is told from our own faults.

For a new release raise the bound in ``selfsame/dag/adapter.py`` and in ``pyproject.toml``, and run this file.
"""

import inspect
import json
import logging
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dvc
import pytest
from dvc.exceptions import ReproductionError
from dvc.lock import LockError
from dvc.repo import Repo

from selfsame.core.errors import SelfsameError
from selfsame.dag import adapter
from selfsame.dag.adapter import BUSY_PATHS, PULLING, RUN_LOGGER, TESTED, open_project, require_tested
from tests.conftest import ROOT, Toy


class Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Take down what DVC says."""
    handler, logger = Heard(), logging.getLogger("dvc")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    return handler


def test_the_bound_is_that_of_the_package() -> None:
    assert f'"dvc>={TESTED[0]},<{TESTED[1]}"' in (ROOT / "pyproject.toml").read_text()
    require_tested(dvc.__version__)
    for version in ("3.66.9", "3.68.0", "4.0.0"):
        with pytest.raises(SelfsameError, match=rf"DVC {re.escape(version)} was not tested"):
            require_tested(version)


def test_an_error_without_a_word_is_said_by_its_kind() -> None:
    assert adapter.dvc_message(OSError()) == "OSError"
    assert adapter.dvc_message(OSError("full")) == "full"


def test_two_threads_that_open_a_project_leave_the_umask(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC sets it to 0 while it makes a folder: who looks then takes 0 for what is to be set again."""
    real = os.makedirs

    def slow(*given: Any, **named: Any) -> None:
        time.sleep(0.2)
        real(*given, **named)

    def open_it(_: int) -> None:
        with open_project():
            pass

    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "makedirs", slow)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(open_it, range(2)))
    finally:
        after = os.umask(before)
    assert oct(after) == oct(0o027)


def test_a_project_takes_this_option(toy: Toy) -> None:
    assert "_wait_for_lock" in inspect.signature(Repo).parameters, "Repo(_wait_for_lock=True)"


def test_running_and_restoring_are_told_apart_by_logger_and_result(toy: Toy, heard: Heard) -> None:
    def reproduce() -> tuple[bool, set[str]]:
        heard.records.clear()
        with Repo() as repo:
            done = repo.reproduce(["prepare"], single_item=True)
        return bool(done), {record.name for record in heard.records}

    done, names = reproduce()
    assert done and RUN_LOGGER in names, f"a stage that runs is told by logger {RUN_LOGGER}, not by {names}"
    done, names = reproduce()
    assert not done and RUN_LOGGER not in names, "an unchanged stage returns nothing"
    Path("dvc.lock").unlink()
    Path("prepare.txt").unlink()
    done, names = reproduce()
    assert done and RUN_LOGGER not in names, "a restored stage returns itself, and its command stays silent"


def test_what_is_pulled_is_told_by_its_words(done: Toy, heard: Heard, tmp_path: Path) -> None:
    done.dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    done.dvc("push", "-q")
    shutil.rmtree(".dvc/cache")
    Path("prepare.txt").unlink()
    with Repo() as repo:
        assert callable(repo.stage_cache.pull), "stage_cache.pull is replaced, to fetch the run-cache once"
        repo.reproduce(["prepare"], single_item=True, pull=True)
    said = [str(record.msg) for record in heard.records]
    assert any(words.startswith(PULLING) for words in said), said


def test_a_failure_has_its_cause(toy: Toy) -> None:
    toy.set("prepare", fail=True)
    with Repo() as repo, pytest.raises(ReproductionError) as caught:
        repo.reproduce(["prepare"], single_item=True)
    assert "failed to run" in str(caught.value.__cause__), "ReproductionError.__cause__ says why"


def test_busy_paths_are_written_as_we_read_them(toy: Toy) -> None:
    toy.set("prepare", sleep=200)
    beside = subprocess.Popen(["dvc", "repro", "-q", "prepare"], start_new_session=True)
    try:
        toy.wait_for_start("prepare")
        table = json.loads(Path(".dvc/tmp", BUSY_PATHS).read_text())
        assert set(table) == {"read", "write"}
        owners = [*table["write"].values(), *(one for many in table["read"].values() for one in many)]
        assert owners and all(set(owner) == {"pid", "cmd"} for owner in owners)
        assert {owner["pid"] for owner in owners} == {beside.pid}
        with Repo() as repo, pytest.raises(ReproductionError) as caught:
            repo.reproduce(["prepare"], single_item=True)
        assert isinstance(caught.value.__cause__, LockError), "a path that another DVC holds is a LockError"
    finally:
        os.killpg(beside.pid, 9)
        beside.wait()


def test_statuses_have_the_words_that_reasons_are_made_of(done: Toy) -> None:
    done.set("left", value=2)
    Path("right.txt").unlink()
    Path("join.txt").write_text("edited")
    assert adapter.find_reasons("left") == ("params.yaml: left.value 1 → 2",)
    assert adapter.find_reasons("right") == ("output right.txt is missing",)
    assert adapter.find_reasons("join") == (
        "right.txt is missing",
        "output join.txt is not as it was written",
    )


def test_the_graphs_edges_point_at_dependencies(done: Toy) -> None:
    found, metrics = adapter.find_stages([], rehash=True)
    assert {one.stage: set(one.upstreams) for one in found} == {
        "prepare": set(),
        "left": {"prepare"},
        "right": {"prepare"},
        "join": {"left", "right"},
    }
    assert [one.reasons for one in found] == [()] * 4
    assert metrics == [Path("metrics.json")]


def test_a_remote_is_reached(done: Toy, tmp_path: Path) -> None:
    done.dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    done.dvc("remote", "modify", "store", "verify", "true")
    with open_project() as repo:
        assert adapter.default_remote(repo) == "store" and adapter.is_verified(repo, "store")
        adapter.push_all(repo)
        objects = adapter.remote_objects(repo, None)
        (md5,) = [out.hash_info.value for out in repo.index.outs if out.def_path == "join.txt"]
        assert objects.fs.exists(objects.oid_to_path(md5))
        assert repo.cache.local.path
