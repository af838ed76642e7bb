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
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import open_table
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
    folders = [labeled / "models/baseline", *sorted((labeled / "models/ensemble").iterdir())]
    assert [folder.name for folder in folders] == ["baseline", "01", "02"]
    assert len({sha256_file(folder / "model.safetensors") for folder in folders}) == 3
    recipes = [json.loads((folder / "config.json").read_text()) for folder in folders]
    assert recipes[0] == recipes[1] == recipes[2]


def test_every_pool_row_has_a_decision_by_its_spread(labeled: Path) -> None:
    from selfsame.learning.models import load_model
    from selfsame.learning.values import predict_values

    table = decisions(labeled)
    folders = [labeled / "models/baseline", *sorted((labeled / "models/ensemble").iterdir())]
    said = predict_values([load_model(folder) for folder in folders], labeled / "data/splits/pool").values
    record = AgreementRecord.of(labeled / PSEUDO_LABELS)
    spread = said.std(axis=0) / record.unit
    np.testing.assert_allclose(table["pseudo_label"], said.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(table["spread"], spread, rtol=1e-5)
    accepted = table["accepted"].to_numpy()
    assert (accepted == (table["spread"].to_numpy() <= np.float32(0.3))).all()
    assert 0 < accepted.sum() < ROWS["pool"]
    assert set(table["teacher"].to_pylist()) == {sha256_file(folders[0] / "model.safetensors")}
    assert record.members == tuple(sha256_file(folder / "model.safetensors") for folder in folders)
    assert "confidence" not in table.column_names


def test_a_row_of_exactly_the_largest_spread_is_accepted(labeled: Path) -> None:
    spread = np.sort(decisions(labeled)["spread"].to_numpy())
    run("pseudo_label", labeled, pseudo_label={"largest_spread": float(spread[40])})
    assert decisions(labeled)["accepted"].to_numpy().sum() == 41
    run(
        "pseudo_label",
        labeled,
        pseudo_label={"largest_spread": float(np.nextafter(spread[40], np.float32(0)))},
    )
    assert decisions(labeled)["accepted"].to_numpy().sum() == 40


def test_the_record_says_what_agreement_is_worth_on_rows_of_known_value(labeled: Path) -> None:
    from selfsame.learning.models import load_model
    from selfsame.learning.values import predict_values

    record = AgreementRecord.of(labeled / PSEUDO_LABELS)
    folders = [labeled / "models/baseline", *sorted((labeled / "models/ensemble").iterdir())]
    judges = predict_values(
        [load_model(folder) for folder in folders], labeled / "data/splits/validation.parquet"
    )
    errors = judges.values.mean(axis=0) - judges.labels
    accepted = judges.values.std(axis=0) / record.unit <= 0.3
    assert (record.judged_on, record.judged_rows) == ("validation", ROWS["validation"])
    assert record.judged_accepted == accepted.sum() > 0
    assert record.error_of_all == pytest.approx(np.sqrt((errors**2).mean()))
    assert record.error_of_accepted == pytest.approx(np.sqrt((errors[accepted] ** 2).mean()))
    assert str(record.judged_accepted) in record.verdict


def test_the_student_learns_the_accepted_values_in_the_labels_unit(labeled: Path) -> None:
    """A pool of one value, accepted whole and weighing much, draws the student there."""
    from selfsame.learning.models import load_model
    from selfsame.learning.values import predict_values

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
    said = predict_values([student], labeled / "data/splits/holdout.parquet").values[0]
    assert np.median(said) == pytest.approx(7000, rel=0.05)


@pytest.mark.parametrize(
    ("stage", "section", "key", "value"),
    [
        ("train_baseline", "train_baseline", "ensemble_members", 0),
        ("train_baseline", "training", "label_smoothing", 0.1),
        ("pseudo_label", "pseudo_label", "rule", "threshold"),
        ("pseudo_label", "pseudo_label", "balance", "top_k"),
        ("retrain", "retrain", "method", "fixmatch"),
        ("retrain", "retrain", "method", "online"),
    ],
)
def test_what_needs_classes_is_refused_by_its_key(
    stage: str, section: str, key: str, value: Any, labeled: Path
) -> None:
    with pytest.raises(SelfsameError) as refusal:
        run(stage, labeled, **{section: {key: value}})
    assert f"{section}.{key} = {value!r}" in refusal.value.what
    assert refusal.value.fix


@pytest.mark.parametrize(
    ("stage", "section", "key", "value"),
    [
        ("train_baseline", "train_baseline", "ensemble_members", 2),
        ("pseudo_label", "pseudo_label", "rule", "agreement"),
    ],
)
def test_what_needs_values_is_refused_for_classes(
    stage: str, section: str, key: str, value: Any, trained: Path
) -> None:
    with pytest.raises(SelfsameError) as refusal:
        run_task(stage, trained, **{section: {key: value}})
    assert f"{section}.{key} = {value!r}" in refusal.value.what
