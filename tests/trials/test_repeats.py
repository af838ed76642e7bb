"""Repeats: which seeds change, what is read from the metrics, and that one failure loses no other repeat."""

import json
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, TINY, Project

from selfsame.core.errors import SelfsameError
from selfsame.dag.experiments import Trial
from selfsame.params.overrides import parse_overrides
from selfsame.trials import repeats
from selfsame.trials.repeats import (
    Repeat,
    format_repeats,
    read_figures,
    repeats_as_json,
    run_repeats,
    seeds_of,
    spread,
)


def metrics(baseline: float, student: float, precision: float | None) -> dict[str, Any]:
    return {
        "baseline": {"holdout": {"accuracy": baseline, "accuracy_low": 0.1, "macro_f1": baseline - 0.1}},
        "student": {"holdout": {"accuracy": student, "accuracy_high": 1.0, "macro_f1": student - 0.1}},
        "champion": "student" if student > baseline else "baseline",
        "pool": {"coverage": 0.5, "precision": precision, "rows": 7},
    }


def repeat(*scores: Any) -> Repeat:
    return Repeat({}, Trial("name", {}, {"reports/metrics.json": metrics(*scores)}, {}, 1.0), "")


def test_the_champion_is_that_of_each_repeat() -> None:
    made = spread([repeat(0.6, 0.8, 0.9), repeat(0.7, 0.5, None)])
    assert made["champion.accuracy"] == (pytest.approx(0.75), pytest.approx(0.1 / 2**0.5), 2)
    assert made["baseline.macro_f1"][0] == pytest.approx(0.55)
    assert made["pool.precision"] == (0.9, 0.0, 1)
    assert not [name for name in made if name.endswith(("_low", "_high"))]


def test_scores_have_any_name() -> None:
    regression = {
        "baseline": {"holdout": {"r2": 0.6, "r2_low": 0.5, "mae": 3.0}},
        "student": {"holdout": {"r2": 0.7, "mae": 2.0}},
        "reference": {"name": "ridge", "holdout": {"r2": 0.65}},
        "champion": "student",
        "pool": {"coverage": 0.5},
    }
    assert read_figures(regression) == {
        "baseline.r2": 0.6,
        "baseline.mae": 3.0,
        "student.r2": 0.7,
        "student.mae": 2.0,
        "champion.r2": 0.7,
        "champion.mae": 2.0,
        "reference.r2": 0.65,
        "pool.coverage": 0.5,
    }


def test_repeat_0_is_the_parameters_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    first, second = seeds_of(0, {}), seeds_of(1, {"retrain.seed": 7})
    assert first["split.seed"] == 0 and first["retrain.seed"] == 1
    assert second == {**{key: seed + 1 for key, seed in first.items()}, "retrain.seed": 8}
    assert {"split.seed", "train_baseline.seed", "retrain.seed"} <= set(first)


def test_a_failed_repeat_is_reported_and_the_others_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    def run(overrides: dict[str, Any], name: str, log: Any) -> Trial:
        if overrides["split.seed"] == 1:
            raise SelfsameError("the loss became nan")
        return Trial(name, overrides, {"reports/metrics.json": metrics(0.6, 0.8, 0.9)}, {"a": "ran"}, 1.0)

    monkeypatch.setattr(repeats, "run_experiment", run)
    made = run_repeats(3, {}, lambda _: None)
    assert [one.error for one in made] == ["", "the loss became nan", ""]
    assert format_repeats(made).splitlines()[:2] == [
        "mean ± sd of 2 repeats",
        "  baseline.accuracy      0.6000 ± 0.0000",
    ]
    assert repeats_as_json(made)["repeats"][1]["error"] == "the loss became nan"
    monkeypatch.setattr(repeats, "seeds_of", lambda *_: {"split.seed": 1})
    with pytest.raises(SelfsameError, match="nan"):
        run_repeats(3, {}, lambda _: None)


def test_settings_are_read_as_the_file_is() -> None:
    read = parse_overrides(["a.b=0.9", "c=[1, 2]", "d=null", "e=1e-3", "f=as_is"])
    assert read == {"a.b": 0.9, "c": [1, 2], "d": None, "e": 0.001, "f": "as_is"}
    with pytest.raises(SelfsameError, match="not a setting"):
        parse_overrides(["a.b"])


@pytest.mark.slow
def test_a_second_call_runs_nothing(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", TINY)
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "first")
    clean = project.run("git", "status", "--porcelain")
    first, second = (
        json.loads(project.run("python", "-m", "selfsame.cli", "repeats", "2", "--json")) for _ in range(2)
    )
    assert first["spread"] == second["spread"]
    assert {kind for made in second["repeats"] for kind in made["stages"].values()} == {"restored"}
    assert [made["stages"]["download"] for made in first["repeats"]] == ["ran", "restored"]
    assert project.run("git", "status", "--porcelain").replace("?? lineage/\n", "") == clean
    assert len(project.run("dvc", "exp", "list", "--name-only").split()) >= 2
