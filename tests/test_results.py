"""The results page: what is measured, what is missing and what failed, each in its place."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from project import ROOT

from selfsame.params.check import check_params

PROCEDURES = ("supervised", "online", "offline")


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
        "method": "self_training",
        "competitors": [
            [f"LabelSpreading ({free} wide)", free, 2.0],
            [f"model {free}, labeled + validation rows", 0.5, 1.0],
        ],
    }


def page_of(
    results: ModuleType, made: dict[str, dict[int, Any]], draws: int = 2, tutorials: tuple[Any, ...] = ()
) -> str:
    everything = {row.name: made.get(row.name, {}) for row in results.ROWS}
    text = results.write_page(results.ROWS, everything, results.SOURCES, draws, tutorials)
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
        "* **digits, 50 labels**: champion 0.9900 ± 0.0141 accuracy; goal 0.985 met; better than the best "
        "that a user has for free (LabelSpreading, 0.960 ± 0.014)." in text
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


def test_the_page_says_which_rows_were_drawn_where(results: ModuleType) -> None:
    here, card = measured(0.98, 0.95), measured(0.98, 0.95)
    here["machine"], card["machine"] = "a CPU", "a card beside a CPU"
    text = page_of(results, {"digits-50": {0: here}, "digits-100": {0: here}, "mnist-100": {0: card}})
    assert "* Measured on a CPU: digits, 50 labels; digits, 100 labels.\n" in text
    assert "* Measured on a card beside a CPU: MNIST, 100 labels.\n" in text
    assert "Measured on a CPU.\n" in page_of(results, {"digits-50": {0: here}})
    assert "cores), Python" in results.machine("cpu")


def test_a_row_uses_the_device_that_it_is_given(results: ModuleType, tmp_path: Path) -> None:
    mnist = next(row for row in results.ROWS if row.folder)
    assert results.draw_params(mnist, 0, tmp_path)["compute"]["device"] == "cpu"
    assert results.draw_params(mnist, 0, tmp_path, "cuda")["compute"]["device"] == "cuda"


def test_every_row_has_valid_parameters(results: ModuleType, tmp_path: Path) -> None:
    for row in results.ROWS:
        check_params(results.draw_params(row, 3, tmp_path if row.folder else None))
    first, fourth = (results.draw_params(results.ROWS[0], number, None) for number in (0, 3))
    assert fourth["split"]["seed"] == first["split"]["seed"] + 3


def tutorial(procedure: str, inputs: str, holdout: float, **more: float) -> dict[str, Any]:
    lengths = {"epochs": 50, "shorten": 10.0, "seconds": 61.2}
    validation = {"validation": [0.1, 0.2, 0.8125, 0.75]}
    return {"procedure": procedure, "inputs": inputs, "holdout": holdout, **lengths, **validation, **more}


def test_the_page_says_what_the_tutorials_mistake_cost(results: ModuleType) -> None:
    made = (
        tutorial("online", "as published", 0.9),
        tutorial("supervised", "as published", 0.8, coverage=0.999, precision=0.82),
        tutorial("supervised", "honest", 0.95, coverage=0.5, precision=0.99),
    )
    text = page_of(results, {}, tutorials=made)
    assert "Length: 50 epochs, the published 501 and their ramp divided by 10." in text
    assert (
        "* **supervised**: 0.8000 as published, 0.9500 honest: scaling and flips cost 15.0 points (the "
        "tutorial itself reports 0.6965)." in text
    )
    gates = "0.999 of the pool, 0.820 of it right, as published; 0.500 of the pool, 0.990 of it right, honest"
    assert f"at 0.99 the supervised net accepts {gates}." in text
    assert "| online | as published | 0.9000 | 0.750 to 0.812 | – | – | 61 |" in text
    assert "**online**" not in text, "half of a comparison is none"
    assert "Not run: online honest, offline as published, offline honest. The command is `python" in text
    assert "Not run. The command is `python benchmarks/tutorials.py MNIST_FOLDER`;" in page_of(results, {})


def test_the_tutorials_procedures_differ_by_their_mistake_and_are_not_repeated(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tutorials
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    white = torch.full((6, 1, 28, 28), 255, dtype=torch.uint8)
    white[..., :14] = 0
    for inputs, flips, largest in ((tutorials.AS_PUBLISHED, True, 255), (tutorials.HONEST, False, 1)):
        seen = torch.cat([inputs.labeled(white, generator) for _ in range(9)])
        assert seen.max() == 1 and (seen[..., 0] == 1).any() == flips
        assert inputs.others(white).max() == largest

    def images(rows: int) -> Any:
        raw = torch.randint(0, 256, (rows, 1, 28, 28), generator=generator, dtype=torch.uint8)
        return tutorials.Images(raw, torch.arange(rows) % 10)

    built = []

    def small_net() -> nn.Module:
        built.append(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
        return built[-1]

    monkeypatch.setattr(tutorials, "build_net", small_net)
    monkeypatch.setattr(tutorials, "THRESHOLD", 0.13)  # that few epochs reach
    data = tutorials.Data(images(60), images(20), images(300), images(20))
    bench = tutorials.Bench(data, tmp_path, tmp_path / "scratch", 100, 0)
    runs = [(name, inputs) for inputs in (tutorials.HONEST, tutorials.AS_PUBLISHED) for name in PROCEDURES]
    first = [bench.run(*run) for run in runs]
    assert [len(figures["validation"]) for figures in first] == [5] * 6
    assert first[0]["coverage"] < first[3]["coverage"], "unscaled inputs are all but certain"
    assert len({figures["holdout"] for figures in first}) > 1
    assert [bench.run(*run) for run in runs] == first and len(built) == 6
    other = tutorials.Bench(data, tmp_path, tmp_path / "scratch", 100, 1)
    assert other.run(*runs[0])["seed"] == 1 and len(built) == 7
    page = page_of(results, {}, tutorials=tuple(first))
    assert all(f"**{name}**" in page for name in PROCEDURES) and "Not run: " not in page


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_second_call_measures_nothing(
    results: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "SCRATCH", tmp_path / "results")
    row = next(row for row in results.ROWS if row.name == "cancer-40")
    place = results.Workplace(tmp_path / "results" / "job-0")
    first = place.draw(row, 0, None)
    records = sorted(tmp_path.rglob("lineage/*/*.json"))
    assert set(first["seconds"]) == {path.parent.name for path in records}
    again = results.Workplace(tmp_path / "results" / "job-1").draw(row, 0, None)
    assert again == first, "another copy, the same cache"
    assert sorted(tmp_path.rglob("lineage/*/*.json")) == records
