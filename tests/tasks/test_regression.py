"""A regression through the stages behind ``split``."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import run_task
from regression import ROWS, VALUES, write_splits

from selfsame.core.digests import sha256_file
from selfsame.core.tables import open_table, read_column
from selfsame.selection.agreement import AgreementRecord

PSEUDO_LABELS = "data/pseudo_labels"


def run(name: str, folder: Path, **changes: dict[str, Any]) -> None:
    """Run a stage with parameters for values, changed by ``changes``."""
    run_task(
        name, folder, **{key: VALUES.get(key, {}) | changes.get(key, {}) for key in {**VALUES, **changes}}
    )


@pytest.fixture(scope="module")
def labeled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the stages up to ``pseudo_label`` have run; for copying only."""
    folder = tmp_path_factory.mktemp("values")
    write_splits(folder)
    for name in ("train_baseline", "pseudo_label"):
        run(name, folder)
    return folder


@pytest.fixture
def labeled(labeled_once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(labeled_once, tmp_path / "values"))


def decisions(folder: Path) -> pa.Table:
    return open_table(folder / PSEUDO_LABELS).to_table()


def test_the_ensemble_differs_by_its_seeds_alone(labeled: Path) -> None:
    folders = [labeled / "models/baseline", *sorted((labeled / "models/baseline/ensemble").iterdir())]
    assert [folder.name for folder in folders] == ["baseline", "01", "02"]
    assert len({sha256_file(folder / "model.safetensors") for folder in folders}) == 3
    recipes = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert recipes[0] == recipes[1] == recipes[2]


def test_every_pool_row_has_a_decision_by_its_spread(labeled: Path) -> None:
    from selfsame.model.models import answer_table, load_model

    table = decisions(labeled)
    folders = [labeled / "models/baseline", *sorted((labeled / "models/baseline/ensemble").iterdir())]
    said = np.stack([answer_table(load_model(folder), labeled / "data/splits/pool") for folder in folders])
    record = AgreementRecord.of(labeled / PSEUDO_LABELS)
    spread = said.std(axis=0) / record.unit
    np.testing.assert_allclose(table["pseudo_label"], said.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["ensemble_std"], spread, rtol=1e-5)
    accepted = table["accepted"].to_numpy()
    assert (accepted == (table["ensemble_std"].to_numpy() <= np.float32(0.3))).all()
    assert 0 < accepted.sum() < ROWS["pool"]
    assert set(table["teacher"].to_pylist()) == {sha256_file(folders[0] / "model.safetensors")}
    assert record.members == tuple(sha256_file(folder / "model.safetensors") for folder in folders)
    assert "confidence" not in table.column_names


def test_a_row_of_exactly_the_largest_ensemble_std_is_accepted(labeled: Path) -> None:
    spread = np.sort(decisions(labeled)["ensemble_std"].to_numpy())
    run("pseudo_label", labeled, pseudo_label={"largest_ensemble_std": float(spread[40])})
    assert decisions(labeled)["accepted"].to_numpy().sum() == 41
    run(
        "pseudo_label",
        labeled,
        pseudo_label={"largest_ensemble_std": float(np.nextafter(spread[40], np.float32(0)))},
    )
    assert decisions(labeled)["accepted"].to_numpy().sum() == 40


def test_the_record_says_what_agreement_is_worth_on_rows_of_known_value(labeled: Path) -> None:
    from selfsame.model.models import answer_table, load_model

    record = AgreementRecord.of(labeled / PSEUDO_LABELS)
    folders = [labeled / "models/baseline", *sorted((labeled / "models/baseline/ensemble").iterdir())]
    validation = labeled / "data/splits/validation.parquet"
    said = np.stack([answer_table(load_model(folder), validation) for folder in folders])
    errors = said.mean(axis=0) - read_column(validation, "label")
    accepted = said.std(axis=0) / record.unit <= 0.3
    assert (record.calibrated_on, record.calibration_rows) == ("validation", ROWS["validation"])
    assert record.calibration_accepted == accepted.sum() > 0
    assert record.error_of_all == pytest.approx(np.sqrt((errors**2).mean()))
    assert record.error_of_accepted == pytest.approx(np.sqrt((errors[accepted] ** 2).mean()))
    assert str(record.calibration_accepted) in record.verdict


