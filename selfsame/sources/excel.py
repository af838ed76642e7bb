"""The sheet of an Excel file as text, for whom has openpyxl installed."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.sources.delimited import PreambleError
from selfsame.sources.store import StoreError, readable


def read_sheet(path: Path, header: bool, skip_rows: int) -> tuple[tuple[str, ...], pa.RecordBatch]:
    """Return the names of the columns, and the rows as text.

    Raises:
        SelfsameError: openpyxl isn't installed, the file can't be read, or several of its sheets have rows.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise SelfsameError(
            f"{path}: an Excel file, and openpyxl, which reads it, is not installed",
            "save it as CSV; or pip install openpyxl",
        ) from None
    try:
        book = load_workbook(readable(path), read_only=True, data_only=True)
        sheets = {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book}
    except StoreError:
        raise
    except Exception as error:  # it raises whatever its parsers raise
        raise SelfsameError(f"{path}: can't be read: {error}", "save it as CSV") from None
    used = {
        title: rows for title, rows in sheets.items() if any(any(_word(each) for each in row) for row in rows)
    }
    if len(used) != 1:
        raise SelfsameError(
            f"{path}: {len(used)} of its sheets have rows: {', '.join(used) or 'none'}",
            "save the one that you want as CSV",
        )
    rows = [[_word(each) for each in row] for row in next(iter(used.values()))[skip_rows:]]
    if not any(any(row) for row in rows):
        raise SelfsameError(f"{path}: no rows below the first {skip_rows}", "set data.skip_rows to fewer")
    width = max(place + 1 for row in rows for place, word in enumerate(row) if word)
    rows = [[*row[:width], *[None] * (width - len(row))] for row in rows]
    filled = [sum(bool(word and word.strip()) for word in row) for row in rows]
    if header and 0 < filled[0] < 0.5 * max(filled) and (first := filled.index(max(filled))):
        lines = skip_rows + first
        raise PreambleError(
            f"{path}: row {skip_rows + 1} has {filled[0]} values and row {lines + 1} {max(filled)}", lines
        )
    names = (
        [word or "" for word in rows.pop(0)] if header else [f"column_{place + 1}" for place in range(width)]
    )
    rows = [row for row in rows if any(row)]
    if not rows:
        raise SelfsameError(f"{path}: no rows below the header", "give it some, or remove it")
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return tuple(names), pa.record_batch(columns, names=[str(place) for place in range(width)])


def _word(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").removesuffix(" 00:00:00")
    if isinstance(value, date):
        return value.isoformat()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
