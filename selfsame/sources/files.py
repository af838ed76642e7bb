"""Table files as they lie there: opened, checked by their first bytes, and read in pieces of raw columns.

A CSV file's values are all text here; what they mean is ``analysis``'s to say. A file that can't be cut into
columns stops with the line at which it breaks.
"""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from selfsame.core.errors import SelfsameError
from selfsame.params.data import Table
from selfsame.sources.delimited import (
    Layout,
    NoHeaderError,
    first_records,
    looks_like_data,
    opened,
    records,
    refuse_another_width,
    sniff,
    start_of,
    why_not,
)
from selfsame.sources.excel import read_sheet
from selfsame.sources.faults import SHOWN, Fault, listed, stop_if_any
from selfsame.sources.foreign import instead, refuse_other_content
from selfsame.sources.store import readable
from selfsame.sources.words import MISSING, tidy

BLOCK_BYTES = 1024 * 1024  # of text; the reader is up to a dozen such blocks ahead
PARQUET_ROWS = 32 * 1024
TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt", ".data")
PARQUET_ENDINGS = (".parquet", ".pq")
EXCEL_ENDINGS = (".xlsx",)


@dataclass(frozen=True)
class Reading:
    """How table files are read: keys of section ``data``.

    Attributes:
        separator: between two values of a CSV file; None finds it out.
        encoding: of text; None is UTF-8, or what a byte-order mark says.
        decimal: sign before the decimals.
        thousands: sign between groups of three digits; None if there is none.
        missing_values: words for a missing value; None for ``words.MISSING``.
        header: whether the first line names the columns; else they are column_1, column_2, …
        skip_rows: lines before that, which hold something else.
    """

    separator: str | None = None
    encoding: str | None = None
    decimal: str = "."
    thousands: str | None = None
    missing_values: list[str] | None = None
    header: bool = True
    skip_rows: int = 0

    @property
    def missing(self) -> list[str]:
        """Return all words for a missing value; an empty one always is."""
        return list(MISSING) if self.missing_values is None else ["", *self.missing_values]


def reading_of(params: Table) -> Reading:
    """Return how section ``data`` says that files are read."""
    return Reading(**{name: getattr(params, name) for name in Reading.__dataclass_fields__})


