"""Rows taken out of the files that they were read from: every other byte of text stays as it is."""

import codecs
import csv
import gzip
import io
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from selfsame.core.errors import SelfsameError
from selfsame.params.data import DataParams, Images, Table
from selfsame.sources.delimited import Layout, open_text
from selfsame.sources.files import Reading, TableFile, open_table_file
from selfsame.sources.images import find_photos
from selfsame.sources.labels_table import Names
from selfsame.sources.place import files_at
from selfsame.sources.store import listing_of
from selfsame.sources.words import tidy
from selfsame.start.survey import Survey

Drop = Callable[[int, list[str]], bool]  # of a row's number and its values


@dataclass(frozen=True)
class Taken:
    """What was taken out of a copy of the source.

    Attributes:
        changed: files that have another content now, or are gone, by their place below the source's root.
        words: the bytes that were taken out and may stand elsewhere too: lines of text, whole photos.
    """

    changed: tuple[Path, ...]
    words: tuple[bytes, ...]


def require_writable(params: DataParams) -> None:
    """Stop, before anything is read, at a source that erase can't write.

    Raises:
        SelfsameError: the source is none of a table and photos, or lies in an object store.
    """
    if any(listing_of(file) for file in files_at(Path(params.path))):
        raise SelfsameError(
            f"data.path = {params.path}: erase can't write the objects that it lists",
            "take the rows out of them in the store; then 'selfsame refresh' and 'dvc repro'",
        )
    if not isinstance(params, Table | Images):
        raise SelfsameError(
            f"data.source = {params.source}: erase can't write its files, the publisher's or arrays",
            "withdraw the rows with split.exclude: they have no role then, but stay in the source",
        )


def copy_without(found: Survey, params: DataParams, rows: Collection[int], copy: Path) -> Taken:
    """Make a copy of a source without some of its rows; what doesn't change is linked to.

    Args:
        rows: positions in the source, as ``source_row`` of the examples.
        copy: the file or folder to make.

    Raises:
        SelfsameError: a file that has one of the rows is none of those that can be written.
    """
    root = found.place
    _link(root, copy)
    words: list[bytes] = []
    if isinstance(params, Images):
        album = find_photos(root, params)
        gone = {album.photos[row].path for row in rows}
        words += [path.read_bytes() for path in gone]
        changed = [path.relative_to(root) for path in sorted(gone)]
        for path in changed:
            (copy / path).unlink()
        if album.table:
            known = Names([photo.path for photo in album.photos])
            table = open_table_file(album.table.path, Reading())
            column = table.names.index(album.table.names)
            place = album.table.path.relative_to(root)

            def names_one(_: int, values: list[str]) -> bool:
                return tidy(values[column]) in known and known[tidy(values[column])] in gone

            count, lines = _rewrite(table, copy / place, names_one)
            words += lines
            changed += [place] if count else []
        return Taken(tuple(changed), tuple(words))
    assert found.analysis is not None
    changed, start = [], 0
    for file, count in zip(found.analysis.files, found.analysis.rows, strict=True):
        own = {row - start for row in rows if start <= row < start + count}
        start += count
        if own:
            place = Path() if root.is_file() else file.path.relative_to(root)
            words += _rewrite(file, copy / place, lambda row, _, own=own: row in own)[1]  # type: ignore[misc]
            changed.append(place)
    return Taken(tuple(changed), tuple(words))


def _link(root: Path, copy: Path) -> None:
    """Make ``copy`` look like ``root``, with links to its files."""
    if root.is_file():
        copy.symlink_to(root.resolve())
        return
    for path in sorted(root.rglob("*")):
        target = copy / path.relative_to(root)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(path.resolve())


def _rewrite(file: TableFile, target: Path, drop: Drop) -> tuple[int, list[bytes]]:
    """Write a table's file to ``target`` without some rows; count them, and return their lines."""
    target.unlink()  # the link
    if file.layout is not None:
        lines = _rewrite_text(file.layout, target, drop)
        return len(lines), lines
    if file.sheet is not None:
        raise SelfsameError(
            f"{file.path}: erase can't write Excel files",
            "save it as CSV in its place, or delete the row in it by hand and run 'dvc repro'",
        )
    table = pq.read_table(file.path)
    stay = [not drop(row, [str(value) for value in values.values()]) for row, values in _rows(table)]
    pq.write_table(table.filter(np.array(stay)), target)
    return stay.count(False), []


def _rows(table: "pq.Table") -> Iterator[tuple[int, dict[str, object]]]:
    start = 0
    for batch in table.to_batches():
        yield from enumerate(batch.to_pylist(), start)
        start += batch.num_rows


def _rewrite_text(layout: Layout, target: Path, drop: Drop) -> list[bytes]:
    packed = layout.path.name.lower().endswith(".gz")
    with (gzip.open if packed else open)(layout.path, "rb") as raw:
        start = raw.read(4)
    mark = codecs.BOM_UTF8 if start.startswith(codecs.BOM_UTF8) and layout.encoding == "utf-8" else b""
    left_out: list[str] = []
    out = io.StringIO(newline="")
    with open_text(layout.path, layout.encoding) as lines:
        for _ in range(layout.skipped):
            out.write(lines.readline())
        taken: list[str] = []

        def told() -> Iterator[str]:
            for line in lines:
                taken.append(line)
                yield line

        row = -int(layout.header)
        for record in csv.reader(told(), delimiter=layout.separator):
            text = "".join(taken)
            taken.clear()
            if record and row >= 0 and drop(row, record):
                left_out.append(text)
            else:
                out.write(text)
            row += bool(record)
    content = mark + out.getvalue().encode(layout.encoding)
    with (gzip.open if packed else open)(target, "wb") as written:
        written.write(content)
    shutil.copymode(layout.path, target)
    return [text.strip().encode(layout.encoding) for text in left_out]
