"""Feedback: rows that a scoring abstained from are labeled, enter the data, and are learned."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import Command, Trained, penguins
from PIL import Image
from project import ROOT, run_task
from ruamel.yaml import YAML
from test_score import score

from selfsame.core.annotations import ANNOTATIONS, read_annotations
from selfsame.core.layout import TO_SCORE
from selfsame.core.tables import TableInfo, example_ids
from selfsame.scoring.columns import Wish
from selfsame.scoring.score import score_new

DATA = {"source": "table", "target_column": "species", "ignore_columns": ["id"], "path": "data/inbox"}


def enter(trained: Trained, folder: Path, data: dict[str, Any], kind: str) -> Path:
    """Go to a copy of the project that trained a champion."""
    copy = Path(shutil.copytree(trained.folder, folder / "project"))
    shutil.copyfile(ROOT / "dvc.yaml", copy / "dvc.yaml")
    os.chdir(copy)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["data"] = data
    params["model"] = {"architecture": "mlp" if kind == "table" else "cnn"}
    params["training"]["augmentation"] = {"name": kind}
    params["retrain"]["strong_augmentation"] = {"name": kind}
    params["active_learning"] = {"rows": 12}
    params.pop("feedback", None)
    yaml.dump(params, Path("params.yaml"))
    Path(".dvc").mkdir()
    TO_SCORE.mkdir(parents=True)
    return copy


@pytest.fixture
def project(penguins_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a copy, where every row is abstained from."""
    monkeypatch.chdir(tmp_path)  # and back, in the end
    return enter(penguins_trained, tmp_path, DATA, "table")


def split_anew(project: Path, **changes: dict[str, Any]) -> dict[str, str]:
    """Run the stages that read data and labels; return the label of every labeled row."""
    for stage in ("download", "split"):
        shutil.rmtree("data/raw" if stage == "download" else "data/splits")
        run_task(stage, project, **changes)
    labeled = pq.read_table("data/splits/labeled.parquet")
    names = TableInfo.of(Path("data/splits/labeled.parquet")).classes
    labels = [names[label] for label in labeled["label"].to_pylist()]
    return dict(zip(labeled["example_id"].to_pylist(), labels, strict=True))


def roles() -> dict[str, pa.ChunkedArray]:
    """The ids of the rows that judge."""
    return {
        role: pq.read_table(f"data/splits/{role}.parquet")["example_id"] for role in ("validation", "holdout")
    }


def test_abstained_rows_are_labeled_and_learned(project: Path, selfsame: Command) -> None:
    rows = penguins(60, seed=21)
    island = pa.array(["Mars"] * 5 + rows["island"].to_pylist()[5:])
    new = rows.set_column(1, "island", island)
    pa_csv.write_csv(new.drop_columns(["species"]), TO_SCORE / "new.csv")
    made = score()
    assert made is not None and made.abstained == 60
    selfsame("ask", "--from", made.folder)
    assert b"5 rows have a value that the training never had" in selfsame.out
    assert b"12 rows to label, chosen by abstained" in selfsame.out
    asked = pa_csv.read_csv("data/annotations/request.csv").to_pylist()
    scored = pq.read_table(made.folder / "predictions").sort_by("confidence").to_pylist()
    least = [row["row"] for row in scored if row["row"] >= 5][:12]
    assert [row["source_row"] for row in asked] == least

    before = pq.read_table("data/splits/labeled.parquet")["example_id"].to_pylist()
    judges = roles()
    truth = {row["example_id"]: rows["species"][row["source_row"]].as_py() for row in asked[:7]}
    lines = "".join(f"{name},{label}\n" for name, label in truth.items())
    Path("answers.csv").write_text(f"example_id,label\n{lines}")
    selfsame("answer", "answers.csv", "--annotator", "Ada")
    assert b"7 labels added" in selfsame.out
    given = read_annotations(ANNOTATIONS)
    assert {one.strategy for one in given.values()} == {"abstained"} and given.keys() == truth.keys()
    (brought,) = Path("data/inbox").glob("asked-*.parquet")
    assert pq.read_table(brought).num_rows == 7
    selfsame("answer", "answers.csv", "--annotator", "Ada")
    assert len(list(Path("data/inbox").iterdir())) == 2, "the same again brings nothing"

    learned = split_anew(project, data=DATA)
    assert learned.keys() == {*before, *truth} and {name: learned[name] for name in truth} == truth
    assert roles() == judges

    selfsame("ask", "--from", made.folder)
    assert not {row["example_id"] for row in pa_csv.read_csv("data/annotations/request.csv").to_pylist()} & {
        *truth
    }


def test_photos_too(
    photos_trained: Trained, tmp_path: Path, selfsame: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = {"source": "images", "image_size": 8, "path": "data/inbox"}
    split = {"labels_per_class": 6, "validation_per_class": 6, "near_copies": "allow"}
    project = enter(photos_trained, tmp_path, data, "image")
    random = np.random.default_rng(7)
    for number in range(8):
        shade = 60 if number % 2 else 190
        pixels = np.clip(random.normal(shade, 20, (20, 14, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(TO_SCORE / f"{shade}-{number}.png")
    made = score_new(Wish(threshold=1.0), "cpu", 1)
    assert made is not None and made.abstained == 8
    selfsame("ask", "--from", made.folder)
    assert b"8 rows to label, chosen by abstained" in selfsame.out
    assert Path("data/annotations/request.html").read_text(encoding="utf-8").count("data:image/png") == 8
    asked = pa_csv.read_csv("data/annotations/request.csv")["example_id"].to_pylist()
    model = photos_trained.model
    paths = {example_ids(model.preparation.of_image(path, "")[None])[0]: path for path in TO_SCORE.iterdir()}
    assert sorted(asked) == sorted(paths)
    truth = {name: "dark" if paths[name].name.startswith("60") else "light" for name in asked[:5]}
    lines = "".join(f"{name},{label}\n" for name, label in truth.items())
    Path("answers.csv").write_text(f"example_id,label\n{lines}")
    before, judges = pq.read_table("data/splits/labeled.parquet")["example_id"].to_pylist(), roles()
    selfsame("answer", "answers.csv", "--annotator", "Ada")
    brought = sorted(Path("data/inbox/unlabeled").iterdir())
    assert [path.stem for path in brought] == sorted(truth)
    assert [path.read_bytes() for path in brought] == [paths[path.stem].read_bytes() for path in brought]
    learned = split_anew(project, data=data, split=split)
    assert learned.keys() == {*before, *truth} and {name: learned[name] for name in truth} == truth
    assert roles() == judges


def test_what_cannot_be_asked_for_is_said(project: Path, selfsame: Command) -> None:
    pa_csv.write_csv(penguins(9, seed=3).drop_columns(["species"]), TO_SCORE / "new.csv")
    made = score()
    assert made is not None
    assert "data/nowhere: no scoring" in selfsame("ask", "--from", "data/nowhere", status=1)
    (TO_SCORE / "new.csv").write_text("gone")
    said = selfsame("ask", "--from", made.folder, status=1)
    assert "data/to_score/new.csv: not the file that was scored" in said
