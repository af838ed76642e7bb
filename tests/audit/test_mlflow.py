"""``selfsame export mlflow``: a run as MLflow's own client reads it, of today and of a former commit."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from project import Project
from test_using import run

from selfsame.core.layout import METRICS
from selfsame.dag.nested import leaves
from selfsame.export import commands
from selfsame.export.mlflow_run import Names
from selfsame.predict import load_model


def test_a_run_is_written_once_with_all_that_is_known_of_it(
    real: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "mlruns"
    for words in ((), (), ("--rev", "HEAD"), ("--rev", "HEAD~1")):
        assert run(monkeypatch, "export", "mlflow", "-o", store, *words) == ""
    said = capsys.readouterr().out.splitlines()
    assert [line.endswith("written") for line in said] == [True, False, False, True]
    client = MlflowClient(tracking_uri=store.as_uri())
    experiment = client.get_experiment_by_name("selfsame")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2 and {each.info.status for each in runs} == {"FINISHED"}
    made = client.get_run(said[0].split()[2])
    assert made.info.end_time > made.info.start_time

    numbers = {
        key: value
        for key, value in leaves(json.loads(METRICS.read_text(encoding="utf-8")))
        if isinstance(value, int | float)
    }
    assert numbers.items() <= made.data.metrics.items() and len(numbers) > 20
    assert made.data.params["pseudo_label.threshold"] == "0.6"
    assert {each.data.params["pseudo_label.threshold"] for each in runs} == {"0.6", "0.9"}
    with Path("models/baseline/history.csv").open(encoding="utf-8") as file:
        losses = [float(row["training_loss"]) for row in csv.DictReader(file)]
    curve = client.get_metric_history(made.info.run_id, "baseline/training_loss")
    assert [(each.step, each.value) for each in curve] == [*enumerate(losses, start=1)]
    head = real.run("git", "rev-parse", "HEAD~3").strip()
    assert made.data.tags["mlflow.source.git.commit"] == head

    place = Path(client.download_artifacts(made.info.run_id, "", str(tmp_path)))
    assert (place / "reports" / "report.html").read_bytes() == Path("reports/report.html").read_bytes()
    assert json.loads((place / "params.json").read_text())["pseudo_label"]["threshold"] == 0.6
    holdout = "data/splits/holdout.parquet"
    here, there = (
        load_model(folder, "cpu").predict_proba(holdout) for folder in ("models/champion", place / "model")
    )
    np.testing.assert_array_equal(there, here)


def test_no_two_keys_get_the_same_name() -> None:
    names = Names()
    keys = ["a<", "a>", "a_", "a<", "b/../c", "ä 1", "x" * 300, "x" * 301]
    made = [names.of(key) for key in keys]
    assert made[:6] == ["a_", "a__2", "a__3", "a_", "b_.._c", "ä 1"]
    assert len(set(made)) == len(set(keys)) and max(map(len, made)) <= 250


def test_what_is_missing_is_named(real: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    said = run(monkeypatch, "export", "mlflow")
    assert said == "error: export mlflow needs mlflow\n  fix: pip install 'selfsame[mlflow]'"
