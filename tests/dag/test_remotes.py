"""Results go through a remote of every kind to a second machine, and altered ones don't."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.dag.execute import run_stage
from selfsame.dag.plan import read_plan
from selfsame.dag.storage import Remote, check_remote, pull_run_cache, push
from selfsame.dag.workspace import hold_workspace
from tests.conftest import Toy
from tests.dag.remotes import KINDS, Store, make_store

STAGES = ("prepare", "left", "right", "join")


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with make_store(request.param, tmp_path, monkeypatch) as store:
        yield store


def share(toy: Toy, address: str, **settings: str) -> None:
    """Give a project a remote, as the operator's guide says."""
    toy.dvc("remote", "add", "-d", "store", address)
    for key, value in {"verify": "true", **settings}.items():
        toy.dvc("remote", "modify", "store", key, value)


def run_all(pull: bool = False) -> dict[str, str]:
    """Bring all stages up to date as a flow does; return what became of each."""
    check_remote()
    with hold_workspace() as workspace:
        if pull:
            pull_run_cache()
        return {
            step.stage: run_stage(workspace, step.stage, print, pull=pull).kind for step in read_plan().stages
        }


def move_to_clone(toy: Toy, folder: Path, patch: pytest.MonkeyPatch) -> Toy:
    """Clone the project and go there: its own cache, its own notes on files, as on another machine."""
    subprocess.run(["git", "clone", "-q", str(toy.folder), str(folder)], check=True)
    patch.chdir(folder)
    patch.setenv("DVC_SITE_CACHE_DIR", f"{folder}-site")
    return Toy(folder)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_second_machine_runs_only_what_was_altered(
    toy: Toy, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(toy, store.address, **store.settings)
    (toy.folder / ".gitignore").write_text("/runs.log\n/*.txt\n!/source.txt\n")
    assert run_all() == dict.fromkeys(STAGES, "ran")
    push()
    for command in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"]):
        subprocess.run(["git", *command], check=True)
    written = {name: (toy.folder / f"{name}.txt").read_bytes() for name in STAGES}

    # With dvc.lock from git, and without it, from the noted runs alone: nothing runs.
    for name, lock in (("second", True), ("third", False)):
        copy = move_to_clone(toy, tmp_path / name, monkeypatch)
        if not lock:
            (copy.folder / "dvc.lock").unlink()
        assert run_all(pull=True) == dict.fromkeys(STAGES, "restored")
        assert copy.runs() == []
        assert {name: (copy.folder / f"{name}.txt").read_bytes() for name in STAGES} == written

    # An altered object is noticed and computed anew, here and wherever else it is pulled.
    outs = YAML(typ="safe").load(toy.folder / "dvc.lock")["stages"]["left"]["outs"]
    store.alter(outs[0]["md5"])
    with Remote().open(outs[0]["md5"]) as file:
        assert file.read() == b"altered", "what 'selfsame verify --remote' reads"
    copy = move_to_clone(toy, tmp_path / "fourth", monkeypatch)
    assert run_all(pull=True) == dict.fromkeys(STAGES, "restored") | {"left": "ran"}
    assert copy.runs() == ["left"]
    assert {name: (copy.folder / f"{name}.txt").read_bytes() for name in STAGES} == written


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("package", "address", "settings"),
    [
        ("dvc_s3", "s3://store", {"endpointurl": "http://127.0.0.1:1"}),
        ("dvc_ssh", "ssh://127.0.0.1:1/store", {}),
    ],
)
def test_a_server_that_is_away_may_come_back(
    done: Toy, monkeypatch: pytest.MonkeyPatch, package: str, address: str, settings: dict[str, str]
) -> None:
    """A flow tries again after such an error, and only then."""
    pytest.importorskip(package, reason=f"{package} not installed: pip install -e '.[test,remotes-test]'")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "anything")
    share(done, address, **settings)
    check_remote()
    for chore in (pull_run_cache, push):
        with pytest.raises(PassingError, match=r"127\.0\.0\.1"):
            chore()


def test_a_package_that_is_missing_is_named(done: Toy) -> None:
    share(done, "gs://bucket")
    with pytest.raises(SelfsameError, match="requires 'dvc-gs' to be installed"):
        check_remote()
