"""A toy project and the real pipeline in small, each run once and copied for the tests that change it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from project import Project as RealProject
from project import made_once
from real_project import copy_project, make_real_project
from toy_project import Project, make_finished, make_twice

pytest.register_assert_rewrite("state_answers", "clever")


@pytest.fixture(scope="session")
def finished() -> Project:
    """The project after one run, committed before it and after; for reading and copying only."""
    return Project(made_once("toy", make_finished))


@pytest.fixture
def project(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the finished project, with the current folder in it."""
    root = tmp_path / "project"
    shutil.copytree(finished.root, root)
    monkeypatch.chdir(root)
    return Project(root)


@pytest.fixture(scope="session")
def twice(finished: Project) -> Project:
    """Two results, both committed, and the first taken back; code that no stage reads is committed too."""
    return Project(made_once("twice", lambda folder: make_twice(folder / "project", finished)) / "project")


@pytest.fixture
def clever_project(twice: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of it to change, with the current folder in it."""
    copy = Project(tmp_path / "project")
    shutil.copytree(twice.root, copy.root)
    monkeypatch.chdir(copy.root)
    return copy


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A private key and its public one, as the guide has them made."""
    private, public = (tmp_path_factory.mktemp("keys") / f"signer.{end}" for end in ("pem", "pub"))
    making = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(private)]
    subprocess.run(making, check=True, capture_output=True)
    openssl = ["openssl", "ec", "-in", str(private), "-pubout", "-out", str(public)]
    subprocess.run(openssl, check=True, capture_output=True)
    return private, public


@pytest.fixture(scope="session")
def finished_real(tmp_path_factory: pytest.TempPathFactory) -> RealProject:
    """The real pipeline with its past; for reading and copying only."""
    made = made_once("real", lambda folder: make_real_project(folder / "project"))
    return RealProject(made / "project").copy_to(tmp_path_factory.mktemp("real") / "project")


@pytest.fixture
def real(finished_real: RealProject, monkeypatch: pytest.MonkeyPatch) -> RealProject:
    """The real pipeline, with the current folder in it; for reading only."""
    monkeypatch.chdir(finished_real.root)
    return finished_real


@pytest.fixture
def real_copy(finished_real: RealProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RealProject:
    """A copy of it to change, with the current folder in it."""
    copy = copy_project(finished_real, tmp_path / "real")
    monkeypatch.chdir(copy.root)
    return copy
