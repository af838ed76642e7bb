"""More awkward tables, of kinds that strangers bring: what is written, what is set, and the right outcome."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from awkward import (
    BASE,
    FEATURES,
    LABELED,
    ROWS,
    TEXT,
    UNLABELED,
    Case,
    Write,
    array,
    columns,
    csv,
    files,
    parquet,
    plain,
    text,
)
from openpyxl import Workbook

INDIAN = [f"1,{row % 90 + 10},{row * 7 % 900 + 100}" for row in range(ROWS)]
GERMAN = [f"{row * 1234.5 + 1234:,.2f}".translate(str.maketrans(",.", ".,")) for row in range(ROWS)]
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def hive(folder: Path) -> None:
    """Write two Parquet files into folders that are named as a partitioned table's are."""
    for year in (0, 1):
        place = folder / f"year={year}"
        place.mkdir()
        half = slice(year * ROWS // 2, (year + 1) * ROWS // 2)
        pq.write_table(
            pa.table({name: values[half] for name, values in BASE.items()}), place / "part-0.parquet"
        )


def lines(change: Callable[[int, str], str]) -> Write:
    """Return what writes the usual table with each of its lines changed, by its number."""
    return csv("".join(change(number, line) for number, line in enumerate(TEXT.splitlines())))


def titled(folder: Path) -> None:
    """Write an Excel file with a title and a blank row above the table."""
    book = Workbook()
    for row in (["A title"], [], list(BASE), *zip(*BASE.values(), strict=True)):
        book.active.append(list(row))
    book.save(folder / "t.xlsx")


READ = {
    "quotes in a TSV": Case(
        csv(text(columns(colour=lambda c: 'he said "x"\tok' if c == "red" else c), "\t"), "t.tsv")
    ),
    "mixed line ends": Case(lines(lambda n, line: line + ("\r\n" if n % 2 else "\n")), features=FEATURES),
    "UTF-16, the other end first": Case(csv(b"\xfe\xff" + TEXT.encode("utf-16-be")), features=FEATURES),
    "UTF-32": Case(csv(TEXT, encoding="utf-32"), features=FEATURES),
    "old line ends in UTF-16": Case(csv(text(BASE, end="\r"), encoding="utf-16"), features=FEATURES),
    "Excel's line with the separator": Case(csv("sep=;\n" + text(BASE, ";")), features=FEATURES),
    "lines before the header, with a separator that they lack": Case(
        csv("made by hand\n" + text(BASE, ";")), features=FEATURES, data={"skip_rows": 1}
    ),
    "columns that differ in case": Case(plain(A=lambda row: row % 7), features=("A", *FEATURES)),
    "thousands as in India": Case(plain(a=INDIAN), features=FEATURES, data={"thousands": ","}),
    "dates with a zone": Case(
        plain(when=[f"2024-01-{row % 28 + 1:02}T10:00:00+02:00" for row in range(ROWS)]),
        features=(*FEATURES, "when.weekday", "when.age_days"),
        data={"date_columns": {"when": None}},
    ),
    "moments with a zone in Parquet": Case(
        parquet(
            BASE | {"when": array([row * 90_000 for row in range(ROWS)], pa.timestamp("s", "Europe/Oslo"))}
        ),
        features=(*FEATURES, *(f"when.{part}" for part in ("month", "weekday", "hour", "age_days"))),
        data={"date_columns": {"when": None}},
    ),
    "months by name": Case(
        plain(when=[f"Jan {row % 28 + 1}, 2024" for row in range(ROWS)]),
        features=(*FEATURES, "when.weekday", "when.age_days"),
        data={"date_columns": {"when": "%b %d, %Y"}},
    ),
    "minus zero": Case(plain(a=lambda a: ("-0", "0", "-0.0", "+0", "1")[int(a) % 5]), features=FEATURES),
    "separators at each line's end": Case(
        lines(lambda n, line: f"{line},,\n"),
        features=FEATURES,
        data={"ignore_columns": ["column_5", "column_6"]},
    ),
    "rows of separators alone": Case(csv(TEXT + ",,,\n" * 9), noted=("9 rows without any value",)),
    "a very long word": Case(plain(colour=["x" * 300_000, *["red", "blue"] * 29, "red"]), noted=()),
    "half-precision numbers in Parquet": Case(
        parquet(BASE | {"b": array([float(row * row % 9) for row in range(ROWS)], pa.float16())}),
        features=FEATURES,
    ),
    "large decimals in Parquet": Case(
        parquet(BASE | {"b": pa.array(BASE["b"]).cast(pa.decimal256(40, 5))}), features=FEATURES
    ),
    "codes of categories in Parquet": Case(
        parquet(BASE | {"b": pa.array([row * row % 9 for row in range(ROWS)]).dictionary_encode()}),
        features=FEATURES,
    ),
    "a partitioned table": Case(
        hive, noted=("the names of folders are not read as a column: year=0, year=1",)
    ),
    "Spark's mark of success": Case(
        lambda folder: [parquet(BASE)(folder), (folder / "_SUCCESS").touch()], features=FEATURES
    ),
    "codes with zeros in front": Case(
        plain(zip=lambda row: f"0{1000 + row * 37 % 40}"), noted=("'zip' has numbers with zeros in front",)
    ),
    "many words that begin with a digit": Case(
        plain(lat=lambda row: f"48°{row % 50}'N"),
        noted=("'lat' has 50 different words that begin with a digit",),
    ),
    "classes of pictures": Case(plain(y=[*("🐈", "🐕") * 12, *UNLABELED])),
    "a very long class": Case(plain(y=[*("x" * 500, "y") * 12, *UNLABELED])),
    "50 classes of 4 rows": Case(
        csv(text(columns(300, 0, y=[f"c{row % 50}" if row < 200 else "" for row in range(300)]))), labels=200
    ),
    "one row in 500": Case(
        csv(text(columns(2000, y=["01"[row % 500 == 0] if row < 1900 else "" for row in range(2000)]))),
        labels=1900,
    ),
    "values with many zeros": Case(
        plain(y=[0 if row % 3 else row * 1.5 for row in range(LABELED)] + UNLABELED),
        data={"target_kind": "regression"},
    ),
    "decimals as values": Case(
        parquet(
            BASE
            | {
                "y": pa.array([row * 1.25 if row < LABELED else None for row in range(ROWS)]).cast(
                    pa.decimal128(20, 5)
                )
            }
        ),
        data={"target_kind": "regression"},
    ),
}

REFUSED = {
    "points where commas are set": (
        csv(text(BASE, ";")),
        ("'a' has numbers, but not all as data.decimal = ','", "'b' has numbers"),
        {"decimal": ","},
    ),
    "points between thousands": (
        csv(text(columns(a=GERMAN, b=None), ";")),
        ("'a' has numbers with points between thousands", 'data.thousands to "."'),
        {"decimal": ","},
    ),
    "two decimal signs": (
        csv(text(columns(a=[f"{row}.5" if row % 2 else f"{row},5" for row in range(ROWS)]), ";")),
        ("'a' is numbers but for '0,5'",),
    ),
    "digits of another script": (
        plain(a=[str(row).translate(ARABIC) for row in range(ROWS)]),
        ("'a' has numbers, but not all as",),
    ),
    "a typeset minus": (
        plain(a=lambda a: str(a).replace("-", "\u2212")),
        ("'a' is numbers but for '\u2212",),
    ),
    "brackets for a minus": (plain(a=lambda a: f"({abs(a)})"), ("'a' has numbers, but not all as",)),
    "exponents of Fortran": (plain(a=lambda a: f"{a}D+03"), ("'a' has numbers, but not all as",)),
    "underscores between thousands": (
        plain(a=lambda a: f"1_{int(abs(a) * 99):03}"),
        ("'a' has numbers, but not all as",),
    ),
    "several units": (
        plain(a=[f"{row * 7 % 53} {('USD', 'EUR')[row % 2]}" for row in range(ROWS)]),
        ("'a' has numbers, but not all as", "without units"),
    ),
    "one word in most rows, numbers in the others": (
        plain(a=[row * 1.5 if row % 4 == 0 else "x" for row in range(ROWS)]),
        ("'a' is numbers but for 'x' in 45 rows",),
    ),
    "dates in several ways": (
        plain(when=[("2024-01-{:02}", "{:02}.01.2024")[row % 2].format(row % 28 + 1) for row in range(ROWS)]),
        ("'when' has dates or times", "in several ways"),
    ),
    "days that no calendar has": (
        plain(when=[f"{row % 31 + 1:02}.04.2024" for row in range(ROWS)]),
        ("has 1 value that are not written as %d.%m.%Y, first '31.04.2024' in line 32",),
        {"date_columns": {"when": "%d.%m.%Y"}},
    ),
    "days that no calendar has, in ISO 8601": (
        plain(when=[f"2023-02-{row % 30 + 1:02}" for row in range(ROWS)]),
        ("has 4 values that are not ISO 8601", "first '2023-02-29' in line 30"),
        {"date_columns": {"when": None}},
    ),
    "numbers as a spreadsheet's text": (
        plain(a=lambda a: f'="{abs(a)}"'),
        ("'a' has numbers, but not all as",),
    ),
    "days in Parquet": (
        parquet(BASE | {"when": array(list(range(ROWS)), pa.date32())}),
        ("of the type date32", "data.date_columns to {when: null}"),
    ),
    "structures in Parquet": (
        parquet(BASE | {"x": [{"u": row} for row in range(ROWS)]}),
        ("of the type struct",),
    ),
    "maps in Parquet": (
        parquet(BASE | {"x": array([[("u", row)] for row in range(ROWS)], pa.map_(pa.string(), pa.int64()))}),
        ("of the type map",),
    ),
    "lists as labels": (parquet(BASE | {"y": [[y] for y in BASE["y"]]}), ("'y': of the type list",)),
    "infinite and minus infinite": (
        plain(a=[("inf", "-Infinity", row)[row % 3] for row in range(ROWS)]),
        ("'a' is infinite in 40 rows",),
    ),
    "lines before the header": (
        csv("# made by hand\n# 2024\n" + TEXT),
        ("line 1, '# made by hand', is not of the table", "set data.skip_rows to 2"),
    ),
    "rows of an Excel file before its header": (
        titled,
        ("row 1 has 1 values", "data.skip_rows"),
    ),
    "names of rows without a name, as R writes them": (
        lines(lambda n, line: f'"{n}",{line}\n' if n else f"{line}\n"),
        ("its header has 4 values and the lines below it 5", "first column a name"),
    ),
    "separators at the end of all lines but the header": (
        lines(lambda n, line: f"{line},\n" if n else f"{line}\n"),
        ("each line ends in a separator",),
    ),
    "the unit below the name": (
        csv(TEXT.replace("\n", "\ncm,kg,word,class\n", 1)),
        ("'a' is numbers but for 'cm' in 1 row, first 'cm' in line 2", "'b' is"),
    ),
    "the header once more": (
        csv(TEXT + TEXT[: TEXT.index("\n") + 1]),
        ("'a' in 1 row, first 'a' in line 62",),
    ),
    "a first row of words as header": (
        csv("e,x,s,e\n" + "p,x,n,e\ne,y,s,e\n" * 9),
        ("two columns are called 'e'",),
        {"target_column": "x"},
    ),
    "a first row of different words as header": (
        csv("red,wet\n" + "red,wet\nblue,dry\n" * 9),
        ("'red', 'wet' are names of columns and values in them", "data.header to false"),
        {"target_column": "wet"},
    ),
    "a line of text at the end": (csv(TEXT + "\nSource: a ministry\n"), ("line 63 has 1",)),
    "quotes of another kind": (csv(TEXT.replace("red", "'red, or so'")), ("line 2 has 5",)),
    "a zero byte": (csv(TEXT.replace("red", "r\0ed", 1)), ("t.csv, line 2: a zero byte",)),
    "a line too long": (
        csv(TEXT + "1,2,red,\n" * 30_000 + f"1,2,{'x' * 3_000_000},\n"),
        ("line 30062 has 3,000,002 characters, too many",),
    ),
    "a packed file without its ending": (
        csv(gzip.compress(TEXT.encode())),
        ("packed by gzip", "name it .csv.gz"),
    ),
    "an ending without its packing": (csv(TEXT, "t.csv.gz"), ("t.csv.gz: can't be read",)),
    "packed otherwise": (csv(bz2.compress(TEXT.encode()), "t.csv.bz2"), ("t.csv.bz2: no table", "unpack it")),
    "a packed Parquet file": (csv(gzip.compress(b"PAR1"), "t.parquet.gz"), ("save it as Parquet",)),
    "no ending": (csv(TEXT, "data"), ("data: no table", "name it .csv")),
    "a web page": (csv("<!DOCTYPE html>\n<html>404</html>\n"), ("it is a web page", "fetch the file itself")),
    "a pointer of Git LFS": (
        csv("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n"),
        ("git lfs pull",),
    ),
    "Feather": (csv(b"ARROW1", "t.feather"), ("save it as Parquet",)),
    "a data base": (csv(b"SQLite format 3\0", "t.db"), ("save it as CSV",)),
    "Kaggle's example of an answer beside the data": (
        files(train=TEXT, test=text(columns(y=None)), submission="id,y\n1,cat\n"),
        ("submission.csv: its columns are not those of", "'id' is in submission.csv alone"),
    ),
    "percent as values": (
        plain(y=[*(f"{row}%" for row in range(LABELED)), *UNLABELED]),
        ("24 different classes, and most look like numbers that are written otherwise", "target_kind"),
    ),
}

SPLIT_REFUSED = {
    "one label of each class": (csv(text(columns(labeled=2))), ("need 1 and 1 rows of 'cat'", "'dog'"), {}),
    "two labels of each class": (
        csv(text(columns(labeled=4))),
        ("no row for the holdout", "three of some class"),
        {},
    ),
    "many classes of one row": (
        plain(y=[*(f"c{row}" for row in range(LABELED)), *UNLABELED]),
        ("need 1 and 1 rows of 'c0'", "and 19 more classes have too few"),
        {},
    ),
}
