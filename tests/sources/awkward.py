"""Awkward tables as people have them, made here: what is written, what is set, and the right outcome."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook

ROWS = 60
LABELED = 24  # of the ROWS, half of each class
Write = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        write: puts files into a folder.
        said: words of the refusal; none if it is to be read.
        labels: how many labels it gives, if it is to be read.
        features: of the table, if it is to be read and they matter.
        data, split: keys that differ from the defaults.
        noted: words of what is said of it though it is read.
    """

    write: Write
    said: tuple[str, ...] = ()
    labels: int = LABELED
    features: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    split: Mapping[str, Any] = field(default_factory=dict)
    noted: tuple[str, ...] = ()


def columns(rows: int = ROWS, labeled: int = LABELED, **changes: Any) -> dict[str, list[Any]]:
    """Return a table's columns: numbers a and b, a colour, and the target y; each can be another."""
    random = np.random.default_rng(0)
    made: dict[str, list[Any]] = {
        "a": [round(float(x), 2) for x in random.normal(0, 5, rows)],
        "b": [round(float(x), 3) for x in random.normal(0, 5, rows)],
        "colour": [("red", "green", "blue")[row % 3] for row in range(rows)],
        "y": [("cat", "dog")[row % 2] if row < labeled else "" for row in range(rows)],
    }
    for name, change in changes.items():
        if change is None:
            del made[name]
        else:
            made[name] = (
                [change(each) for each in made.get(name, range(rows))] if callable(change) else change
            )
    return made


def text(made: Mapping[str, list[Any]], separator: str = ",", end: str = "\n", head: bool = True) -> str:
    """Return a table as CSV; a value that holds the separator or a line's end is quoted."""

    def quoted(value: Any) -> str:
        word = "" if value is None else str(value)
        return (
            '"' + word.replace('"', '""') + '"'
            if any(each in word for each in (separator, '"', "\n"))
            else word
        )

    lines = ([list(made)] if head else []) + [list(row) for row in zip(*made.values(), strict=True)]
    return "".join(separator.join(map(quoted, line)) + end for line in lines)


def csv(content: str | bytes, name: str = "t.csv", encoding: str = "utf-8") -> Write:
    """Return what writes one file."""

    def write(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)

    return write


def files(**contents: str) -> Write:
    """Return what writes several CSV files, each below the place that its name says (``__`` for ``/``)."""

    def write(folder: Path) -> None:
        for name, content in contents.items():
            csv(content, name.replace("__", "/") + ".csv")(folder)

    return write


def parquet(made: Mapping[str, Any]) -> Write:
    """Return what writes a Parquet file of lists or Arrow arrays."""
    return lambda folder: pq.write_table(pa.table(dict(made)), folder / "t.parquet")


def plain(**changes: Any) -> Write:
    """Return what writes the usual table with some columns changed."""
    return csv(text(columns(**changes)))


def repeated(made: Mapping[str, list[Any]], rows: int, **changes: Any) -> dict[str, list[Any]]:
    """Return a table with its first rows once more, some of their columns changed."""
    return {name: [*values, *changes.get(name, values[:rows])] for name, values in made.items()}


FEATURES = ("a", "b", "colour=blue", "colour=green", "colour=red")
UNLABELED = [""] * (ROWS - LABELED)
CATS = [("cat", "dog")[row % 2] for row in range(LABELED)]
NUMBERS = [("0", "1")[row % 2] for row in range(LABELED)]
BASE = columns()
TEXT = text(BASE)
COMMA = {name: lambda x: str(x).replace(".", ",") for name in "ab"}
DATES = [f"{1 + row % 28:02}.{1 + row // 28:02}.2024" for row in range(ROWS)]


def marked(word: str) -> Write:
    """Return what writes the usual table with a word for "no label"."""
    return plain(y=lambda y: y or word)


