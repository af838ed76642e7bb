"""Data sets like those that people begin with: from the file to the report with ``init`` alone."""

import json
import shutil
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from likes import LIKES
from project import ROOT
from typer.testing import CliRunner

from selfsame.cli import app
from selfsame.core.graph_file import by_stem, read_stages
from selfsame.core.stage import Stage
from selfsame.params.check import load_params

FAST = "penguins"  # the others take half a minute and more
TOLD = {  # words that the report or its summary must have
    "titanic": ("0", "1"),
    "penguins": ("Adelie", "Gentoo"),
    "adult": ("&lt;=50K", "&gt;50K"),
    "air quality": ("NOx",),
    "photos": ("red", "green"),
    "letters": ("15",),
}


def run_all(project: Path) -> dict[str, float]:
    """Run the six stages here as ``params.yaml`` says; return the processor's seconds of each."""
    shutil.copyfile(ROOT / "dvc.yaml", project / "dvc.yaml")
    (project / "data" / "annotations").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "data" / "annotations" / "labels.csv", project / "data/annotations/labels.csv")
    sections, took = load_params(), {}
    for name, spec in read_stages(project / "dvc.yaml").items():
        for path in map(Path, spec.outputs):
            path.parent.mkdir(parents=True, exist_ok=True)
        inputs, outputs = by_stem(spec.inputs), by_stem(spec.outputs)
        start = time.process_time()
        own = {key: sections[key] for key in spec.params}
        import_module(f"tasks.{name}").main(Stage(spec, inputs, outputs, own))
        took[name] = time.process_time() - start
    return took


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == FAST else [pytest.mark.slow]) for name in LIKES]
)
def test_from_file_to_report(name: str, project: Path) -> None:
    make, target, _ = LIKES[name]
    make(project / "data" / "inbox")
    arguments = ["init", "data/inbox", *(["--target", target] if target else [])]
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None, result.output
    run_all(project)
    accounted: dict[str, Any] = json.loads((project / "data/splits/accounting.json").read_text())
    parts = (*accounted["roles"].values(), *accounted["dropped"].values())
    assert sum(part["labels"] for part in parts) == accounted["labels"] > 0
    metrics = json.loads((project / "reports/metrics.json").read_text())
    report = (project / "reports/report.html").read_text(encoding="utf-8")
    assert all(word in report for word in TOLD[name])
    assert accounted["roles"]["pool"]["rows"] or "learned from the pool" not in report
    champion, constant = metrics["champion"], metrics["constant"]["holdout"]
    measure = "r2" if name == "air quality" else "accuracy"
    model = metrics[champion["name"] if isinstance(champion, dict) else champion]["holdout"]
    assert model[measure] > constant[measure]
