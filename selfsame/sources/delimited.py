"""The text of CSV files: which sign separates the values, at which line one breaks, and why."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mode

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.sources.faults import SHOWN, shortened
from selfsame.sources.store import readable
from selfsame.sources.words import NUMBER

SEPARATORS = ",;\t|"
SAMPLE_CHARACTERS = 256 * 1024
SAMPLE_LINES = 3  # however long, up to
LONGEST_LINE = 1 << 24
MARKS = {  # the longer ones first: that of UTF-32 begins as that of UTF-16 does
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
csv.field_size_limit(1 << 28)  # or a long text stops the search for what is wrong


class NoHeaderError(SelfsameError):
    """The first line of a file holds values, not names."""


class PreambleError(SelfsameError):
    """Lines before the header hold something else.

    Attributes:
        lines: how many.
    """

    def __init__(self, what: str, lines: int) -> None:
        super().__init__(what, f"set data.skip_rows to {lines}, or remove them")
        self.lines = lines


@dataclass(frozen=True)
class Layout:
    """How the text of one file is cut into values.

    Attributes:
        skipped: lines before the header.
        block: bytes that are read at once; a line must fit into them.
    """

    path: Path
    encoding: str
    separator: str
    header: bool
    skipped: int
    block: int


def opened(path: Path) -> pa.NativeFile:
    """Open a file's bytes, unpacked."""
    source, packed = readable(path), "gzip" if path.suffix.lower() == ".gz" else None
    return pa.input_stream(source, compression=packed)


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """Open a file's text, unpacked, its line ends as they are."""
    raw = io.BufferedReader(opened(path))
    return io.TextIOWrapper(raw, encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")


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


def start_of(path: Path, chosen: str | None) -> tuple[str, str]:
    """Return the encoding and the file's first characters, up to a line's end.

    Args:
        chosen: ``data.encoding``; None goes by the byte-order mark.

    Raises:
        SelfsameError: the text is not of that encoding.
    """
    with opened(path) as stream:
        start = stream.read(4)
    found = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    encoding = chosen or found or "utf-8"
    try:
        codecs.lookup(encoding)
        with open_text(path, encoding) as lines:
            text = lines.read(SAMPLE_CHARACTERS)
            for _ in range(max(0, SAMPLE_LINES - text.count("\n")) if "\0" not in text else 0):
                text += lines.readline(LONGEST_LINE)
            whole = not lines.read(1)
    except LookupError:
        raise SelfsameError(
            f"params.yaml: data.encoding = {encoding!r}: no such encoding",
            "use utf-8, cp1252 (Windows), latin-1, utf-16, …",
        ) from None
    except UnicodeError:
        raise no_utf8(path, encoding) from None
    except (OSError, EOFError) as error:
        raise SelfsameError(f"{path}: can't be read: {error}", "fetch or save it again") from None
    if text.count("\0") > len(text) / 4:
        raise SelfsameError(
            f"{path}: its text has zero bytes, as UTF-16 without a byte-order mark has",
            "set data.encoding to utf-16-le, or save it as UTF-8",
        )
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SelfsameError(
            f"{path}, line {line}: a zero byte, which no text has", "remove it, or save the file again"
        )
    return encoding, text if whole else text[: text.rfind("\n") + 1 or None]


def sniff(text: str) -> str:
    """Return the separator that cuts the first lines into the most values, nearly all of them alike."""
    best, most = ",", (False, False, 1, 0.0)
    for candidate in SEPARATORS:
        widths = [len(record) for record in first_records(text, candidate, 100)]
        if not widths:
            continue
        usual = mode(widths)
        alike = widths.count(usual) / len(widths)
        rank = (alike > 0.9, widths[0] == usual, usual, alike)  # decimal commas don't cut the header
        if usual > 1 and alike >= 0.6 and rank > most:
            best, most = candidate, rank
    return best


def refuse_another_width(
    path: Path, records: list[list[str]], text: str, separator: str, header: bool, skipped: int
) -> None:
    """Stop if the first lines are cut into another number of values than those that follow.

    Args:
        records: of the text's start.
        skipped: lines before the text.
    """
    widths = [len(record) for record in records]
    usual = mode(widths[1:]) if len(widths) > 2 else widths[0]
    first = widths.index(usual) if usual in widths else 0
    if first == 0 or widths.count(usual) < 0.6 * len(widths):
        return
    if first == 1 and header and widths[0] == usual - 1 > 1:
        raise SelfsameError(
            f"{path}: its header has {widths[0]} values and the lines below it {usual}: the first column "
            "has no name, or each line ends in a separator",
            "give the first column a name in the header, or take the separators at the lines' ends away",
        )
    if first and widths[0] < usual:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        lines = skipped + next(
            reader.line_num for place, _ in enumerate(filter(None, reader), 1) if place == first
        )
        raise PreambleError(
            f"{path}: line 1, {shortened(separator.join(records[0]))}, is not of the table: it has "
            f"{widths[0]} values, and line {lines + 1} and most others {usual}",
            lines,
        )


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
            if sum(map(len, record)) > layout.block // 2:
                return SelfsameError(
                    f"{layout.path}: line {line} has {sum(map(len, record)):,} characters, too many",
                    "shorten its values; or look for a quotation mark that isn't closed",
                )
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
    with io.BufferedReader(opened(path)) as raw:
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
