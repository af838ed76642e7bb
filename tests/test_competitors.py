"""The competitors of the results page run on what the stage ``split`` writes."""

import sys
from pathlib import Path

import pytest
from project import ROOT, run_task


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"source": "breast_cancer"}, 6),
        pytest.param(
            {"source": "digits"},
            2,
            marks=pytest.mark.slow,
        ),
    ],
    ids=["table", "images"],
)
def test_every_competitor_learns(
    data: dict[str, str], expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    from competitors import compete

    run_task("download", tmp_path, data=data)
    run_task("split", tmp_path)
    rows = compete(tmp_path / "data/splits")
    names = [row.name for row in rows]
    assert len(names) == expected + 2
    for part in ("logistic regression", "LabelSpreading (", "LabelPropagation ("):
        assert sum(part in name for name in names) == 1, names
    assert all(0.75 < row.metric <= 1 and row.seconds >= 0 for row in rows), rows
