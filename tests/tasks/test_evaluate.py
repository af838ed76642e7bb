"""The stage ``evaluate`` on real tables and real, hand-wired models."""

import csv
import filecmp
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import ROOT, run_task
from ruamel.yaml import YAML

from selfsame.core.annotations import ANNOTATIONS
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.graph_file import StageSpec, by_stem
from selfsame.core.stage import Stage
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, input_columns, read_column
from selfsame.params.compute import ComputeParams
from selfsame.params.evaluate import EvaluateParams
from selfsame.params.model import read_model
from selfsame.params.prediction import PredictionParams
from selfsame.selection.calibration import fit_temperature, measure_reliability
from selfsame.selection.confidence import Calibration
from selfsame.selection.record import GateRecord
from tasks.evaluate import main

CLASSES = ("low", "middle", "high")
INFO = TableInfo("toy", "classification", CLASSES, features=("a", "b", "c"))
ROLES = {"labeled": 6, "validation": 30, "holdout": 60, "pool": 40}
LEARNING = {"max_epochs": 40, "patience_epochs": 40}


def write_inputs(root: Path, random: np.random.Generator) -> None:
    """Write the roles' tables, where the largest feature is the class; one pseudo-label is wrong."""
    for role, rows in ROLES.items():
        inputs = random.permuted(
            np.tile([0.1, 0.4, 0.8], (rows, 1)) + random.uniform(0, 0.1, (rows, 3)), axis=1
        )
        labels, ids = inputs.argmax(axis=1), example_ids(inputs)
        known = pa.array(labels) if role != "pool" else pa.nulls(rows, pa.int64())
        schema = INFO.schema(pa.field("source_row", pa.int64()))
        with TableWriter(root / (f"{role}.parquet" if role != "pool" else role), schema) as writer:
            columns = [pa.array(ids), *input_columns(inputs, INFO), known, pa.array(np.arange(rows))]
            writer.write(pa.record_batch(columns, schema=schema))
    hidden = pa.record_batch({"example_id": ids, "label": labels})
    confidence = np.linspace(0.5, 1, len(ids), dtype=np.float32)
    pseudo = pa.record_batch(
        {
            "example_id": ids,
            "pseudo_label": np.where(np.arange(len(ids)) == len(ids) - 1, (labels + 1) % 3, labels),
            "confidence": confidence,
            "calibrated_confidence": confidence,
            "threshold": np.full(len(ids), 0.75, np.float32),
            "accepted": confidence >= 0.75,
            "teacher": ["ab" * 32] * len(ids),
        }
    )
    shutil.copyfile(ROOT / ANNOTATIONS, root / "labels.csv")
    certain = measure_reliability(np.ones(30), np.ones(30, dtype=bool))
    record = GateRecord(
        rule="threshold",
        thresholds=(0.75,) * 3,
        guarantee=None,
        verdict="The threshold is a fixed one.",
        calibrated_on="validation",
        calibration_rows=30,
        temperature=1.0,
        before=certain,
        after=certain,
        balance="none",
        prior=(1 / 3,) * 3,
    )
    (root / "accounting.json").write_text(
        '{"dropped": {"repeat": {"rows": 3, "labels": 1}}, "near_copies": {"rows": 2, "of": 80}}'
    )
    for name, batch in (("hidden_labels.parquet", hidden), ("pseudo_labels", pseudo)):
        schema = record.attach(batch.schema) if name == "pseudo_labels" else batch.schema
        with TableWriter(root / name, schema) as writer:
            writer.write(batch)


