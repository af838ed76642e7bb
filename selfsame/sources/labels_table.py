"""A table beside photos that says of each what it shows: which column names the files, which the class."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.sources.columns import is_date, is_number, is_text
from selfsame.sources.faults import Fault, counted, listed
from selfsame.sources.files import Reading, TableFile, open_table_file
from selfsame.sources.store import StoreError
from selfsame.sources.words import tidy

USUAL_TARGETS = ("label", "class", "target", "category", "y", "diagnosis", "species")


@dataclass
class LabelsTable:
    """What a table says of photos.

    Attributes:
        names: its column with the photos' names.
        target: its column with the class.
        rows: of every photo that it names the class's word and the further columns.
        kept: names of the further columns.
    """

    path: Path
    names: str = ""
    target: str = ""
    rows: dict[Path, tuple[str, dict[str, str | None]]] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_labels_table(path: Path, photos: list[Path], target: str | None) -> LabelsTable:
    """Read a table's rows and find the photo of each.

    Args:
        target: the column with the class; None if there is only one, or one with a usual name.

    Raises:
        SelfsameError: the table can't be read, or names no photos.
    """
    try:
        file = open_table_file(path, Reading())
        lines = list(_lines(file))
    except StoreError:
        raise
    except SelfsameError as error:
        fix = "save it as UTF-8 with the columns file and label, or remove it"
        raise SelfsameError(f"{error.what}; it lies beside photos, as a table of their labels", fix) from None
    known = Names(photos)
    fits = {
        name: sum(line[name] in known for line in lines if line[name]) / max(1, len(lines))
        for name in file.names
    }
    names_file = max(fits, key=lambda name: fits[name])
    if fits[names_file] < 0.5:
        words = listed((lines[0][name] for name in file.names if lines), 3)
        raise SelfsameError(
            f"{path}: lies beside photos, and none of its columns names them; its first row has {words}",
            "give it a column with the photos' file names, or remove it",
        )
    found = LabelsTable(path, names_file)
    if any(name in known for name in file.names):
        found.faults.append(
            Fault(
                f"{path}: its first line, {listed(file.names, 3)}, names a photo, not columns",
                "put a line such as file,label above it",
            )
        )
        return found
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
    if known.otherwise:
        found.notes.append(
            f"{path.name} names {counted(len(known.otherwise), 'photo')} by another ending or case than the "
            f"files have: {listed(sorted(known.otherwise), 3)}"
        )
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


class Names:
    """Photos by what a table may call them: their place or the end of it, with any slash, or the bare name.

    Another computer's folders may stand before it, and case and ending may be others: ``otherwise`` has such
    names that were looked up. A name that two photos have means neither.
    """

    def __init__(self, photos: list[Path]) -> None:
        self._exact: dict[str, set[Path]] = {}
        self._alike: dict[str, set[Path]] = {}
        self.otherwise: set[str] = set()
        for photo in photos:
            for end in _ends(photo.as_posix()):
                for names in (self._exact, self._alike):
                    for name in (end, end.removesuffix(photo.suffix)):
                        key = name if names is self._exact else name.casefold()
                        names.setdefault(key, set()).add(photo)

    def __contains__(self, word: str | None) -> bool:
        return word is not None and self._find(word) is not None

    def __getitem__(self, word: str | None) -> Path:
        found = self._find(word or "")
        assert found is not None
        return found

    def _find(self, word: str) -> Path | None:
        ends = list(_ends(word.replace("\\", "/")))
        for end in ends:
            if len(found := self._exact.get(end, set())) == 1:
                return next(iter(found))
        for end in ends:
            bare = end.removesuffix(PurePosixPath(end).suffix)
            for name in (end, bare):
                if len(found := self._alike.get(name.casefold(), set())) == 1:
                    self.otherwise.add(word)
                    return next(iter(found))
        return None


def _ends(place: str) -> Iterator[str]:
    """Yield a place, then what is left of it without the first folder, without the first two, and so on."""
    parts = [part for part in tidy(place).split("/") if part not in ("", ".")]
    for start in range(len(parts)):
        yield "/".join(parts[start:])
