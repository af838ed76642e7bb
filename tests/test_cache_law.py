"""The cache law: a table of edits → exactly the stages that run, under the real ``dvc repro``.

After every edit each output file is held against an independent computation of it from the code and the
parameters alone. What ran is counted in the provenance records and must agree with what DVC says.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from project import TINY, Project, Repro, compute_anew

ALL = ("download", "split", "train_baseline", "pseudo_label", "retrain", "evaluate")
NONE = Repro((), ())
LABELED = "data/splits/labeled.parquet"
REPORT = "reports/report.html"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project after its first run; for copying only."""
    project = Project.create(tmp_path_factory.mktemp("law") / "finished", TINY)
    assert project.repro() == Repro(ALL, ())
    assert project.digests() == compute_anew(project)
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, in which DVC has seen every file."""
    copy = finished.copy_to(tmp_path / "project")
    assert copy.repro() == NONE
    return copy


def rewrite(path: str, old: str, new: str) -> Callable[[Project], None]:
    """An edit that replaces a text in a file, as an editor would: by a new file of another size."""

    def edit(project: Project) -> None:
        file = project.root / path
        text = file.read_text()
        assert text.count(old) == 1 and len(old) != len(new)
        fresh = file.with_suffix(".new")
        fresh.write_text(text.replace(old, new))
        fresh.replace(file)

    return edit


def change_byte(path: str, keep_time: bool = False, keep_inode: bool = True) -> Callable[[Project], None]:
    """An edit that changes the last byte but one (of code: the closing bracket's neighbour, in a comment)."""

    def edit(project: Project) -> None:
        file = project.root / path
        before = file.stat()
        if not keep_inode or not os.access(file, os.W_OK):
            fresh = file.with_name("fresh")
            shutil.copyfile(file, fresh)
            fresh.replace(file)
        with file.open("r+b") as stream:
            stream.seek(-2, os.SEEK_END)
            byte = stream.read(1)[0]
            stream.seek(-2, os.SEEK_END)
            stream.write(bytes([byte ^ 1]))
        if keep_time:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.stat().st_size == before.st_size

    return edit