def test_the_student_learns_the_accepted_values_in_the_labels_unit(labeled: Path) -> None:
    """A pool of one value, accepted whole and weighing much, draws the student there."""
    from selfsame.model.models import answer_table, load_model

    part = labeled / PSEUDO_LABELS / "part-00000.parquet"
    table = pq.read_table(part)
    constant = {
        "pseudo_label": pa.array(np.full(len(table), 7000.0)),
        "accepted": pa.array([True] * len(table)),
    }
    for name, column in constant.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), column)
    pq.write_table(table, part)
    run(
        "retrain",
        labeled,
        retrain={"unlabeled_weight": 1000.0, "ramp_up_end_epochs": 0, "max_epochs": 200},
        training={"checkpoint": "last"},
    )
    student = load_model(labeled / "models/student")
    said = answer_table(student, labeled / "data/splits/holdout.parquet")
    assert np.median(said) == pytest.approx(7000, rel=0.05)


@pytest.fixture(scope="module")
def evaluated(labeled_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every stage has run."""
    folder = Path(shutil.copytree(labeled_once, tmp_path_factory.mktemp("evaluated") / "values"))
    for name in ("retrain", "evaluate"):
        run(name, folder, evaluate={"title": "Values <b>"})
    return folder


def test_every_output_tells_the_same_story(evaluated: Path) -> None:
    figures = json.loads((evaluated / "reports/metrics.json").read_text())
    champion, holdout = figures["champion"], figures[figures["champion"]]["holdout"]
    assert 0 < holdout["r2_low"] < holdout["r2"] < holdout["r2_high"] < 1
    assert figures["pool"]["rows"] == figures["pool"]["known_accepted"] + figures["pool"]["rejected"]
    html = (evaluated / "reports/report.html").read_text(encoding="utf-8")
    assert f"has an R² of {holdout['r2']:.3f} on {ROWS['holdout']} holdout rows" in html
    assert "Values &lt;b&gt;" in html and "<b>" not in html.split("<main>")[0]
    card = (evaluated / "models/champion/README.md").read_text(encoding="utf-8")
    assert "tabular-regression" in card and f"it has an R² of {holdout['r2']:.3f}" in card
    lines = (evaluated / "reports/confusion_matrix.csv").read_text().splitlines()
    assert len(lines) == 1 + ROWS["holdout"]
    assert (
        (evaluated / "reports/threshold.csv").read_text().startswith("threshold,coverage,precision,error\n")
    )
    weights = "model.safetensors"
    assert sha256_file(evaluated / "models/champion" / weights) == sha256_file(
        evaluated / "models" / champion / weights
    )


def test_a_poisoned_pool_leaves_the_baseline_in_place_and_the_report_says_so(labeled: Path) -> None:
    part = labeled / PSEUDO_LABELS / "part-00000.parquet"
    table = pq.read_table(part)
    place = table.schema.get_field_index("pseudo_label")
    wrong = pa.array(2000 - table["pseudo_label"].to_numpy())
    pq.write_table(table.set_column(place, table.schema.field(place), wrong), part)
    for name in ("retrain", "evaluate"):
        run(name, labeled, retrain={"ramp_up_end_epochs": 0})
    figures = json.loads((labeled / "reports/metrics.json").read_text())
    assert figures["champion"] == "baseline"
    assert figures["student"]["holdout"]["r2"] < figures["baseline"]["holdout"]["r2"]
    html = (labeled / "reports/report.html").read_text(encoding="utf-8")
    assert "stays the champion" in html and "The pool did not help" in html


@pytest.mark.parametrize("known", [0.0, 0.5])
def test_hidden_values_may_be_unknown(known: float, tmp_path: Path) -> None:
    write_splits(tmp_path, known)
    few = {"train_baseline": {"max_epochs": 1}, "retrain": {"max_epochs": 1}}
    for name in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run(name, tmp_path, **few)
    error = json.loads((tmp_path / "reports/metrics.json").read_text())["pool"]["rmse_accepted"]
    assert (error is None) == (known == 0.0)


def test_an_empty_pool_is_a_plain_comparison_of_two_seeds(tmp_path: Path) -> None:
    write_splits(tmp_path, pool=0)
    few = {"train_baseline": {"max_epochs": 2}, "retrain": {"max_epochs": 2}}
    for name in ("train_baseline", "pseudo_label", "retrain", "evaluate"):
        run(name, tmp_path, **few)
    html = (tmp_path / "reports/report.html").read_text(encoding="utf-8")
    assert "There is no pool" in html
    assert "No pseudo-target was accepted" not in html and "did not help" not in html


def test_the_summary_is_of_values(evaluated: Path) -> None:
    figures = json.loads((evaluated / "reports/metrics.json").read_text())
    text = (evaluated / "reports/summary.txt").read_text(encoding="utf-8")
    assert f"{figures['student']['holdout']['r2']:.3f}" in text
    assert f"{figures['pool']['accepted']} of 120 accepted" in text
    assert text.count("← champion") == 1