def array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Return an Arrow array."""
    return pa.array(values, kind)


def _half(kind: str) -> list[Any]:
    return BASE[kind][: ROWS // 2]


def excel(made: Mapping[str, list[Any]]) -> Write:
    """Return what writes an Excel file."""

    def write(folder: Path) -> None:
        book = Workbook()
        for row in (list(made), *zip(*made.values(), strict=True)):
            book.active.append(list(row))
        book.save(folder / "t.xlsx")

    return write


SAME = {  # however it is written, it is the same table
    "commas": csv(TEXT),
    "semicolons": csv(text(BASE, ";")),
    "tabs": csv(text(BASE, "\t"), "t.tsv"),
    "pipes": csv(text(BASE, "|"), "t.psv"),
    "another ending": csv(TEXT, "t.txt"),
    "capital ending": csv(TEXT, "T.CSV"),
    "carriage returns": csv(text(BASE, end="\r\n")),
    "old line ends": csv(text(BASE, end="\r")),
    "no line end": csv(TEXT.rstrip("\n")),
    "byte-order mark": csv(TEXT, encoding="utf-8-sig"),
    "utf-16": csv(TEXT, encoding="utf-16"),
    "spaces after commas": csv(text(BASE).replace(",", ", ")),
    "spaces around": csv("\n".join(" , ".join(line.split(",")) for line in TEXT.splitlines())),
    "no-break spaces": csv(TEXT.replace("red", "\u00a0red\u00a0")),
    "all quoted": csv(
        "\n".join(",".join(f'"{word}"' for word in line.split(",")) for line in TEXT.splitlines())
    ),
    "blank lines": csv(TEXT.replace("\n", "\n\n")),
    "blank lines in front": csv("\n\n" + TEXT),
    "packed": csv(gzip.compress(TEXT.encode()), "t.csv.gz"),
    "stray files": lambda folder: [
        csv(TEXT)(folder),
        *(
            csv("x", name)(folder)
            for name in (".DS_Store", "Thumbs.db", "desktop.ini", "~$t.csv", "__MACOSX/._t.csv")
        ),
    ],
    "a folder deeper": csv(TEXT, "one/two/t.csv"),
    "two files": files(
        one=text({name: _half(name) for name in BASE}),
        two=text({name: BASE[name][ROWS // 2 :] for name in BASE}),
    ),
    "other order of columns": csv(text(dict(reversed(BASE.items())))),
    "other order of rows": csv(text({name: values[::-1] for name, values in BASE.items()})),
    "composed names": csv(TEXT.replace("colour", "colour")),
    "excel": excel(BASE),
    "parquet": parquet(BASE | {"y": [y or None for y in BASE["y"]]}),
    "parquet of large strings": parquet(BASE | {"colour": array(BASE["colour"], pa.large_string())}),
    "parquet of string views": parquet(
        {
            "colour": array(BASE["colour"], pa.string_view()),
            "y": array(BASE["y"], pa.string_view()),
            "a": BASE["a"],
            "b": BASE["b"],
        }
    ),
    "parquet of categories": parquet(
        BASE
        | {
            "colour": pa.array(BASE["colour"]).dictionary_encode(),
            "y": pa.array(BASE["y"]).dictionary_encode(),
        }
    ),
    "parquet of bytes": parquet(
        BASE | {"colour": array([word.encode() for word in BASE["colour"]], pa.binary())}
    ),
    "parquet of text numbers": parquet(BASE | {"a": list(map(str, BASE["a"]))}),
    "parquet of decimals": parquet(BASE | {"a": pa.array(BASE["a"]).cast(pa.decimal128(12, 2))}),
}

READ = {
    **{f"the same table: {name}": Case(write, features=FEATURES) for name, write in SAME.items()},
    "decimal commas": Case(csv(text(columns(**COMMA), ";")), features=FEATURES, data={"decimal": ","}),
    "decimal commas in quotes": Case(csv(text(columns(**COMMA))), features=FEATURES, data={"decimal": ","}),
    "thousands": Case(plain(a=lambda a: f"{a * 1000:,.0f}"), features=FEATURES, data={"thousands": ","}),
    "German thousands": Case(
        csv(
            text(
                columns(
                    **{
                        name: lambda x: f"{x * 1000:,.2f}".translate(str.maketrans(",.", ".,"))
                        for name in "ab"
                    }
                ),
                ";",
            )
        ),
        features=FEATURES,
        data={"decimal": ",", "thousands": "."},
    ),
    "thousands by spaces": Case(
        plain(a=lambda a: f"{a * 1000:,.0f}".replace(",", " ")), features=FEATURES, data={"thousands": " "}
    ),
    "Latin-1": Case(csv(TEXT.replace("red", "röd"), encoding="latin-1"), data={"encoding": "latin-1"}),
    "Windows-1252": Case(csv(TEXT.replace("red", "€"), encoding="cp1252"), data={"encoding": "cp1252"}),
    "UTF-16 without a mark": Case(
        csv(TEXT, encoding="utf-16-le"), features=FEATURES, data={"encoding": "utf-16-le"}
    ),
    "lines before the header": Case(
        csv("made by hand\n2024\n" + TEXT), features=FEATURES, data={"skip_rows": 2}
    ),
    "no header": Case(
        csv(text(BASE, head=False)),
        features=("column_1", "column_2", "column_3=blue", "column_3=green", "column_3=red"),
        data={"header": False, "target_column": "column_4"},
    ),
    "a question mark for missing": Case(
        plain(a=lambda a: "?" if a > 3 else a), features=FEATURES, data={"missing_values": ["?"]}
    ),
    "-999 for missing": Case(
        plain(a=lambda a: -999 if a > 3 else a), features=FEATURES, data={"missing_values": ["-999"]}
    ),
    "usual words for missing": Case(
        plain(a=[("NA", "n", "")[0] if row % 9 == 0 else row / 7 for row in range(ROWS)]), features=FEATURES
    ),
    "missing with a space": Case(plain(a=lambda a: " " if a > 3 else a), features=FEATURES),
    "a word missing first": Case(plain(colour=[""] * 30 + ["red", "blue"] * 15)),
    "numbers that become words late": Case(
        csv(text(columns(12_000, code=[str(row % 50) for row in range(11_999)] + ["x1"]))),
        said=("'code' is numbers but for 'x1' in 1 row, first 'x1' in line 12001",),
    ),
    "numbers as categories": Case(
        plain(grade=lambda row: row % 4),
        features=(*FEATURES, "grade=0", "grade=1", "grade=2", "grade=3"),
        data={"category_columns": ["grade"]},
    ),
    "German dates": Case(
        plain(when=DATES),
        features=(*FEATURES, "when.month", "when.weekday", "when.age_days"),
        data={"date_columns": {"when": "%d.%m.%Y"}},
    ),
    "ISO dates": Case(
        plain(when=[f"2024-01-{1 + row % 28:02}" for row in range(ROWS)]),
        features=(*FEATURES, "when.weekday", "when.age_days"),
        data={"date_columns": {"when": None}},
    ),
    "moments in Parquet": Case(
        parquet(BASE | {"when": array([row * 40_000_000_000 for row in range(ROWS)], pa.timestamp("us"))}),
        features=(*FEATURES, "when.weekday", "when.hour", "when.age_days"),
        data={"date_columns": {"when": None}},
    ),
    "true and false": Case(plain(ok=lambda row: row % 2 == 0), features=(*FEATURES, "ok")),
    "TRUE and FALSE": Case(plain(ok=lambda row: "TRUE" if row % 2 else "FALSE"), features=(*FEATURES, "ok")),
    "booleans in Parquet": Case(
        parquet(BASE | {"ok": [row % 2 == 0 for row in range(ROWS)]}), features=(*FEATURES, "ok")
    ),
    "names with dots and equals": Case(
        csv(text(BASE).replace("a,b,colour", "a.b,a=b,c d", 1)),
        features=("a.b", "a=b", "c d=blue", "c d=green", "c d=red"),
    ),
    "text that looks like another column's name": Case(
        plain(
            **{
                "a": None,
                "b": None,
                "x": [("=z", "w")[row % 2] for row in range(ROWS)],
                "x=": ["z", "w", "v"] * 20,
            }
        ),
        said=("two features would be called 'x==z'",),
    ),
    "a quoted line end far down": Case(
        plain(colour=["red"] * 30 + ["two\nlines"] * 30),
        features=("a", "b", "colour=red", "colour=two\nlines"),
    ),
    "a line separator of Unicode": Case(plain(colour=["red"] * 30 + ["two\u2028lines"] * 30)),
    "emoji": Case(plain(colour=lambda c: "🐈" if c == "red" else c)),
    "a separator in quotes": Case(plain(colour=lambda c: "red, or so" if c == "red" else c)),
    "quotes in quotes": Case(plain(colour=lambda c: 'so-called "red"' if c == "red" else c)),
    "ids left out": Case(plain(id=lambda row: f"p{row}"), features=FEATURES, data={"ignore_columns": ["id"]}),
    "ids and free text found": Case(
        plain(id=lambda row: row + 1, note=lambda row: f"note {row} on {row * 7}", nothing=lambda row: ""),
        features=FEATURES,
        data={"ignore_columns": "auto"},
        noted=("'id' is left out", "'nothing' is left out"),
    ),
    "an index without a name": Case(
        csv("".join(f"{row - 1 if row else ''},{line}\n" for row, line in enumerate(TEXT.splitlines()))),
        features=FEATURES,
        data={"ignore_columns": [""]},
    ),
    "a file of unlabeled rows": Case(
        files(labeled=text(columns(LABELED)), pool=text(columns(y=None))),
        labels=LABELED,
        noted=(),
        split={"duplicates": "drop"},
    ),
    "all rows, then the labeled ones": Case(
        files(all=text(columns(y=None)), labeled=text({k: v[:LABELED] for k, v in BASE.items()})),
        split={"duplicates": "drop"},
    ),
    "the labels' copies first without": Case(
        csv(text(repeated(columns(y=[""] * ROWS), LABELED, y=CATS))), split={"duplicates": "drop"}
    ),
    "train and test without labels": Case(
        files(
            train=text({k: v[:LABELED] for k, v in BASE.items()}),
            test=text({k: v[LABELED:] for k, v in BASE.items() if k != "y"}),
        ),
        noted=("test has no labels",),
    ),
    "train, val and test": Case(
        files(
            train=text(columns(labeled=ROWS)),
            Val=text(columns(20, 20, a=lambda a: a + 1)),
            TEST=text(columns(20, 20, a=lambda a: a + 2)),
        ),
        labels=100,
        split={"holdout_fraction": None, "validation_per_class": None, "labels_per_class": 5},
    ),
    "folders of parts": Case(
        files(train__x=text(columns(labeled=ROWS)), test__x=text(columns(20, 20, a=lambda a: a + 2))),
        labels=80,
        split={"holdout_fraction": None, "labels_per_class": 5},
    ),
    **{
        f"{word!r} for no label": Case(marked(word))
        for word in (
            "",
            " ",
            "?",
            "-",
            "n/a",
            "N/A",
            "NA",
            "nan",
            "NaN",
            "null",
            "#N/A",
            "unlabeled",
            "Unlabelled",
            "UNLABELED",
        )
    },
    **{
        f"{word!r} for no label, as said": Case(marked(word), data={"unlabeled_values": [word]})
        for word in ("-1", "unknown", "None", "none", "missing", "todo", "later")
    },
    "-1 for no label among whole numbers": Case(
        plain(y=[*NUMBERS, *["-1"] * 36]), data={"unlabeled_values": ["-1"]}
    ),
    "a class called None": Case(
        plain(y=[("None", "Mild", "Severe")[row % 3] for row in range(30)] + [""] * 30),
        labels=30,
        data={"classes": ["None", "Mild", "Severe"]},
    ),
    "a class called NA": Case(
        plain(y=[("NA", "EU", "AS")[row % 3] for row in range(30)] + [""] * 30),
        labels=30,
        data={"unlabeled_values": []},
    ),
    "classes that differ in case": Case(
        plain(y=[*("a", "A") * 12, *UNLABELED]), data={"classes": ["a", "A"]}
    ),
    "classes with spaces around": Case(plain(y=lambda y: f" {y} " if y else "")),
    "classes in two forms of Unicode": Case(
        plain(y=[("caf\u00e9", "cafe\u0301", "tea", "tea")[row % 4] for row in range(LABELED)] + UNLABELED)
    ),
    "classes with a zero in front": Case(plain(y=[*("01", "02") * 12, *UNLABELED])),
    "floats as classes": Case(parquet(BASE | {"y": [*(0.0, 1.0) * 12, *[None] * 36]})),
    "NaN as no label": Case(
        parquet(BASE | {"y": array([*(0.0, 1.0) * 12, *[float("nan")] * 36], pa.float64())})
    ),
    "floats as classes in text": Case(plain(y=[*("0.0", "1.0") * 12, *UNLABELED])),
    "booleans as classes": Case(plain(y=[*("True", "False") * 12, *UNLABELED])),
    "regression": Case(plain(y=[*map(str, range(LABELED)), *UNLABELED]), data={"target_kind": "regression"}),
    "regression of text numbers in Parquet": Case(
        parquet(BASE | {"y": [*map(str, range(LABELED)), *[None] * 36]}), data={"target_kind": "regression"}
    ),
    "regression with decimal commas": Case(
        csv(text(columns(y=[*(f"{row},5" for row in range(LABELED)), *UNLABELED], **COMMA), ";")),
        data={"target_kind": "regression", "decimal": ","},
    ),
    "regression with ? for no value": Case(
        plain(y=[*map(str, range(LABELED)), *["?"] * 36]), data={"target_kind": "regression"}
    ),
    "contradictions left out": Case(
        csv(text(repeated(BASE, 4, y=["dog", "cat", "dog", "cat"]))),
        labels=LABELED + 4,
        split={"duplicates": "drop_contradicting"},
    ),
    "repeats left out": Case(csv(text(repeated(BASE, 4))), labels=LABELED + 4, split={"duplicates": "drop"}),
    "a column that only the pool has": Case(
        plain(late=[""] * LABELED + list(range(ROWS - LABELED))),
        noted=("'late' has values in rows without a label alone",),
    ),
    "a column that the pool lacks": Case(
        plain(early=[*(row * row for row in range(LABELED)), *UNLABELED]),
        noted=("'early' has no value in any row without",),
    ),
    "a word that only the pool has": Case(
        plain(colour=["red", "green"] * 12 + ["violet"] * 36),
        noted=("'colour' has 'violet' in rows without a label",),
    ),
    "a constant": Case(plain(always=lambda row: 3), noted=("'always' is 3 in every row",)),
    "an id by its name": Case(
        plain(customer_id=lambda row: row * 17 % 1009), noted=("'customer_id' has the name of an id",)
    ),
    "two hundred columns": Case(
        plain(**{f"f{place}": (lambda row, place=place: row * place % 7) for place in range(200)})
    ),
    "a large number": Case(plain(a=lambda a: a * 1e90), features=FEATURES),
    "scientific notation": Case(plain(a=lambda a: f"{a:.3e}"), features=FEATURES),
    "plus signs": Case(plain(a=lambda a: f"{a:+}"), features=FEATURES),
    "ranges of numbers": Case(plain(age=[("20-30", "30-40", "40+")[row % 3] for row in range(ROWS)])),
}

REFUSED = {
    "nothing": (lambda folder: None, ("no file is there",)),
    "an empty file": (csv(""), ("t.csv: the file is empty",)),
    "blank lines alone": (csv("\n\n"), ("t.csv: no header and no rows",)),
    "a header alone": (csv("a,b,y\n"), ("t.csv: no rows below the header",)),
    "a short line": (csv(TEXT + "1,2\n"), ("its header has 4 values", "line 62 has 2")),
    "a long line": (csv(TEXT + "1,2,3,4,5\n"), ("line 62 has 5",)),
    "many bad lines": (csv(TEXT + "1\n" * 9), ("line 62 has 1", "and 4 more lines")),
    "a bad line after a quoted line end": (
        csv(text(columns(colour=["two\nlines"] * ROWS)) + "1,2\n"),
        ("line 122 has 2",),
    ),
    "an open quote": (csv(TEXT.replace("red", '"red', 1)), ("t.csv", "quot")),
    "no such target": (csv(TEXT.replace(",y\n", ",kind\n")), ("data.target_column = 'y'", "its columns are")),
    "another separator set": (csv(TEXT), ("data.separator",), {"separator": "^"}),
    "decimal commas": (
        csv(text(columns(**COMMA), ";")),
        ("'a' has numbers with a decimal comma", "'b' has", 'data.decimal to ","'),
    ),
    "decimal commas in few values": (
        csv(text(columns(a=[f"{row % 7},5" for row in range(ROWS)]), ";")),
        ("decimal comma",),
    ),
    "thousands": (
        plain(a=lambda a: f"{abs(a) * 1000 + 1000:,.0f}"),
        ("sign between thousands", "data.thousands to ','"),
    ),
    "Swiss thousands": (
        plain(a=lambda a: f"{abs(a) * 1000 + 1000:,.0f}".replace(",", "'")),
        ("data.thousands to",),
    ),
    "a unit": (plain(a=lambda a: f"{a} kg"), ("'a' has numbers with a unit", "'kg'")),
    "percent": (plain(a=lambda a: f"{a}%"), ("numbers with a unit", "'%'")),
    "dollars": (plain(a=lambda a: f"${abs(a)}"), ("numbers with a unit", "'$'")),
    "one question mark among numbers": (
        plain(a=lambda a: a if a < 8 else "?"),
        ("'a' is numbers but for '?' in 2 rows", "data.missing_values"),
    ),
    "a dash among numbers": (
        plain(a=[*BASE["a"][:-1], "-"]),
        ("'a' is numbers but for '-' in 1 row, first '-' in line 61",),
    ),
    "a word among many numbers": (
        csv(text(columns(400, a=[*range(399), "oops"]))),
        ("'oops' in 1 row, first 'oops' in line 401",),
    ),
    "German dates": (plain(when=DATES), ("'when' has dates or times", "data.date_columns")),
    "ISO dates": (plain(when=[f"2024-01-{1 + row % 28:02}" for row in range(ROWS)]), ("'when' has dates",)),
    "times": (plain(when=[f"{row % 24:02}.00.00" for row in range(ROWS)]), ("'when' has dates or times",)),
    "a date that is none": (
        plain(when=[*DATES[:-1], "soon"]),
        ("1 value that", "first 'soon' in line 61"),
        {"date_columns": {"when": "%d.%m.%Y"}},
    ),
    "another date format": (
        plain(when=DATES),
        ("60 values that are not written as %Y",),
        {"date_columns": {"when": "%Y"}},
    ),
    "moments in Parquet": (
        parquet(BASE | {"when": array(list(range(ROWS)), pa.timestamp("us"))}),
        ("'when' is of the type timestamp[us]",),
    ),
    "lists in Parquet": (parquet(BASE | {"x": [[row] for row in range(ROWS)]}), ("'x' is of the type list",)),
    "bytes that are no text": (
        parquet(BASE | {"x": array([b"\xff\x00"] * ROWS, pa.binary())}),
        ("'x' is of the type binary",),
    ),
    "moments as labels": (
        parquet(BASE | {"y": array(list(range(ROWS)), pa.timestamp("us"))}),
        ("'y': of the type timestamp[us]",),
    ),
    "moments as values": (
        parquet(BASE | {"y": array(list(range(ROWS)), pa.timestamp("us"))}),
        ("no number",),
        {"target_kind": "regression"},
    ),
    "an index without a name": (
        csv("".join(f"{row - 1 if row else ''},{line}\n" for row, line in enumerate(TEXT.splitlines()))),
        ("column '' has the name that a table's index gets", "data.ignore_columns"),
    ),
    "an index of pandas": (plain(**{"Unnamed: 0": lambda row: row}), ("'Unnamed: 0' has the name",)),
    "an index in Parquet": (
        parquet(BASE | {"__index_level_0__": list(range(ROWS))}),
        ("'__index_level_0__' has the name",),
    ),
    "free text": (
        csv(text(columns(300, note=[f"words {row} of {row}" for row in range(300)]))),
        ("300 different values",),
    ),
    "ids of letters": (
        csv(text(columns(300, id=[f"p{row:04}" for row in range(300)]))),
        ("id, it seems",),
    ),
    "ids beyond 2^53": (
        plain(id=lambda row: 2**60 + row),
        ("'id' is beyond 2^53 in 60 rows", "become equal"),
    ),
    "ids beyond 2^53 in Parquet": (
        parquet(BASE | {"id": [2**60 + row for row in range(ROWS)]}),
        ("beyond 2^53",),
    ),
    "ids of twenty digits": (plain(id=lambda row: 10**19 + row), ("beyond 2^53",)),
    "a missing column": (parquet(BASE | {"x": pa.nulls(ROWS)}), ("'x' has no values",)),
    "NaN alone": (parquet(BASE | {"x": array([float("nan")] * ROWS, pa.float64())}), ("'x' has no values",)),
    "an empty column": (plain(x=lambda row: ""), ("'x' has no values",)),
    "infinite": (plain(a=[*BASE["a"][:-1], "inf"]), ("'a' is infinite in 1 row, first 'inf' in line 61",)),
    "1e300": (plain(a=[*BASE["a"][:-1], "1e300"]), ("'a' is too large in 1 row, first '1e300' in line 61",)),
    "infinite beyond the first piece": (
        csv(text(columns(70_000, 24, a=[*range(69_999), "-inf"]))),
        ("first '-inf' in line 70001",),
    ),
    "a name of ours": (csv(TEXT.replace("colour", "example_id", 1)), ("'example_id' has a name",)),
    "two columns of one name": (csv(TEXT.replace("a,b", "a,a", 1)), ("two columns are called 'a'",)),
    "two names of one form": (
        csv(TEXT.replace("a,b", "caf\u00e9,cafe\u0301", 1)),
        ("two columns are called",),
    ),
    "no column beside the target": (csv("y\n" + "cat\ndog\n" * 9), ("no column is left",)),
    "Latin-1": (csv(TEXT.replace("red", "röd"), encoding="latin-1"), ("line 2", "0xf6", "data.encoding")),
    "UTF-16 without a mark": (csv(TEXT, encoding="utf-16-le"), ("zero bytes", "utf-16-le")),
    "an unknown encoding": (csv(TEXT), ("data.encoding = 'utf9'",), {"encoding": "utf9"}),
    "Parquet called CSV": (
        lambda folder: (parquet(BASE)(folder), (folder / "t.parquet").rename(folder / "t.csv")),
        ("a Parquet file",),
    ),
    "CSV called Parquet": (csv(TEXT, "t.parquet"), ("can't be read as Parquet", "name it .csv")),
    "Excel called CSV": (csv(b"PK\x03\x04" + bytes(30)), ("save it as CSV",)),
    "old Excel": (csv(b"\xd0\xcf\x11\xe0", "t.xls"), ("t.xls: no table", "save it as CSV")),
    "an archive": (csv(b"PK\x03\x04", "t.zip"), ("unpack it",)),
    "JSON": (csv("{}", "t.json"), ("save it as CSV",)),
    "a pickle": (csv(b"\x80", "t.pkl"), ("a pickle runs",)),
    "a cut Parquet file": (
        lambda folder: (
            parquet(BASE)(folder),
            (folder / "t.parquet").write_bytes((folder / "t.parquet").read_bytes()[:500]),
        ),
        ("t.parquet: can't be read",),
    ),
    "a cut packed file": (csv(gzip.compress(TEXT.encode())[:-30], "t.csv.gz"), ("t.csv.gz",)),
    "rows of values as header": (
        csv(text(columns(colour=lambda c: 3, y=[*NUMBERS, *UNLABELED]), head=False)),
        ("data.header to false",),
    ),
    "other columns in another file": (
        files(one=TEXT, two=TEXT.replace("colour", "shade")),
        ("'shade' is in two.csv alone", "'colour' is in one.csv alone"),
    ),
    "a word in another file's numbers": (
        files(one=TEXT, two=TEXT.replace("\n", "\nx", 1)),
        ("'a' is numbers but for",),
    ),
    "two broken files": (files(one="", two=""), ("2 things are wrong", "one.csv", "two.csv")),
    "something beside train and test": (
        files(train__x=TEXT, test__x=TEXT, more__x=TEXT),
        ("more: lies beside",),
    ),
    "a link to nowhere": (lambda folder: (folder / "t.csv").symlink_to("nowhere.csv"), ("leads nowhere",)),
    "a link in a circle": (
        lambda folder: (csv(TEXT)(folder), (folder / "loop").symlink_to(folder)),
        ("a link to a folder that it lies in",),
    ),
    "a link to itself": (lambda folder: (folder / "t.csv").symlink_to(folder / "t.csv"), ("t.csv",)),
    "one class": (plain(y=["cat"] * ROWS), ("two classes or more are needed, found: 'cat'",)),
    "no label": (plain(y=lambda y: ""), ("found: none",)),
    **{
        f"{word!r} beside classes": (
            marked(word),
            (f"{word!r} (36 rows) would be a class", "data.unlabeled_values"),
        )
        for word in ("-1", "unknown", "None", "none", "Missing", "TODO")
    },
    "classes that differ in case": (
        plain(y=[("cat", "Cat", "dog")[row % 3] for row in range(LABELED)] + UNLABELED),
        ("'Cat' (8 rows) and 'cat' (8 rows)", "spelling"),
    ),
    "classes that differ in a zero": (
        plain(y=[*("01", "1", "2") * 8, *UNLABELED]),
        ("'01' (8 rows) and '1' (8 rows)",),
    ),
    "classes that differ in a space": (
        plain(y=[*("big cat", "big_cat", "dog") * 8, *UNLABELED]),
        ("'big cat'", "'big_cat'"),
    ),
    "a class that wasn't named": (
        csv(TEXT),
        ("'dog' (12 rows) is none of data.classes", "did you mean 'dogs'"),
        {"classes": ["cat", "dogs"]},
    ),
    "fractions as classes": (plain(y=[*("0.5", "1.5") * 12, *UNLABELED]), ("no whole numbers", "regression")),
    "too many classes": (
        csv(text(columns(3000, 3000, y=[f"c{row}" for row in range(3000)]))),
        ("3,000 different classes",),
    ),
    "words as values": (
        plain(y=[*map(str, range(23)), "lots", *UNLABELED]),
        ("'lots' in 1 row", "line 25"),
        {"target_kind": "regression"},
    ),
    "a value of 1e300": (
        plain(y=[*map(str, range(23)), "1e300", *UNLABELED]),
        ("'1e300' in 1 row",),
        {"target_kind": "regression"},
    ),
    "no value": (plain(y=lambda y: ""), ("no row has a value",), {"target_kind": "regression"}),
    "several faults at once": (
        plain(a=lambda a: f"{a} kg", b=lambda b: "", when=DATES),
        ("3 things are wrong", "'a'", "'b'", "'when'"),
    ),
}

SPLIT_REFUSED = {
    "a class of one row": (plain(y=[*CATS, "bird", *UNLABELED[1:]]), ("1 rows of 'bird'",), {}),
    "contradictions": (
        csv(text(repeated(BASE, 2, y=["dog", "cat"]))),
        ("rows 0 and 60: 'cat' and 'dog'; rows 1 and 61",),
        {"duplicates": "drop"},
    ),
    "repeats": (csv(text(repeated(BASE, 2))), ("row 60 that of 0, 61 that of 1",), {"duplicates": "stop"}),
    "no pool": (
        plain(y=[("cat", "dog")[row % 2] for row in range(ROWS)]),
        ("no row is left for the pool",),
        {},
    ),
    "a test file that is overlooked": (
        files(train=text(columns(labeled=ROWS)), test=text(columns(20, 20, a=lambda a: a + 2))),
        ("split.holdout_fraction = 0.25, but the source sets 20 labeled rows aside",),
        {},
    ),
}
