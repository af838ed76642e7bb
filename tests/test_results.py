"""The results page: what is measured, what is missing and what failed, each in its place."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from project import ROOT

from selfsame.core.params import all_schemas, check_params


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    monkeypatch.chdir(ROOT)
    import results

    return results


def measured(champion: float, free: float) -> dict[str, Any]:
    return {
        "figures": {"champion.accuracy": champion, "baseline.accuracy": 0.9, "pool.coverage": 0.5},
        "seconds": {"download": 1.0, "retrain": 30.0},
        "competitors": [
            [f"LabelSpreading ({free} wide)", free, 2.0],
            [f"model {free}, labeled + validation rows", 0.5, 1.0],
        ],
    }


def page_of(results: ModuleType, made: dict[str, dict[int, Any]], draws: int = 2) -> str:
    everything = {row.name: made.get(row.name, {}) for row in results.ROWS}
    text = results.write_page(results.ROWS, everything, results.SOURCES, draws)
    assert isinstance(text, str)
    return text


def test_goals_and_competitors_are_judged(results: ModuleType) -> None:
    made = {
        "digits-50": {0: measured(0.98, 0.95), 1: measured(1.0, 0.97)},
        "digits-100": {
            0: measured(0.98, 0.99),
            1: {"error": "line\nerror in stage retrain: the loss became nan"},
        },
    }
    text = page_of(results, made)
    assert (
        "* **digits, 50 labels**: champion 0.990 ± 0.014 accuracy; goal 0.985 met; better than the best that "
        "a user has for free (LabelSpreading, 0.960 ± 0.014)." in text
    )
    assert "goal 0.988 not met; **not better than** the best" in text
    assert (
        "| digits, 50 labels | best simple model, labeled + validation rows | 0.500 ± 0.000 | 1.0 ± 0.0 |"
        in text
    )
    assert "* digits, 100 labels: draw 1 failed: error in stage retrain: the loss became nan" in text
    assert "* MNIST, 1,000 labels: not run; it needs a folder `mnist` in `--data-dir`." in text
    assert "| 31 ± 0 | 2 of 2 |" in text and "| 31 | 1 of 2 |" in text


def test_with_nothing_measured_there_is_a_page_too(results: ModuleType) -> None:
    assert "Nothing has been measured yet." in page_of(results, {})


def test_every_row_has_valid_parameters(results: ModuleType, tmp_path: Path) -> None:
    for row in results.ROWS:
        check_params(results.draw_params(row, 3, tmp_path if row.folder else None), all_schemas())
    first, fourth = (results.draw_params(results.ROWS[0], number, None) for number in (0, 3))
    assert fourth["split"]["seed"] == first["split"]["seed"] + 3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_second_call_measures_nothing(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "SCRATCH", tmp_path / "results")
    row = next(row for row in results.ROWS if row.name == "cancer-40")
    quick = {"train_baseline.max_epochs": 2, "retrain.max_epochs": 2, "retrain.ramp_up_start_epochs": 0}
    quick["retrain.ramp_up_end_epochs"] = 0
    row.overrides.update(quick)
    place = results.Workplace(tmp_path / "results" / "job-0")
    first = place.draw(row, 0, None)
    records = sorted(tmp_path.rglob("lineage/*/*.json"))
    assert set(first["seconds"]) == {path.parent.name for path in records}
    again = results.Workplace(tmp_path / "results" / "job-1").draw(row, 0, None)
    assert again == first, "another copy, the same cache"
    assert sorted(tmp_path.rglob("lineage/*/*.json")) == records
