"""Tiny real inputs of the stages behind ``split``."""

import shutil
from pathlib import Path

import pytest
from project import run_task


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first three stages have run; for copying only."""
    folder = tmp_path_factory.mktemp("trained")
    for name in ("download", "split", "train_baseline"):
        run_task(name, folder)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(trained_once, tmp_path / "trained"))