@dataclass(frozen=True)
class TableFile:
    """One file of a table, opened.

    Attributes:
        names: of its columns, tidied, in its order.
        layout: of text; None for other files.
        sheet: the rows of an Excel file, which are few.
    """

    path: Path
    reading: Reading
    names: tuple[str, ...]
    layout: Layout | None = None
    sheet: pa.RecordBatch | None = None

    def pieces(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, some at a time, with the columns of these (tidied) names.

        Raises:
            SelfsameError: naming the lines that have more or fewer values than the header, or the file.
        """
        places = [self.names.index(name) for name in columns]
        try:
            for batch in self._batches():
                yield pa.record_batch([batch.column(place) for place in places], names=columns)
        except (pa.ArrowException, OSError, UnicodeError, EOFError) as error:
            if self.layout is not None:
                raise why_not(self.layout, len(self.names), str(error)) from None
            raise SelfsameError(f"{self.path}: can't be read: {error}", "save it again") from None

    def line(self, row: int) -> str:
        """Return where a row (counted from 0) stands, for a message."""
        if self.sheet is not None:
            return f"row {row + 1 + int(self.reading.header) + self.reading.skip_rows}"
        if self.layout is None:
            return f"row {row}"
        number = next((line for place, line, _ in records(self.layout) if place == row), row)
        return f"line {number}"

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self.layout is not None:
            yield from self._csv(self.layout)
        elif self.sheet is not None:
            yield self.sheet
        else:
            with pq.ParquetFile(readable(self.path), pre_buffer=False) as file:  # or all its bytes are held
                yield from file.iter_batches(PARQUET_ROWS)

    def _csv(self, layout: Layout) -> Iterator[pa.RecordBatch]:
        names = [f"{place}" for place in range(len(self.names))]
        return pa_csv.open_csv(
            opened(self.path),
            read_options=pa_csv.ReadOptions(
                column_names=names,
                skip_rows=layout.skipped,
                skip_rows_after_names=int(self.reading.header),
                encoding=layout.encoding,
                block_size=layout.block,
            ),
            parse_options=pa_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],  # the other words for it mean something else in the target column
                strings_can_be_null=True,
            ),
        )


def open_table_file(path: Path, reading: Reading) -> TableFile:
    """Look at a file's start and learn its columns.

    Raises:
        SelfsameError: naming the file and what to do about it.
    """
    name = path.name.lower().removesuffix(".gz")
    ending = Path(name).suffix
    if ending in EXCEL_ENDINGS:
        names, rows = read_sheet(path, reading.header, reading.skip_rows)
        return TableFile(path, reading, _tidy_names(path, names), sheet=rows)
    if ending not in (*TEXT_ENDINGS, *PARQUET_ENDINGS):
        raise SelfsameError(
            f"{path}: no table: its name ends in none of {', '.join((*TEXT_ENDINGS, *PARQUET_ENDINGS))}",
            f"{instead(name, 'point data.path at the table itself')}, or remove the file",
        )
    try:
        with opened(path) as stream:
            start = stream.read(64)
    except (OSError, EOFError, pa.ArrowException) as error:
        raise SelfsameError(f"{path}: can't be read: {error}", "fetch or save it again") from None
    if not start:
        raise SelfsameError(f"{path}: the file is empty", "give it a header and rows, or remove it")
    if ending in PARQUET_ENDINGS:
        return _open_parquet(path, reading, start)
    refuse_other_content(path, start)
    return _open_csv(path, reading)


def _open_parquet(path: Path, reading: Reading, start: bytes) -> TableFile:
    if not start.startswith(b"PAR1"):
        raise SelfsameError(
            f"{path}: can't be read as Parquet: it doesn't begin as such a file does",
            "name it .csv if it is text, or save it as Parquet again",
        )
    try:
        with pq.ParquetFile(readable(path)) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise SelfsameError(f"{path}: can't be read: {error}", "save it as Parquet again") from None
    if not rows:
        raise SelfsameError(f"{path}: no rows", "give it some, or remove it")
    stored = tuple(schema.names)
    return TableFile(path, reading, _tidy_names(path, stored))


def _open_csv(path: Path, reading: Reading) -> TableFile:
    encoding, text = start_of(path, reading.encoding)
    lines = io.StringIO(text, newline="").readlines()
    skipped = min(reading.skip_rows, len(lines))
    named = re.fullmatch(
        "sep=(.)", "".join(lines[skipped : skipped + 1]).strip("\r\n\ufeff")
    )  # a habit of Excel's
    skipped += bool(named)
    while skipped < len(lines) and not lines[skipped].strip("\r\n"):
        skipped += 1
    text = "".join(lines[skipped:])
    separator = reading.separator or (named[1] if named else sniff(text))
    records = first_records(text, separator, 20)
    if not records:
        raise SelfsameError(f"{path}: no header and no rows", "give it some, or remove it")
    if reading.header and len(records) < 2:
        raise SelfsameError(f"{path}: no rows below the header", "give it some, or remove it")
    refuse_another_width(path, records, text, separator, reading.header, skipped)
    stored = tuple(records[0])
    if not reading.header:
        stored = tuple(f"column_{place + 1}" for place in range(len(stored)))
    elif looks_like_data(records):
        raise NoHeaderError(
            f"{path}, line {reading.skip_rows + 1}: a header is expected, but "
            f"{reading.separator or separator!r} cuts it into {', '.join(map(repr, records[0][:SHOWN]))}, "
            "which look like values",
            "set data.header to false (the columns are then column_1, column_2, …), or add a header",
        )
    block = max(BLOCK_BYTES, 4 * max(map(len, lines)))
    layout = Layout(path, encoding, separator, reading.header, skipped, block)
    return TableFile(path, reading, _tidy_names(path, stored), layout)


def _tidy_names(path: Path, stored: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(map(tidy, stored))
    if names.count("") > 1:  # as separators at each line's end make them
        names = tuple(name or f"column_{place + 1}" for place, name in enumerate(names))
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise SelfsameError(
            f"{path}: two columns are called {', '.join(map(repr, repeated))}", "rename one of them"
        )
    return names


def open_all(paths: list[Path], reading: Reading) -> list[TableFile]:
    """Open all files of a table; raise one error that names all that can't be."""
    files, faults = [], []
    for path in paths:
        try:
            files.append(open_table_file(path, reading))
        except SelfsameError as error:
            faults.append(Fault.of(error))
    stop_if_any(faults)
    return files


def check_same_columns(files: list[TableFile], target: str | None, ignored: set[str]) -> list[Fault]:
    """Say which files have other columns than most, but for the target and what is ignored."""
    own = [frozenset({*file.names} - {target} - ignored) for file in files]
    usual = max(dict.fromkeys(own), key=lambda names: (own.count(names), len(names)))
    faults = []
    for file, names in zip(files, own, strict=True):
        if names != usual:
            other = files[own.index(usual)].path
            differ = ", ".join(
                f"{listed(sorted(some))} {'is' if len(some) == 1 else 'are'} in {name} alone"
                for some, name in ((names - usual, file.path.name), (usual - names, other.name))
                if some
            )
            faults.append(
                Fault(
                    f"{file.path}: its columns are not those of {other}: {differ}",
                    "give all files the same columns; or name these in data.ignore_columns; or remove a file",
                )
            )
    return faults
