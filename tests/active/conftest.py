"""A tiny project in which a model was trained, with the current folder in it."""

import shutil
from pathlib import Path

import pytest
from project import run_task


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first three stages have run; for copying only."""
    folder = tmp_path_factory.mktemp("active")
    for name in ("download", "split", "train_baseline"):
        run_task(name, folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, with the current folder in it."""
    copy = Path(shutil.copytree(trained_once, tmp_path / "trained"))
    monkeypatch.chdir(copy)
    return copy
