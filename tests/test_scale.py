"""``docs/scale.md`` says what was measured, and the script that measures runs."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from project import ROOT

RESULTS = ROOT / "benchmarks/results/scale.json"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("scale", "scale_page"):
        sys.modules.pop(name, None)


def test_the_page_is_that_of_the_results(tmp_path: Path) -> None:
    from scale_page import write_page

    write_page(json.loads(RESULTS.read_text()), tmp_path / "scale.md", tmp_path / "scale.svg")
    assert (tmp_path / "scale.md").read_text() == (ROOT / "docs/scale.md").read_text()
    assert (tmp_path / "scale.svg").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tables", "images"])
def test_every_step_is_measured(kind: str, tmp_path: Path) -> None:
    import scale

    found: dict[str, Any] = {}
    kept: list[int] = []
    scale.stages(tmp_path / "project", kind, 900, found, lambda: kept.append(len(found)))
    assert kept == list(range(1, 9))
    scale.stages(tmp_path / "project", kind, 900, found, lambda: kept.append(0))
    assert kept[-1] == 8, "what was measured was measured again"
    assert all(each["cpu"] > 0 and each["memory"] > 10 for each in found.values())
    assert found["retrain, loading"]["said"] == found["retrain, mapping"]["said"] != "0\n"
