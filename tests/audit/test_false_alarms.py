"""What changes nothing that counts raises no alarm: times, places, modes, clocks, byte code, a full clone."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_project import Project

from selfsame.audit.verify import verify


def touched(project: Project, patch: pytest.MonkeyPatch) -> None:
    for path in Path().rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, (0, 0))


def moved(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(shutil.move(project.root, project.root.with_name("another folder")))


def cloned(project: Project, patch: pytest.MonkeyPatch) -> None:
    there = project.root.with_name("clone")
    project.run("git", "clone", "-q", "--no-local", str(project.root), str(there))
    shutil.copytree(".dvc/cache", there / ".dvc/cache")
    patch.chdir(there)
    Project(there).run("dvc", "checkout", "--quiet")


def in_another_time_zone(project: Project, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()


def with_other_modes(project: Project, patch: pytest.MonkeyPatch) -> None:
    for path in Path().rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            path.chmod(0o600)


def with_byte_code(project: Project, patch: pytest.MonkeyPatch) -> None:
    project.run("python", "-m", "compileall", "-q", "tasks")


def with_notes_of_ones_own(project: Project, patch: pytest.MonkeyPatch) -> None:
    Path("notes.txt").write_text("to do\n")
    Path("scripts").mkdir()
    Path("scripts/try.py").write_text("print(1)\n")


HARMLESS = [
    touched,
    moved,
    cloned,
    in_another_time_zone,
    with_other_modes,
    with_byte_code,
    with_notes_of_ones_own,
]


@pytest.mark.parametrize("change", HARMLESS, ids=lambda change: change.__name__)
def test_no_false_alarm(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Project, pytest.MonkeyPatch], None],
) -> None:
    change(project, monkeypatch)
    assert verify().problems == []
    monkeypatch.undo()
    time.tzset()
