"""The simulated annotator's curves: made by the real stages, read fairly, and told as they were made."""

import csv
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from project import ROOT, TINY, run_task


@pytest.fixture
def curves(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    import active_learning

    return active_learning


@pytest.fixture
def page(curves: ModuleType) -> ModuleType:
    return sys.modules["active_learning_page"]


def test_a_curve_is_made_round_by_round(
    curves: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_task("download", tmp_path)
    folder = tmp_path / "curve"
    folder.mkdir()
    monkeypatch.chdir(folder)
    changes = {name: TINY[name] for name in ("split", "model")}
    changes["training"] = {"batch_size": 16, **curves.PLAIN}
    setup = curves.SetUp("tiny", (20, 26, 40), (44,), (26,), ("random", "margin"), 4, None, changes)
    made = list(curves.learn(setup, tmp_path / "data/raw/examples", curves.STRATEGIES["margin"], 3))
    assert [labels for labels, _ in made] == [20, 26, 40]  # 44 is random's alone
    assert all(0 < accuracy <= 1 for _, accuracy in made)
    with Path("data/annotations/labels.csv").open(encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 20 and {row["strategy"] for row in answers} == {"margin"}
    table = pq.read_table(tmp_path / "data/raw/examples").to_pydict()
    truth = dict(zip(table["example_id"], table["label"], strict=True))
    assert [("malignant", "benign")[truth[row["example_id"]]] for row in answers] == [
        row["label"] for row in answers
    ]


def test_labels_needed_lie_between_two_rounds(page: ModuleType) -> None:
    labels = np.array([10, 20, 30, 40])
    assert page.labels_needed(labels, np.array([0.5, 0.7, 0.8, 0.9]), 0.75) == pytest.approx(25)
    assert page.labels_needed(labels, np.array([0.5, 0.7, 0.8, 0.9]), 0.4) == 10
    assert page.labels_needed(labels, np.array([0.5, 0.7, 0.8, 0.9]), 0.95) is None


def test_one_lucky_round_does_not_count(page: ModuleType) -> None:
    labels = np.array([10, 20, 30, 40])
    lucky = np.array([0.5, 0.9, 0.7, 0.9])  # the second and third are 0.8 together
    assert page.labels_needed(labels, lucky, 0.85) == pytest.approx(35)


def test_the_table_tells_what_is_saved_and_what_is_not(page: ModuleType, tmp_path: Path) -> None:
    made = {
        "random": [[0.5, 0.7, 0.8], [0.5, 0.6, 0.8]],
        "good": [[0.5, 0.8, 0.9], [0.5, 0.8, 0.9]],
        "bad": [[0.5, 0.55, 0.8], [0.5, 0.55, 0.6]],
    }
    lines = [
        f"{name},{draw},{labels},{accuracy}"
        for name, draws in made.items()
        for draw, curve in enumerate(draws)
        for labels, accuracy in zip((10, 20, 30), curve, strict=True)
    ]
    path = tmp_path / "curves.csv"
    path.write_text("\n".join(["strategy,draw,labels,accuracy", *lines]), encoding="utf-8")
    table = page.write_table(page.read_curves(path), goals=(20,)).splitlines()
    assert table[0] == "| strategy | draws | labels to 0.650 |"
    assert table[2:] == [
        "| random | 2 | 20 ± 4 |",  # 17.5 and 22.5
        "| good | 2 | 15 ± 0 (saves 25%) |",
        "| bad | 2 | reached in 1 of 2 draws |",
    ]


def test_the_page_tells_the_curves_that_were_made(
    curves: ModuleType, page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that was not written anew, or a table that was changed by hand, would fail here."""
    text = curves.PAGE.read_text(encoding="utf-8")
    copy = tmp_path / "page.md"
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(curves, "PAGE", copy)
    monkeypatch.setattr(curves, "FIGURE", tmp_path / curves.FIGURE.name)
    curves.write_page()
    assert copy.read_text(encoding="utf-8") == text
