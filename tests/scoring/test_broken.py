"""Fifty inputs that can't be predicted: one message each, an exit status, and nothing written."""

import gzip
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from champions import penguins
from PIL import Image

from selfsame import cli


def csv_text(rows: pa.Table) -> str:
    sink = io.BytesIO()
    pa_csv.write_csv(rows, sink)
    return sink.getvalue().decode()


GOOD = penguins(12, seed=5).drop_columns(["species"])
TEXT = csv_text(GOOD)
HEADER, *LINES = TEXT.splitlines()
IMAGES = np.zeros((5, 8, 8), np.uint8)


@dataclass(frozen=True)
class Broken:
    """One case: what makes the input in a folder and names it, the model, further words, what is said."""

    make: Callable[[Path], Path | str]
    says: str
    model: str = "penguins"
    words: tuple[str, ...] = ()
    output: str = "out.parquet"


def file(name: str, content: bytes | str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


def rows(table: pa.Table) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        pq.write_table(table, folder / "new.parquet")
        return folder / "new.parquet"

    return make


def replaced(name: str, values: object) -> pa.Table:
    return GOOD.set_column(GOOD.column_names.index(name), name, [values])


def arrays(**named: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "new.npz", **named)
        return folder / "new.npz"

    return make


def photo(name: str, size: tuple[int, int]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        Image.new("L", size).save(folder / name)
        return folder / name

    return make


def folder_of(*makers: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        place = folder / "inputs"
        place.mkdir()
        for each in makers:
            each(place)
        return place

    return make


def linked(folder: Path) -> Path:
    place = folder / "inputs"
    place.mkdir()
    (place / "gone.csv").symlink_to(folder / "nowhere")
    return place


def pickled(folder: Path) -> Path:
    path = folder / "new.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return path


def of_good(*names: str) -> str:
    return csv_text(GOOD.select(list(names)))


def idx(*shape: int, kind: int = 8, lacking: int = 0) -> bytes:
    head = bytes([0, 0, kind, len(shape)]) + np.array(shape, ">u4").tobytes()
    return head + bytes(int(np.prod(shape)) - lacking)


CASES = {
    "no such file": Broken(lambda folder: folder / "none.csv", r"none\.csv: no such file or folder"),
    "an empty folder": Broken(folder_of(), "inputs: an empty folder"),
    "a folder of hidden files": Broken(folder_of(file(".a.csv", TEXT)), "an empty folder"),
    "a link to nowhere": Broken(linked, "a link that leads nowhere"),
    "an empty file": Broken(file("new.csv", ""), "the file is empty"),
    "a header alone": Broken(file("new.csv", HEADER + "\n"), "no rows below the header"),
    "no header": Broken(file("new.csv", "\n".join(LINES)), "lacks the columns|a header is expected"),
    "a missing column": Broken(
        file("new.csv", of_good("id", "island", "bill_mm", "banded")), "column 'mass_g'"
    ),
    "two missing columns": Broken(file("new.csv", of_good("id", "island", "banded")), "'bill_mm', 'mass_g'"),
    "a misspelt column": Broken(file("new.csv", TEXT.replace("mass_g", "mass_gr")), "may be 'mass_gr'"),
    "a column twice": Broken(
        file("new.csv", TEXT.replace("id", "mass_g")), "two columns are called 'mass_g'"
    ),
    "a ragged row": Broken(file("new.csv", TEXT + "p9,Dream\n"), "line 14 has 2"),
    "an open quotation mark": Broken(file("new.csv", TEXT + '"p9,"Dream,1,2,true\n'), r"new\.csv"),
    "a word for a number": Broken(
        file("new.csv", TEXT.replace(LINES[4].split(",")[3], "heavy")), "'heavy' in row"
    ),
    "a decimal comma": Broken(file("new.csv", TEXT + '"p9","Dream","40,5",3000,true\n'), "'40,5' in row 12"),
    "a unit": Broken(file("new.csv", TEXT + '"p9","Dream",40,3000 g,true\n'), "'3000 g' in row 12"),
    "a truth that is none": Broken(
        file("new.csv", TEXT + '"p9","Dream",40,3000,maybe\n'), "'maybe' in row 12"
    ),
    "infinity": Broken(file("new.csv", TEXT + '"p9","Dream",inf,3000,true\n'), "infinite in row 12"),
    "Latin-1": Broken(file("new.csv", TEXT.replace("Dream", "Dräm").encode("latin-1")), "0xe4"),
    "UTF-16 without a mark": Broken(file("new.csv", TEXT.encode("utf-16-le")), "zero bytes|utf|UTF"),
    "zeros": Broken(file("new.csv", bytes(500)), r"new\.csv"),
    "Parquet called CSV": Broken(lambda f: rows(GOOD)(f).rename(f / "new.csv"), "it is a Parquet file"),
    "CSV called Parquet": Broken(file("new.parquet", TEXT), "can't be read|begin"),
    "a cut Parquet file": Broken(
        lambda f: file("cut.parquet", rows(GOOD)(f).read_bytes()[:400])(f), r"cut\.parquet: can't be read"
    ),
    "an empty Parquet file": Broken(rows(GOOD[:0]), "no rows"),
    "Parquet with text for numbers": Broken(
        rows(replaced("mass_g", ["x"] * 12)), "'mass_g' has 'x' in row 0"
    ),
    "Parquet with lists": Broken(rows(replaced("mass_g", [[1]] * 12)), "'mass_g'"),
    "Parquet with an infinite value": Broken(rows(replaced("bill_mm", [np.inf] * 12)), "infinite in row 0"),
    "a cut gzip file": Broken(file("new.csv.gz", gzip.compress(TEXT.encode())[:60]), r"new\.csv\.gz"),
    "no gzip file": Broken(file("new.csv.gz", TEXT), r"new\.csv\.gz"),
    "an Excel file": Broken(file("new.xlsx", b"PK\x03\x04"), r"new\.xlsx"),
    "a photo for a table": Broken(photo("new.png", (8, 8)), "takes tables"),
    "a text file among tables": Broken(
        folder_of(file("a.csv", TEXT), file("notes.md", "read me")), r"notes\.md: the model takes tables"
    ),
    "one of two parts lacks a column": Broken(
        folder_of(file("a.csv", TEXT), file("b.csv", of_good("id", "mass_g"))),
        r"b\.csv: it lacks the columns",
    ),
    "parts of other columns, kept": Broken(
        folder_of(file("a.csv", TEXT), file("b.csv", TEXT.replace('"id"', '"name"'))),
        "different columns",
        "penguins",
        ("--keep",),
    ),
    "a kept column of our name": Broken(
        file("new.csv", TEXT.replace('"id"', '"row"')), "a column 'row'", words=("--keep",)
    ),
    "examples of other data": Broken(lambda _: "digits:holdout", "not those of the model"),
    "an array of too few features": Broken(arrays(x=np.zeros((3, 2))), "fit the model"),
    "an array for columns of text": Broken(arrays(x=np.zeros((3, 6))), "'island'"),
    "two arrays": Broken(arrays(a=IMAGES, b=IMAGES), "2 of its arrays fit", "digits"),
    "no npz file": Broken(file("new.npz", "zip"), r"new\.npz: can't be read", "digits"),
    "a pickled array": Broken(pickled, "Python objects", "digits"),
    "a cut array": Broken(
        lambda f: file("cut.npy", array_bytes(IMAGES)[:200])(f), "ends 5 rows too early", "digits"
    ),
    "images of another size": Broken(
        arrays(x=np.zeros((3, 9, 9), np.uint8)), "0 of its arrays fit", "digits"
    ),
    "scaled images": Broken(arrays(x=IMAGES + 0.5), "whole numbers from 0 to 255", "digits"),
    "negative pixels": Broken(arrays(x=IMAGES.astype(int) - 1), "whole numbers from 0 to 255", "digits"),
    "an idx file of labels": Broken(file("a-idx1-ubyte", idx(7)), "an array of uint8", "digits"),
    "an idx file of floats": Broken(file("a-idx3-ubyte", idx(2, 8, 8, kind=13)), "no idx file", "digits"),
    "a cut idx file": Broken(file("a-idx3-ubyte", idx(2, 8, 8, lacking=3)), "2 rows too early", "digits"),
    "an empty idx file": Broken(file("a-idx3-ubyte", b""), "no idx file", "digits"),
    "a grey photo of another size": Broken(photo("new.png", (28, 28)), "28×28 pixels", "digits"),
    "a table for images": Broken(file("new.csv", TEXT), "takes images of 8×8 pixels", "digits"),
    "text called photo": Broken(file("new.png", "text"), "can't be read as an image", "photos"),
    "a cut photo": Broken(
        lambda f: cut(photo("new.png", (50, 50))(f)), "can't be read as an image", "photos"
    ),
    "an empty photo": Broken(file("new.jpg", b""), "can't be read as an image", "photos"),
    "text among photos": Broken(
        folder_of(photo("a.png", (9, 9)), file("b.txt", "hello\nyou\n")), "takes images", "photos"
    ),
    "no threshold": Broken(file("new.csv", TEXT), "a threshold of 1.5", words=("--threshold", "1.5")),
    "a threshold for values": Broken(
        lambda _: "housing:holdout", "no threshold", "housing", ("--threshold", "0.5")
    ),
    "probabilities of values": Broken(
        lambda _: "housing:holdout", "no probab", "housing", ("--probabilities",)
    ),
    "an unknown level": Broken(
        lambda _: "housing:holdout", "no interval of level 0.77", "housing", ("--level", "0.77")
    ),
    "an unknown form": Broken(file("new.csv", TEXT), "no form is known", output="out.xlsx"),
    "no such folder": Broken(file("new.csv", TEXT), "is no folder", output="none/out.csv"),
    "a folder as output": Broken(folder_of(file("a.csv", TEXT)), "a folder|no form", output="inputs"),
    "onto the input": Broken(file("new.csv", TEXT), "is to be predicted", output="new.csv"),
    "into the input": Broken(folder_of(file("a.csv", TEXT)), "is to be predicted", output="inputs/out.csv"),
    "no such model": Broken(file("new.csv", TEXT), "no model there", words=("--model", "nowhere")),
    "a file as model": Broken(file("new.csv", TEXT), "no model there", words=("--model", "new.csv")),
    "no such device": Broken(file("new.csv", TEXT), "no such device", words=("--device", "tpu")),
    "no threads": Broken(file("new.csv", TEXT), "threads = 0", words=("--threads", "0")),
}


def array_bytes(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:60])
    return path


def test_there_are_fifty() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_broken_input_is_one_message_and_writes_nothing(
    case: Broken,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    trained = request.getfixturevalue(f"{case.model}_trained")
    place = case.make(tmp_path)
    if isinstance(place, str):
        kind, _, role = place.partition(":")
        place = request.getfixturevalue(f"{kind}_trained").table(role)
    monkeypatch.chdir(tmp_path)
    words = case.words if "--model" in case.words else ("--model", str(trained.champion), *case.words)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if not path.is_symlink()}
    monkeypatch.setattr(sys, "argv", ["selfsame", "predict", str(place), "-o", case.output, *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    message = str(ended.value.code)
    what, _, fix = message.removeprefix("error: ").partition("\n  fix: ")
    assert message.startswith("error: ") and what and fix and "\n" not in what + fix, message

    assert re.search(case.says, what) or re.search(case.says, fix), message
    said = capfd.readouterr()
    assert said.out == "" and "Traceback" not in said.err
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if not path.is_symlink()}
    assert after == before
