"""A table beside photos that says of each what it shows: which column names the files, which the class."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.sources.columns import is_date, is_number, is_text
from selfsame.sources.faults import Fault, counted, listed
from selfsame.sources.files import Reading, TableFile, open_table_file
from selfsame.sources.words import tidy

USUAL_TARGETS = ("label", "class", "target", "category", "y", "diagnosis", "species")


@dataclass
class LabelsTable:
    """What a table says of photos.

    Attributes:
        target: its column with the class.
        rows: of every photo that it names the class's word and the further columns.
        kept: names of the further columns.
    """

    path: Path
    target: str = ""
    rows: dict[Path, tuple[str, dict[str, str | None]]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)


def read_labels_table(path: Path, photos: list[Path], target: str | None) -> LabelsTable:
    """Read a table's rows and find the photo of each.

    Args:
        target: the column with the class; None if there is only one, or one with a usual name.

    Raises:
        SelfsameError: the table can't be read, or names no photos.
    """
    file = open_table_file(path, Reading())
    lines = list(_lines(file))
    known = _by_name(path, photos)
    fits = {
        name: sum(line[name] in known for line in lines if line[name]) / max(1, len(lines))
        for name in file.names
    }
    names_file = max(fits, key=lambda name: fits[name])
    if fits[names_file] < 0.5:
        raise SelfsameError(
            f"{path}: lies beside photos, and none of its columns names them",
            "give it a column with the photos' file names, or remove it",
        )
    found = LabelsTable(path)
    others = [name for name in file.names if name != names_file]
    usual = [name for name in others if name.lower() in USUAL_TARGETS]
    chosen = tidy(target) if target is not None else (others if len(others) == 1 else [*usual, ""])[0]
    if chosen not in others:
        found.faults.append(
            Fault(
                f"{path}: which column has the class? Beside {names_file!r} there are {listed(others, 20)}",
                "set data.target_column to it",
            )
        )
        return found
    found.target, found.kept = chosen, tuple(name for name in others if name != chosen)
    missing = [row for row, line in enumerate(lines) if line[names_file] not in known]
    if missing:
        words = listed(lines[row][names_file] or "" for row in missing)
        found.faults.append(
            Fault(
                f"{path}: {counted(len(missing), 'row')} of it name no photo that is there: {words}, "
                f"first at {file.line(missing[0])}",
                "bring the photos, or remove the rows",
            )
        )
    _fill(found, [(known[line[names_file]], line) for line in lines if line[names_file] in known])
    return found


def _fill(found: LabelsTable, lines: list[tuple[Path, dict[str, str | None]]]) -> None:
    against = []
    for photo, line in lines:
        word = tidy(line[found.target] or "")
        if photo in found.rows and found.rows[photo][0] != word:
            against.append(f"{photo.name}: {found.rows[photo][0]!r} and {word!r}")
        found.rows[photo] = (word, {name: line[name] for name in found.kept})
    if against:
        words = f"{counted(len(against), 'photo')} with two different classes: {'; '.join(against[:5])}"
        found.faults.append(Fault(f"{found.path}: {words}", "leave one row of each"))


def _lines(file: TableFile) -> Iterator[dict[str, str | None]]:
    for piece in file.pieces(list(file.names)):
        columns = {}
        for name in file.names:
            values = piece.column(name)
            readable = is_text(values.type) or is_number(values.type) or is_date(values.type)
            columns[name] = (
                values.cast(pa.string()) if readable else pa.nulls(len(values), pa.string())
            ).to_pylist()
        for values in zip(*columns.values(), strict=True):
            yield {
                name: None if word is None else tidy(word) for name, word in zip(columns, values, strict=True)
            }


def _by_name(table: Path, photos: list[Path]) -> dict[str | None, Path]:
    """Return every photo by what a table may call it: its place beside the table, its name, its bare name.

    A name that two photos have means neither.
    """
    names: dict[str, set[Path]] = {}
    for photo in photos:
        place = Path(os.path.relpath(photo, table.parent)).as_posix()
        for name in {place, photo.name, photo.stem}:
            names.setdefault(tidy(name), set()).add(photo)
    return {name: found.pop() for name, found in names.items() if len(found) == 1}
