"""A request on real tables and a real model: only rows that may be asked for, in every form."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from project import run_task, section

from selfsame.active.request import (
    LABEL_STUDIO,
    PAGE,
    REQUEST,
    Question,
    Request,
    label_studio_setup,
    make_request,
    write_request,
)
from selfsame.core.annotations import ANNOTATIONS, Annotation, format_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.model.models import answer_table, load_model
from selfsame.params.compute import ComputeParams

CPU = ComputeParams(device="cpu", cpu_threads=1)
POOL = Path("data/splits/pool")


def request(**changes: Any) -> Request:
    return make_request(section("active_learning", model="baseline", rows=8, **changes), CPU, 1)


def pool_ids() -> list[str]:
    return pq.read_table(POOL)["example_id"].to_pylist()


def answer(*example_ids: str) -> None:
    given = [Annotation(each, "benign", "Ada", "2026-01-02T03:04:05Z", "margin") for each in example_ids]
    ANNOTATIONS.write_text(format_annotations(given), encoding="utf-8")


@pytest.mark.parametrize("strategy", ["least_confidence", "margin", "entropy", "bald"])
def test_rows_of_the_pool_are_asked_for_once(strategy: str, trained: Path) -> None:
    made = request(strategy=strategy)
    ids = [one.example_id for one in made.questions]
    assert len(set(ids)) == 8 and set(ids) <= set(pool_ids())
    again = request(strategy=strategy)
    assert [one.example_id for one in again.questions] == ids


def test_a_committee_asks_too_but_has_no_dropout(trained: Path) -> None:
    members = ["linear", "boosting"]
    run_task("train_baseline", trained, model={"architecture": "committee", "members": members})
    ids = [one.example_id for one in request(strategy="margin").questions]
    assert len(set(ids)) == 8 and set(ids) <= set(pool_ids())
    with pytest.raises(SelfsameError, match="the model has no dropout to sample from"):
        request(strategy="bald")


def test_the_most_uncertain_of_the_pool_are_asked(trained: Path) -> None:
    made = request(strategy="margin", diversity={"name": "none"})
    said, names = answer_table(load_model(Path("models/baseline")), POOL), pool_ids()
    doubt = 1 - np.abs(said[:, 0] - said[:, 1])
    order = np.argsort(-doubt)[:8]
    assert {one.example_id for one in made.questions} == {names[row] for row in order}
    np.testing.assert_allclose([one.score for one in made.questions], doubt[order], rtol=1e-5)
    place = names.index(made.questions[0].example_id)
    assert made.info.classes[said[place].argmax()] == made.questions[0].guess


def test_who_was_answered_is_not_asked_again(trained: Path) -> None:
    first = [one.example_id for one in request().questions]
    answer(*first)  # not yet known to the pool: split has not run
    second = [one.example_id for one in request().questions]
    assert len(second) == 8 and not set(first) & set(second)
    run_task("split", trained)
    assert not set(first) & set(pool_ids())
    assert request(strategy="entropy").questions[0].example_id in pool_ids()


def test_an_empty_pool_has_nothing_to_ask(trained: Path) -> None:
    answer(*pool_ids())
    with pytest.raises(SelfsameError, match="no row is left that nobody has labeled"):
        request()


def test_the_files_say_the_same(trained: Path) -> None:
    made = request()
    write_request(made)
    with REQUEST.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["rank"]) for row in rows] == list(range(1, 9))
    table = {row["example_id"]: row for row in pq.read_table(POOL).to_pylist()}
    for row, one in zip(rows, made.questions, strict=True):
        assert row["example_id"] == one.example_id and row["strategy"] == "margin"
        assert int(row["source_row"]) == table[one.example_id]["source_row"]
        assert float(row["mean_area"]) == table[one.example_id]["mean_area"]
    tasks = json.loads(LABEL_STUDIO.read_text(encoding="utf-8"))
    assert [task["data"]["example_id"] for task in tasks] == [row["example_id"] for row in rows]
    assert all(
        float(row["mean_area"]) == task["data"]["features"]["mean_area"]
        for row, task in zip(rows, tasks, strict=True)
    )
    page = PAGE.read_text(encoding="utf-8")
    assert all(row["example_id"] in page for row in rows)
    assert "://" not in page.replace("data:,", "")


def test_label_studio_is_set_up_for_the_data() -> None:
    images = TableInfo("zoo", "classification", ("cat", '"dog" & co'), image_shape=(1, 2, 2))
    view = ElementTree.fromstring(label_studio_setup(images))
    assert [each.get("value") for each in view.iter("Choice")] == ["cat", '"dog" & co']
    assert [each.get("value") for each in view.iter("Image")] == ["$image"]
    assert [each.get("hotkey") for each in view.iter("Choice")] == ["1", "2"]  # as on the page
    tables = TableInfo("zoo", "classification", ("0", "7"), features=("weight", "kind=wild cat"))
    view = ElementTree.fromstring(label_studio_setup(tables))
    (row,), (choices,) = view.iter("Table"), view.iter("Choices")
    assert row.get("value") == "$features" and choices.get("toName") == row.get("name")
    assert [each.get("hotkey") for each in view.iter("Choice")] == ["0", "7"]


def test_images_stand_in_the_files_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    info = TableInfo("zoo", "classification", ("cat", "dog"), image_shape=(1, 2, 2))
    raw = np.array([[[0, 8], [16, 4]]], np.uint8)
    write_request(Request(info, "margin", (Question("ab12", 7, "cat", 0.9, raw),)))
    (task,) = json.loads(LABEL_STUDIO.read_text(encoding="utf-8"))
    assert task["data"]["image"].startswith("data:image/png;base64,")
    assert task["data"]["image"] in PAGE.read_text(encoding="utf-8").replace("\\u003d", "=").replace(
        "\\u002b", "+"
    )


def test_regression_has_no_classes_to_ask_for(trained: Path) -> None:
    table = pq.read_table(POOL)
    info = TableInfo("houses", "regression", features=("rooms",))
    for part in POOL.glob("*.parquet"):
        pq.write_table(table.replace_schema_metadata(info.schema().metadata), part)
    with pytest.raises(SelfsameError, match="no classes for people to choose from"):
        request()
