"""The competitors of the results page run on what the stage ``split`` writes."""

import sys
from pathlib import Path

import pytest
from project import ROOT, run_task


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"source": "breast_cancer"}, ["logistic regression, labeled rows"]),
        pytest.param(
            {"source": "digits"},
            ["logistic regression, labeled rows", "support vector machine, labeled rows"],
            marks=pytest.mark.slow,
        ),
    ],
    ids=["table", "images"],
)
def test_every_competitor_learns(
    data: dict[str, str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    from competitors import compete

    run_task("download", tmp_path, data=data)
    run_task("split", tmp_path)
    rows = compete(tmp_path / "data/splits")
    names = [row.name for row in rows]
    assert [name for name in names if name.endswith(", labeled rows")] == expected
    for part in ("labeled + validation rows", "LabelSpreading (", "LabelPropagation ("):
        assert sum(part in name for name in names) == 1, names
    assert all(0.75 < row.metric <= 1 and row.seconds >= 0 for row in rows), rows
