"""Scripts of ``benchmarks`` that borrow from the tests start where nobody has set the tests' paths."""

import os
import subprocess
import sys

import pytest
from project import ROOT

BENCHMARKS = ROOT / "benchmarks"
BORROWING = sorted(path.stem for path in BENCHMARKS.glob("*.py") if '"tests' in path.read_text())


@pytest.mark.parametrize("name", BORROWING)
def test_it_starts(name: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(BENCHMARKS), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "torture" in BORROWING
