"""``selfsame score``: each file once, by its content, whatever happens on the way."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import Command, Trained, penguins
from project import ROOT

from selfsame.audit.lineage import read_lineage
from selfsame.audit.uses import uses_of
from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION, SCORED, TO_SCORE
from selfsame.observe.notes import take_notes
from selfsame.observe.record import Recorder
from selfsame.scoring import parts
from selfsame.scoring.columns import Wish
from selfsame.scoring.score import Scoring, score_new, scorings


def enter(trained: Trained, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a project of a champion alone, and step into it."""
    monkeypatch.chdir(folder)
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, name)
    shutil.copytree(trained.champion, CHAMPION)
    TO_SCORE.mkdir(parents=True)


@pytest.fixture
def project(penguins_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    enter(penguins_trained, tmp_path, monkeypatch)
    return tmp_path


def put(name: str, rows: int, seed: int) -> Path:
    path = TO_SCORE / name
    path.parent.mkdir(exist_ok=True)
    pa_csv.write_csv(penguins(rows, seed).drop_columns(["species"]), path)
    return path


def score() -> Scoring | None:
    return score_new(Wish(), "cpu", 1)


def score_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Recorder) -> None:
        raise OSError("full")

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "finish", fail)
        with pytest.raises(OSError, match="full"):
            score()


def scored_rows() -> list[tuple[str, int]]:
    """File and number of every row of every scoring that is whole."""
    tables = [pq.read_table(folder / "predictions") for folder in scorings()]
    return [
        pair
        for table in tables
        for pair in zip(table["file"].to_pylist(), table["row"].to_pylist(), strict=True)
    ]


def test_each_file_is_scored_once_by_its_content(project: Path, selfsame: Command) -> None:
    first, second = put("a.csv", 30, 1), put("deep/b.csv", 20, 2)
    shutil.copyfile(first, TO_SCORE / "c.csv")
    selfsame("score")
    assert b"50 rows of 2 files scored: data/scored/" in selfsame.out
    assert b"with the content of another file: data/to_score/c.csv" in selfsame.out
    expected = [*(("a.csv", row) for row in range(30)), *(("deep/b.csv", row) for row in range(20))]
    assert sorted(scored_rows()) == expected
    second.rename(TO_SCORE / "renamed.csv")
    selfsame("score")
    assert selfsame.out == b"nothing new in data/to_score\n"
    shutil.rmtree(scorings()[0])  # taken away: the records still know it
    selfsame("score", "--json")
    assert json.loads(selfsame.out) is None
    put("d.csv", 7, 4)
    selfsame("score", "--json")
    assert json.loads(selfsame.out)["rows"] == 7
    assert sorted(scored_rows()) == [("d.csv", row) for row in range(7)]


def test_a_scoring_says_what_predict_says(project: Path, penguins_trained: Trained) -> None:
    path = put("a.csv", 40, 1)
    made = score()
    assert made is not None
    (table,) = [pq.read_table(file) for file in (made.folder / "predictions").iterdir()]
    model = penguins_trained.model
    np.testing.assert_array_equal(table["confidence"].to_numpy(), model.predict_proba(path).max(axis=1))
    assert made.abstained == sum(table["abstained"].to_pylist()) and made.rows == 40


def test_a_record_names_inputs_model_and_outputs_by_digest(project: Path) -> None:
    take_notes()  # of the stages that trained the model in this process
    path = put("a.csv", 40, 1)
    made = score()
    assert made is not None
    records, problems = read_lineage()
    (use,) = uses_of(records, [sha256_file(CHAMPION / "model.safetensors")])
    assert problems == [] and uses_of(records, ["0" * 64]) == []
    assert use.inputs == {path.as_posix(): sha256_file(path)} and use.scored == made.folder.as_posix()
    assert use.outputs == {
        file.as_posix(): sha256_file(file) for file in made.folder.rglob("*") if file.is_file()
    }
    noted = json.loads(Path(use.record).read_text())["predicate"]["buildDefinition"]["internalParameters"]
    assert noted["notes"] == [
        {"scored": {"rows": 40, "abstained": 40, "threshold": made.threshold, "drift": made.alarms}}
    ]


