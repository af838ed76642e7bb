"""A small real project, run once by DVC and copied for every test."""

import shutil
from pathlib import Path

import pytest
from toy_project import FILES, Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after one run, committed before it; for reading and copying only."""
    project = Project(tmp_path_factory.mktemp("finished"))
    for name, content in FILES.items():
        path = project.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.run("dvc", "config", "core.analytics", "false")
    project.commit()
    project.repro()
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the finished project, with the current folder in it."""
    root = tmp_path / "project"
    shutil.copytree(finished.root, root)
    monkeypatch.chdir(root)
    return Project(root)