def write_model(folder: Path, blind: float) -> None:
    """Write a model whose logits are ten times the features, the last of them dimmed by ``blind``."""
    import torch

    from selfsame.model.inputs import Scaling
    from selfsame.model.models import Model, save_model
    from selfsame.model.nets import build_net

    params = read_model({"architecture": "mlp", "widths": [3], "dropout": 0.0, "batch_norm": False})
    net = build_net(params, INFO)
    hidden, last = (layer for layer in net if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        hidden.weight.copy_(torch.eye(3))
        last.weight.copy_(10 * torch.eye(3))
        last.weight[2, 2] *= 1 - blind
        hidden.bias.zero_()
        last.bias.zero_()
    history = [
        {
            "epoch": epoch,
            "training_loss": 1 / epoch,
            "validation_loss": 1.1 / epoch,
            "validation_accuracy": 0.5,
        }
        for epoch in (1, 2, 3)
    ]
    recipe = {"retrain": {"method": "offline"}}
    save_model(folder, Model(net, params, INFO, Scaling((0.0,) * 3, (1.0,) * 3), recipe), history)


def evaluate(out: str, title: str = "Toy") -> dict[str, Path]:
    """Run the stage in the current folder; return its outputs by name."""
    inputs = [f"{role}.parquet" for role in ("labeled", "validation", "holdout", "hidden_labels")]
    inputs += ["accounting.json", "labels.csv", "pool", "pseudo_labels", "models/baseline", "models/student"]
    names = ["champion", "report.html", "confusion_matrix.csv", "threshold.csv", "reliability.csv"]
    names += ["metrics.json", "summary.txt", "doubtful_labels.csv"]
    outputs = [f"{out}/{name}" for name in names]
    # As in a real run: written elsewhere than where they are declared.
    spec = StageSpec(
        "evaluate", "", "", (), tuple(inputs), tuple(names), ("compute", "evaluate", "prediction")
    )
    params = {
        "compute": ComputeParams(device="cpu", cpu_threads=1),
        "evaluate": EvaluateParams(promotion_level=0.05, title=title),
        "prediction": PredictionParams(),
    }
    Path(out).mkdir()
    main(Stage(spec, by_stem(inputs), by_stem(outputs), params))
    return by_stem(outputs)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all inputs, where the student sees everything and the baseline is blind to one class."""
    monkeypatch.chdir(tmp_path)
    for name in ("dvc.yaml", "params.yaml"):  # the report draws the graph
        shutil.copyfile(ROOT / name, name)
    write_inputs(tmp_path, np.random.default_rng(0))
    write_model(tmp_path / "models/baseline", blind=0.9)
    write_model(tmp_path / "models/student", blind=0.0)
    return tmp_path


def test_every_output_tells_the_same_story(workspace: Path) -> None:
    outputs = evaluate("out")

    figures = json.loads(outputs["metrics"].read_text())
    assert (figures["champion"], figures["student"]["holdout"]["accuracy"]) == ("student", 1.0)
    assert figures["baseline"]["holdout"]["accuracy"] < 0.9
    assert (figures["pool"]["rows"], figures["pool"]["accepted"], figures["pool"]["coverage"]) == (
        40,
        20,
        0.5,
    )
    assert figures["pool"]["precision"] == 0.95
    assert figures["labeled"]["rows"] == 6
    assert figures["reference"]["rows"] == 36
    assert figures["reference"]["holdout"]["accuracy"] > 0.8
    summary = outputs["summary"].read_text(encoding="utf-8")
    assert summary.startswith("The student is the champion: it gets 100.0")
    assert "  student " in summary and summary.count("← champion") == 1

    with outputs["confusion_matrix"].open(newline="") as file:
        pairs = list(csv.DictReader(file))
    assert len(pairs) == 60
    assert all(pair["actual"] == pair["predicted"] and pair["actual"] in CLASSES for pair in pairs)

    compared = filecmp.dircmp(workspace / "models/student", outputs["champion"])
    added = {"README.md", "calibration.json", "prediction.json", "profile.json"}
    assert {*compared.left_list} | added == {*compared.right_list}
    _, mismatch, errors = filecmp.cmpfiles(compared.left, compared.right, compared.left_list, shallow=False)
    assert (mismatch, errors) == ([], [])

    html = outputs["report"].read_text(encoding="utf-8")
    assert str(workspace) not in html
    assert "3 rows, 1 of them labeled, repeat the inputs of another row" in html
    for path in files_under(Path("models")):
        assert path.as_posix() in html
        assert sha256_file(path) in html


def test_the_baseline_is_promoted_when_the_student_is_worse(workspace: Path) -> None:
    write_model(workspace / "models/student", blind=0.95)
    write_model(workspace / "models/baseline", blind=0.0)
    outputs = evaluate("out")
    assert json.loads(outputs["metrics"].read_text())["champion"] == "baseline"
    weights = "model.safetensors"
    assert (outputs["champion"] / weights).read_bytes() == (
        workspace / "models/baseline" / weights
    ).read_bytes()


def test_the_champions_confidence_is_fitted_on_the_rows_that_judge_the_gate(workspace: Path) -> None:
    from selfsame.model.models import answer_table, load_model

    calibration = Calibration.load(evaluate("out")["champion"])
    assert calibration is not None
    validation = workspace / "validation.parquet"
    labels = read_column(validation, "label")
    said = answer_table(load_model(workspace / "models/student"), validation)
    assert calibration.temperature == fit_temperature(said, labels)
    assert (calibration.calibrated_on, calibration.calibration_rows) == ("validation", len(labels))
    assert calibration.threshold == 0.75  # the gate's


@pytest.mark.usefixtures("workspace")
def test_the_same_inputs_give_the_same_bytes_in_another_process() -> None:
    first = evaluate("first")
    rerun = "import sys; sys.path[:0] = sys.argv[1:]; from test_evaluate import evaluate; evaluate('second')"
    folders = [str(folder) for folder in Path(__file__).resolve().parents[:3]]
    Path("matplotlibrc").write_text("font.size: 30\nsvg.fonttype: path\n")  # somebody's own taste
    environment = os.environ | {"PYTHONHASHSEED": "7", "MATPLOTLIBRC": "matplotlibrc"}
    subprocess.run([sys.executable, "-c", rerun, *folders], check=True, env=environment)
    for path in first.values():
        for file in files_under(path):
            assert file.read_bytes() == Path("second", *file.parts[1:]).read_bytes(), file


def test_the_reference_is_chosen_without_the_holdout(workspace: Path) -> None:
    before = json.loads(evaluate("before")["metrics"].read_text())["reference"]
    table = pq.read_table(workspace / "holdout.parquet")
    column = table.schema.get_field_index("label")
    wrong = pa.array((table["label"].to_numpy() + 1) % 3)
    changed = table.set_column(column, table.schema.field(column), wrong)
    pq.write_table(changed, workspace / "holdout.parquet")
    after = json.loads(evaluate("after")["metrics"].read_text())["reference"]
    for key in ("name", "rows", "validation"):
        assert after[key] == before[key], key
    assert after["holdout"]["accuracy"] < 0.2 < before["holdout"]["accuracy"]


@pytest.mark.usefixtures("workspace")
def test_a_title_changes_the_report_alone_and_predicts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    first = evaluate("first")
    for name in ("selfsame.model.models.load_model", "selfsame.families.reference.fit_reference"):
        monkeypatch.setattr(name, None)
    second = evaluate("second", title="Another")
    assert first["report"].read_bytes() != second["report"].read_bytes()
    for name in ("metrics", "confusion_matrix", "threshold", "reliability"):
        assert first[name].read_bytes() == second[name].read_bytes()


@pytest.mark.usefixtures("workspace")
def test_the_plots_hold_the_gates_figures() -> None:
    outputs = evaluate("out")
    with outputs["threshold"].open(newline="") as file:
        rows = {row["threshold"]: row for row in csv.DictReader(file)}
    assert float(rows["0"]["coverage"]) == 1 and float(rows["0"]["precision"]) == 39 / 40
    assert rows["0.999"]["coverage"] == str(1 / 40)
    assert outputs["reliability"].read_text().splitlines() == [
        "confidence,right,calibrated_right",
        "0.95,1.0,1.0",
    ]


@pytest.mark.usefixtures("workspace")
def test_the_champion_has_a_model_card() -> None:
    card = (evaluate("out", title="A <b> title")["champion"] / "README.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    metadata = YAML(typ="safe").load(head)
    (entry,) = metadata["model-index"]
    assert entry["name"] == "A <b> title"
    assert entry["results"][0]["metrics"][0] == {"type": "accuracy", "name": "accuracy", "value": 1.0}
    assert "<b>" not in body
    assert "The student is the champion: it gets 100.0\N{NO-BREAK SPACE}% of 60 holdout rows right" in body
    assert (
        "| student | 100.0\N{NO-BREAK SPACE}% (94.0\N{NO-BREAK SPACE}% to 100.0\N{NO-BREAK SPACE}%) |" in body
    )


def test_importing_the_stage_loads_nothing_heavy() -> None:
    heavy = {"torch", "sklearn", "scipy", "matplotlib", "jinja2"}
    code = f"import sys, tasks.evaluate; print(*{heavy} & set(sys.modules))"
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_a_refit_is_judged_by_what_had_not_learned_the_validation_rows(trained: Path) -> None:
    figures = []
    for refitted in (False, True):
        training = {"refit_on_validation": refitted, "learning_rate": 0.02}
        run_task("train_baseline", trained, training=training)
        run_task("pseudo_label", trained)
        run_task("retrain", trained, training=training)
        for folder in ("models/champion", "reports"):
            shutil.rmtree(trained / folder, ignore_errors=True)
        run_task("evaluate", trained)
        figures.append(json.loads((trained / "reports/metrics.json").read_text()))
    before, after = figures
    assert (before["refitted"], after["refitted"]) == (False, True)
    for key in ("champion", "validation", "pool", "calibration"):
        assert after[key] == before[key], key
    for name in ("baseline", "student"):
        assert after[name]["validation"] == before[name]["validation"]
        assert after[name]["holdout"] != before[name]["holdout"]
    assert "refitted" in (trained / "reports/report.html").read_text(encoding="utf-8")
    assert "refitted" in (trained / "models/champion/README.md").read_text(encoding="utf-8")
    weights = Path("validated") / "model.safetensors"
    champion, copied = trained / "models/champion", trained / "models" / after["champion"]
    assert (champion / weights).read_bytes() == (copied / weights).read_bytes()


def test_a_scikit_learn_baseline_that_is_better_is_the_champion(trained: Path) -> None:
    """Two epochs teach a net little; a simple model needs no more than the rows."""
    from selfsame.model.models import answer_table, load_model

    for name in ("pseudo_label", "retrain"):
        run_task(name, trained)
    run_task("evaluate", trained, evaluate={"scikit_learn_champion": True})
    figures = json.loads((trained / "reports/metrics.json").read_text())
    assert figures["champion"] == "reference"
    assert figures["reference"]["validation"]["accuracy"] > figures["student"]["validation"]["accuracy"]
    champion, table = trained / "models/champion", trained / "data/splits/holdout.parquet"
    labels = read_column(table, "label")
    assert (answer_table(load_model(champion), table).argmax(axis=1) == labels).mean() == pytest.approx(
        figures["reference"]["holdout"]["accuracy"]
    )
    judged = answer_table(load_model(champion / "validated"), trained / "data/splits/validation.parquet")
    known = read_column(trained / "data/splits/validation.parquet", "label")
    assert (judged.argmax(axis=1) == known).mean() == figures["reference"]["validation"]["accuracy"]
    assert Calibration.load(champion).temperature == fit_temperature(judged, known)
    summary = (trained / "reports/summary.txt").read_text(encoding="utf-8")
    assert summary.startswith("The scikit-learn baseline, a ") and summary.count("← champion") == 1
    html = " ".join((trained / "reports/report.html").read_text(encoding="utf-8").split())
    assert "So it is the champion." in html and "was fitted by the stage <code>evaluate</code>" in html


def test_a_poisoned_pool_leaves_the_baseline_in_place(trained: Path) -> None:
    """Every pseudo-label wrong and accepted: the mildest level there is doesn't promote what learns them."""
    shared: dict[str, Any] = {"model": {"widths": [16]}, "training": {"learning_rate": 0.02}}
    run_task("train_baseline", trained, train_baseline=LEARNING, **shared)
    run_task("pseudo_label", trained, pseudo_label={"threshold": 0.0})
    part = trained / "data/pseudo_labels/part-00000.parquet"
    table = pq.read_table(part)
    truth = pq.read_table(trained / "data/splits/hidden_labels.parquet")
    assert table["example_id"] == truth["example_id"]
    column = table.schema.get_field_index("pseudo_label")
    wrong = pa.array(1 - truth["label"].to_numpy())
    pq.write_table(table.set_column(column, table.schema.field(column), wrong), part)
    run_task("retrain", trained, retrain=LEARNING, **shared)
    run_task("evaluate", trained, evaluate={"promotion_level": 0.5})
    figures = json.loads((trained / "reports/metrics.json").read_text())
    assert figures["pool"]["precision"] == 0
    assert figures["student"]["holdout"]["accuracy"] < figures["baseline"]["holdout"]["accuracy"]
    assert figures["champion"] == "baseline"
    weights = "model.safetensors"
    champion, baseline = (trained / "models" / name / weights for name in ("champion", "baseline"))
    assert champion.read_bytes() == baseline.read_bytes()
    html = (trained / "reports/report.html").read_text(encoding="utf-8")
    assert "stays the champion" in html
