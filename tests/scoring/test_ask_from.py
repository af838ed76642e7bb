"""Feedback: rows that a scoring abstained from are labeled, enter the data, and are learned."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import Command, Trained, penguins
from project import ROOT, run_task
from ruamel.yaml import YAML
from test_score import score

from selfsame.core.annotations import ANNOTATIONS, read_annotations
from selfsame.core.layout import TO_SCORE

DATA = {"source": "table", "target_column": "species", "ignore_columns": ["id"], "path": "data/inbox"}


@pytest.fixture
def project(penguins_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project that trained the champion, where every row is abstained from."""
    copy = Path(shutil.copytree(penguins_trained.folder, tmp_path / "project"))
    monkeypatch.chdir(copy)
    shutil.copyfile(ROOT / "dvc.yaml", "dvc.yaml")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["data"] = DATA
    params["model"] = {"architecture": "mlp"}
    params["training"]["augmentation"] = {"name": "table"}
    params["retrain"]["strong_augmentation"] = {"name": "table"}
    params["active_learning"] = {"rows": 12}
    params.pop("feedback", None)
    yaml.dump(params, Path("params.yaml"))
    Path(".dvc").mkdir()
    TO_SCORE.mkdir(parents=True)
    return copy


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
    judges = {
        role: pq.read_table(f"data/splits/{role}.parquet")["example_id"] for role in ("validation", "holdout")
    }
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

    for stage in ("download", "split"):
        for out in ("data/raw", "data/splits") if stage == "download" else ():
            shutil.rmtree(out)
        run_task(stage, project, data=DATA)
    labeled = pq.read_table("data/splits/labeled.parquet")
    assert set(labeled["example_id"].to_pylist()) == {*before, *truth}
    for role, ids in judges.items():
        assert pq.read_table(f"data/splits/{role}.parquet")["example_id"].equals(ids), role
    names = ["Adelie", "Chinstrap", "Gentoo"]
    learned = dict(zip(labeled["example_id"].to_pylist(), labeled["label"].to_pylist(), strict=True))
    assert {name: names[learned[name]] for name in truth} == truth

    selfsame("ask", "--from", made.folder)
    assert not {row["example_id"] for row in pa_csv.read_csv("data/annotations/request.csv").to_pylist()} & {
        *truth
    }


def test_what_cannot_be_asked_for_is_said(project: Path, selfsame: Command) -> None:
    pa_csv.write_csv(penguins(9, seed=3).drop_columns(["species"]), TO_SCORE / "new.csv")
    made = score()
    assert made is not None
    assert "data/nowhere: no scoring" in selfsame("ask", "--from", "data/nowhere", status=1)
    (TO_SCORE / "new.csv").write_text("gone")
    said = selfsame("ask", "--from", made.folder, status=1)
    assert "data/to_score/new.csv: not the file that was scored" in said
