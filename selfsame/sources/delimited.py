"""The text of CSV files: which sign separates the values, at which line one breaks, and why."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.sources.faults import SHOWN
from selfsame.sources.words import NUMBER

SEPARATORS = ",;\t|"


@dataclass(frozen=True)
class Layout:
    """How the text of one file is cut into values.

    Attributes:
        skipped: lines before the header.
    """

    path: Path
    encoding: str
    separator: str
    header: bool
    skipped: int


def opened(path: Path) -> pa.NativeFile:
    """Open a file's bytes, unpacked."""
    return pa.input_stream(str(path), compression="detect")


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """Open a file's text, unpacked, its line ends as they are."""
    return io.TextIOWrapper(
        _unpacked(path), encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=""
    )


def _unpacked(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def records(layout: Layout) -> Iterator[tuple[int, int, list[str]]]:
    """Yield row number from 0, line number from 1, and values of each record below the header."""
    with open_text(layout.path, layout.encoding) as lines:
        for _ in range(layout.skipped):
            lines.readline()
        reader = csv.reader(lines, delimiter=layout.separator)
        row, before = -int(layout.header), layout.skipped
        for record in reader:
            if record:
                if row >= 0:
                    yield row, before + 1, record
                row += 1
            before = layout.skipped + reader.line_num


def sniff(text: str) -> str:
    """Return the separator that cuts the first lines into the most values, nearly all of them alike."""
    best, most = ",", (0.0, 1)
    for candidate in SEPARATORS:
        widths = [len(record) for record in first_records(text, candidate, 100)]
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if alike >= 0.6 and (alike > 0.9, widths[0]) > most:
            best, most = candidate, (alike > 0.9, widths[0])
    return best


def first_records(text: str, separator: str, most: int) -> list[list[str]]:
    """Cut the start of a text into records; blank lines are none."""
    records = []
    try:
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if record:
                records.append(record)
            if len(records) == most:
                break
    except csv.Error:
        pass  # what is wrong is said, with its line, when the rows are read
    return records


def looks_like_data(records: list[list[str]]) -> bool:
    """Tell whether the first line is of the others' kind: numbers where they have numbers."""
    first, others = records[0], [record for record in records[1:] if len(record) == len(records[0])]
    numeric = [place for place, word in enumerate(first) if NUMBER.fullmatch(word.strip())]
    alike = [
        place for place in numeric if others and all(NUMBER.fullmatch(row[place].strip()) for row in others)
    ]
    named = [word for word in first if word.strip() and not NUMBER.fullmatch(word.strip())]
    return len(alike) > len(named) / 2 and bool(alike)


def why_not(layout: Layout, width: int, said: str) -> SelfsameError:
    """Find out why a file couldn't be read to its end, by going through it again.

    Args:
        width: values that each record should have.
        said: what the reader said of it.
    """
    wrong = []
    try:
        for _, line, record in records(layout):
            if len(record) != width:
                wrong.append(f"line {line} has {len(record)}")
    except UnicodeError:
        return no_utf8(layout.path, layout.encoding)
    except (OSError, EOFError, csv.Error) as error:
        return SelfsameError(f"{layout.path}: can't be read: {error}", "fetch or save it again")
    if not wrong:
        return SelfsameError(
            f"{layout.path}: can't be read: {said}",
            "look for a quotation mark that isn't closed, and mend it",
        )
    more = f" (and {len(wrong) - SHOWN} more lines)" if len(wrong) > SHOWN else ""
    return SelfsameError(
        f"{layout.path}: its header has {width} values, separated by {layout.separator!r}; "
        f"{', '.join(wrong[:SHOWN])}{more}",
        "mend these lines: quote a value that holds the separator; or set data.separator, data.skip_rows",
    )


def no_utf8(path: Path, encoding: str) -> SelfsameError:
    """Say at which line a file's bytes are not of the encoding, and what they may be."""
    with _unpacked(path) as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode(encoding)
            except UnicodeError as error:
                bad = line[getattr(error, "start", 0) :][:1]
                return SelfsameError(
                    f"{path}, line {number}: the byte 0x{bad.hex()} is not {encoding.upper()} text; "
                    f"as Windows-1252 it is {bad.decode('cp1252', 'replace')!r}",
                    "set data.encoding, to cp1252 for example, or save the file as UTF-8",
                )
    return SelfsameError(f"{path}: not {encoding} text", "set data.encoding, or save the file as UTF-8")
