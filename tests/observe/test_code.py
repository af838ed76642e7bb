"""What really ran is what the record names: no hidden library, no byte code of another source."""

import importlib.util
import os
import subprocess
import sys
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import pytest

from selfsame.observe.code import imported_packages

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
from selfsame.core.errors import SelfsameError
from selfsame.observe.code import project_modules
import tasks.one
try:
    print(json.dumps([str(path) for path in project_modules()]))
except SelfsameError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/__init__.py").touch()
    (tmp_path / "tasks/one.py").write_text("from tasks.two import ANSWER\n")
    (tmp_path / "tasks/two.py").write_text("ANSWER = 42\n")
    return tmp_path


def run(project: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": f"{project}{os.pathsep}{ROOT}"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def test_every_imported_module_of_the_project_is_named(project: Path) -> None:
    for _ in range(2):  # without byte code, then with it
        assert run(project).stdout == '["tasks/__init__.py", "tasks/one.py", "tasks/two.py"]\n'


def test_byte_code_of_another_source_stops_the_stage(project: Path) -> None:
    """A cache is believed by Python if it has the source's time and size."""
    source = project / "tasks/two.py"
    assert run(project).returncode == 0
    cached = Path(importlib.util.cache_from_source(str(source)))
    honest, times = source.read_text(), source.stat()
    source.write_text("ANSWER = 43\n")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    cached.unlink()
    assert run(project).returncode == 0 and cached.exists()
    source.write_text(honest)
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    done = run(project)
    assert "tasks/two.py: its byte code in __pycache__ is not that of its source" in done.stderr
    cached.unlink()
    assert run(project).returncode == 0


def test_a_file_that_hides_a_library_stops_the_stage(project: Path) -> None:
    (project / "colorsys.py").write_text("")
    (project / "tasks/two.py").write_text("import colorsys\nANSWER = 42\n")
    done = run(project)
    assert "colorsys.py: was imported as 'colorsys', but only tasks and selfsame hold code" in done.stderr


def test_imported_packages_have_the_digest_of_their_record() -> None:
    found = imported_packages()
    record = metadata.distribution("pytest").read_text("RECORD") or ""
    assert found["pytest"] == {"record": sha256(record.encode()).hexdigest(), "license": "MIT"}
    assert "ruff" not in found  # installed, and never imported