@pytest.mark.parametrize("rows_before", [0, 5, 35])
def test_a_killed_scoring_leaves_no_half_output_and_is_taken_up(
    project: Path, rows_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(f"{number}.csv", 10, number)
    seen = 0

    def die(self: object, inputs: np.ndarray, made: object) -> None:
        nonlocal seen
        seen += len(inputs)
        if seen > rows_before:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(parts._Tally, "add", die)
        with pytest.raises(KeyboardInterrupt):
            score()
    assert scorings() == [] and read_lineage() == ([], [])
    kept = {path: path.stat().st_mtime_ns for path in SCORED.rglob("*.parquet") if path.name[0] != "."}
    assert len(kept) == rows_before // 10
    made = score()
    assert made is not None and made.rows == 40
    assert sorted(scored_rows()) == [(f"{number}.csv", row) for number in range(4) for row in range(10)]
    again = {path.name: path.stat().st_mtime_ns for path in made.folder.rglob("*.parquet")}
    assert {path.name: time for path, time in kept.items()}.items() <= again.items()
    assert [path.name for path in SCORED.iterdir() if path.name[0] == "."] == [".lock"]


def test_without_its_record_a_scoring_is_not_whole(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a.csv", 10, 1)
    score_on_a_full_disk(monkeypatch)
    assert scorings() == []
    made = score()
    assert made is not None and len(scored_rows()) == 10
    shutil.rmtree("lineage")  # as if killed between the two
    again = score()
    assert again is not None and len(scored_rows()) == 10 and len(read_lineage()[0]) == 1


def test_what_another_model_left_is_made_anew(
    project: Path, penguins_trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.csv", 10, 1)
    score_on_a_full_disk(monkeypatch)
    (left,) = SCORED.glob(".partial-*")
    calibration = json.loads((CHAMPION / "calibration.json").read_text())
    (CHAMPION / "calibration.json").write_text(json.dumps(calibration | {"threshold": 0.99}))
    made = score()
    assert made is not None and made.threshold == 0.99 and not left.exists()


def test_a_champion_that_is_replaced_meanwhile_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.csv", 10, 1)

    def replace(self: object, inputs: np.ndarray, made: object) -> None:
        (CHAMPION / "calibration.json").write_text("{}")

    monkeypatch.setattr(parts._Tally, "add", replace)
    with pytest.raises(SelfsameError, match=r"calibration\.json: changed while it was used for scoring"):
        score()
    assert scorings() == [] and read_lineage() == ([], [])


def test_a_file_that_cannot_be_scored_stops_no_other(project: Path, selfsame: Command) -> None:
    put("a.csv", 10, 1)
    (TO_SCORE / "broken.csv").write_text("island,bill_mm\nDream,1\n")
    said = selfsame("score", status=1)
    assert "data/to_score/broken.csv: it lacks the columns 'banded', 'mass_g'" in said
    assert len(scored_rows()) == 10
    assert "broken.csv" in selfsame("score", status=1), "it is tried again"
    put("broken.csv", 5, 3)
    selfsame("score")
    assert len(scored_rows()) == 15


def test_photos_are_scored_together(
    photos_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(photos_trained, tmp_path, monkeypatch)
    source = sorted((photos_trained.folder / "data/inbox").rglob("*.png"))
    for path in source[:5]:
        shutil.copyfile(path, TO_SCORE / path.name)
    made = score()
    assert made is not None and made.rows == 5 and len(list((made.folder / "predictions").iterdir())) == 1
    shutil.copyfile(source[30], TO_SCORE / "new.png")
    made = score()
    assert made is not None and list(made.inputs) == ["data/to_score/new.png"]


def test_one_scoring_at_a_time_and_a_place_to_take_from(project: Path) -> None:
    from selfsame.processes import lock

    SCORED.mkdir()
    with (SCORED / ".lock").open("a") as file:
        lock(file)
        with pytest.raises(SelfsameError, match="another scoring is under way"):
            score()
    TO_SCORE.rmdir()
    with pytest.raises(SelfsameError, match="data/to_score: no such folder"):
        score()
