"""Every label with who gave it, held against the tables."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from project import Project
from real_project import execute
from typer.testing import CliRunner

from selfsame.audit.rows import describe_row
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.trust import _drawn
from selfsame.cli import app
from selfsame.core.annotations import ANNOTATIONS, DOUBTED, Annotation, format_annotations
from selfsame.params.split import SplitParams

NAMES = ("malignant", "benign")


def table(path: str) -> list[dict[str, object]]:
    return pq.read_table(path, columns=["example_id", "label"]).to_pylist()


def written(target: Path) -> list[dict[str, str]]:
    done = CliRunner().invoke(app, ["export", "labels", "-o", str(target)], catch_exceptions=False)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert done.stdout == f"wrote {target}, {len(rows)} labels\n"
    return rows


def test_every_label_has_who_gave_it(real_copy: Project, tmp_path: Path) -> None:
    """Answers go before the source's labels, but not in the holdout; and only once they were read."""
    before = {role: table(f"data/splits/{role}.parquet") for role in ("labeled", "validation", "holdout")}
    asked = table("data/splits/pool")[0]["example_id"]
    chosen = {role: str(rows[0]["example_id"]) for role, rows in before.items()} | {"pool": str(asked)}
    strategies = {"pool": "margin", "labeled": DOUBTED, "validation": DOUBTED, "holdout": "by hand"}
    answers = [
        Annotation(chosen[role], NAMES[0], "Ada", "2026-01-01T00:00:00Z", strategy)
        for role, strategy in strategies.items()
    ]
    (real_copy.root / ANNOTATIONS).write_text(format_annotations(answers))
    assert {row["labeled_by"] for row in written(tmp_path / "a.csv") if row["role"] != "pool"} == {
        "the source"
    }

    execute(real_copy, ["split"], "split")
    rows = {row["example_id"]: row for row in written(tmp_path / "b.csv") if row["role"] != "pool"}
    for role, name in (("labeled", "labeled"), ("validation", "validation"), ("pool", "labeled")):
        row = rows[chosen[role]]
        assert (row["role"], row["labeled_by"], row["label"]) == (name, "Ada", NAMES[0])
        assert row["strategy"] == strategies[role] and row["labeled_at"] == "2026-01-01T00:00:00Z"
        assert describe_row(Snapshot(), chosen[role])["labeled_by"].startswith("human: Ada at 2026")
    assert rows[chosen["holdout"]]["labeled_by"] == "the source"
    assert rows[chosen["holdout"]]["label"] == NAMES[int(str(before["holdout"][0]["label"]))]
    assert (
        describe_row(Snapshot(), chosen["holdout"])["labeled_by"] == "human: the label came with the source"
    )
    for role in before:
        now = table(f"data/splits/{role}.parquet")
        told = [row for row in rows.values() if row["role"] == role]
        assert [(row["example_id"], row["label"]) for row in told] == [
            (row["example_id"], NAMES[int(str(row["label"]))]) for row in now
        ]
    audit = CliRunner().invoke(app, ["audit", "data/splits", "--json"], catch_exceptions=False)
    drawn = json.loads(audit.stdout)["questions"][12]["answer"]
    assert drawn.startswith(
        "In part: 1 rows were labeled on request, chosen by margin (1): they are no random"
    )
    assert "People gave 3 labels (Ada (3))" in drawn and "2 of them correct one that came with" in drawn


def test_every_machine_label_has_its_teacher(real: Project, tmp_path: Path) -> None:
    machine = [row for row in written(tmp_path / "labels.csv") if row["labeled_by"].startswith("model ")]
    decided = pq.read_table("data/pseudo_labels").to_pylist()
    assert [(row["example_id"], row["label"], row["labeled_by"], row["accepted"]) for row in machine] == [
        (row["example_id"], NAMES[row["pseudo_label"]], f"model {row['teacher']}", str(row["accepted"]))
        for row in decided
    ]


@pytest.mark.parametrize(
    ("section", "within", "words"),
    [
        (
            {},
            " within each class",
            "drawn at random within each class, with seed 0; 0 examples were withdrawn.",
        ),
        ({"exclude": ["a"]}, "", "drawn at random, with seed 0; 1 examples were withdrawn."),
        ({"group_column": "patient"}, " within each class", "all rows of one patient together, with seed 0"),
        ({"time_column": "day"}, "", "holdout and validation are the latest labeled rows by day"),
        ({"holdout_fraction": None}, " within each class", "but holdout rows are the source's own"),
        (
            {"holdout_fraction": None, "validation_per_class": None},
            " within each class",
            "but holdout and validation rows are the source's own",
        ),
        (
            {"erased": {"yes": {"pool": 2}, "no": {"holdout": 1}}},
            " within each class",
            "withdrawn, 3 erased.",
        ),
    ],
)
def test_how_rows_got_their_roles_is_said(section: dict[str, object], within: str, words: str) -> None:
    assert words in _drawn(SplitParams.model_validate(section).model_dump(), within)
