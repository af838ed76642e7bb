"""A table of one's own with a number to predict, through DVC, and what the command line says of it."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from project import Project
from regression import VALUES, true_values

STAGES = ("download", "split", "train_baseline", "pseudo_label", "retrain", "evaluate")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which ``dvc repro`` has run and is committed."""
    root = tmp_path_factory.mktemp("values") / "project"
    own = {
        "data": {
            "source": "table",
            "path": "data/inbox/own.csv",
            "target_column": "price",
            "target_kind": "regression",
        },
        "split": {"labels_per_class": 30, "validation_per_class": 40},
        "compute": {"device": "cpu", "cpu_threads": 1},
    }
    made = Project.create(root, VALUES | own)
    inputs = np.random.default_rng(0).normal(size=(250, 3))
    table = np.column_stack([inputs, true_values(inputs)])
    (root / "data/inbox").mkdir(parents=True, exist_ok=True)
    np.savetxt(root / "data/inbox/own.csv", table, "%.6f", delimiter=",", header="a,b,c,price", comments="")
    assert made.repro().ran == STAGES
    made.run("git", "add", "-A")
    made.run("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "Values")
    return made


def said(project: Project, *arguments: str) -> str:
    done = project.selfsame(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_runs_again(project: Project) -> None:
    assert project.repro().ran == ()


def test_the_summary_names_r2(project: Project) -> None:
    assert "R² on 62 holdout rows" in said(project, "summary")


def test_a_row_tells_its_spread_and_what_learned_from_it(project: Project) -> None:
    (part,) = (project.root / "data/pseudo_labels").glob("*.parquet")
    accepted = [row for row in pq.read_table(part).to_pylist() if row["accepted"]]
    story = said(project, "rows", accepted[0]["example_id"])
    assert "ensemble_std" in story and "confidence" not in story
    assert "models/student" in story and "trained on its machine label" in story


def test_the_audit_answers_for_values(project: Project) -> None:
    asked = project.selfsame("audit", "models/champion")
    assert asked.returncode == 5, asked.stdout  # it ran before anything was in a commit
    answers = asked.stdout
    assert "Values are not right or wrong, but off" in answers
    assert "A regression has no classes" in answers
    assert "R²" in answers


def test_plots_are_drawn(project: Project) -> None:
    """All but the two that speak of accuracy and of confidence, which values don't have."""
    drawn = json.loads(project.run("dvc", "plots", "show", "--json"))["data"]
    assert {name for name, plots in drawn.items() if not plots} == {"validation accuracy", "reliability"}
    assert drawn["confusion matrix"] and drawn["training loss"]


def test_a_tainted_row_is_followed(project: Project) -> None:
    table = pq.read_table(project.root / "data/splits/labeled.parquet")
    answer = said(project, "taint", table["example_id"][0].as_py())
    assert "models/student" in answer and "models/baseline" in answer
