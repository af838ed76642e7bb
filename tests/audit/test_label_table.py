"""Every label with who gave it, held against the tables."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
from project import Project
from states import write_answers
from typer.testing import CliRunner

from selfsame.cli import app

NAMES = ("malignant", "benign")


def test_every_label_has_who_gave_it(real_copy: Project, tmp_path: Path) -> None:
    labeled = pq.read_table("data/splits/labeled.parquet").select(["example_id", "label"]).to_pylist()
    write_answers(real_copy, 1)
    text = Path("data/annotations/labels.csv").read_text()
    asked = text.splitlines()[1].split(",")[0]
    Path("data/annotations/labels.csv").write_text(text.replace(asked, labeled[0]["example_id"]))
    target = tmp_path / "labels.csv"
    done = CliRunner().invoke(app, ["export", "labels", "-o", str(target)], catch_exceptions=False)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert done.stdout == f"wrote {target}, {len(rows)} labels\n"
    human = [row for row in rows if row["role"] == "labeled"]
    assert [row["example_id"] for row in human] == [row["example_id"] for row in labeled]
    assert [row["label"] for row in human] == [NAMES[row["label"]] for row in labeled]
    assert [row["labeled_by"] for row in human] == ["Ada", *["the source"] * (len(labeled) - 1)]
    assert (human[0]["strategy"], human[0]["labeled_at"]) == ("margin", "2026-01-01T00:00:00Z")
    machine = [row for row in rows if row["labeled_by"].startswith("model ")]
    decided = pq.read_table("data/pseudo_labels").to_pylist()
    assert [(row["example_id"], row["label"], row["labeled_by"], row["accepted"]) for row in machine] == [
        (row["example_id"], NAMES[row["pseudo_label"]], f"model {row['teacher']}", str(row["accepted"]))
        for row in decided
    ]
    by_role = {
        role: pq.read_table(f"data/splits/{role}.parquet").num_rows for role in ("validation", "holdout")
    }
    assert {role: sum(row["role"] == role for row in rows) for role in by_role} == by_role
