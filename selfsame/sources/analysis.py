"""One pass over a table's files that learns what every column is, and what is wrong with it.

``table`` goes by it, ``selfsame inspect`` shows it and ``selfsame init`` proposes from it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import KEPT
from selfsame.core.tables import Column
from selfsame.params.data import Table
from selfsame.sources.columns import (
    blank_rows,
    features_of,
    is_date,
    is_number,
    is_text,
    kept_words,
    text_of_bytes,
    typed_column,
)
from selfsame.sources.faults import Fault, counted, listed, stop_if_any
from selfsame.sources.files import Reading, TableFile, check_same_columns, open_all, reading_of
from selfsame.sources.place import Place as Folder
from selfsame.sources.place import columns_in_folders, look_through, parts
from selfsame.sources.seen import Place, Seen
from selfsame.sources.source import HOLDOUT, TRAIN, VALIDATION
from selfsame.sources.spill import Spill, read_spilled
from selfsame.sources.target import ClassTarget, Target, new_target
from selfsame.sources.verdict import Context, Verdict, judge, of_one_side
from selfsame.sources.words import tidy

TARGET = ":target"


@dataclass
class Analysis:
    """What a table is.

    Attributes:
        own: of every file, what its rows are set aside for; None where the layout says nothing of that.
        rows: of every file.
        blank: rows of all files without any value.
        verdicts: of every column but the target and the ignored ones, by name.
        ignored: columns that are no input.
        spilled: the columns as they were read, for a second pass, where they were kept.
    """

    place: Folder
    params: Table
    files: list[TableFile]
    own: list[int] | None
    target: Target
    rows: list[int] = field(default_factory=list)
    labeled: list[int] = field(default_factory=list)
    blank: int = 0
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    spilled: IO[bytes] | None = None

    @property
    def reading(self) -> Reading:
        """Return how the files are read."""
        return reading_of(self.params)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the columns that become features, by name, so that their order in a file doesn't count."""
        found = (each.column for _, each in sorted(self.verdicts.items()))
        return tuple(column for column in found if column is not None)

    def line(self, place: tuple[int, int]) -> str:
        """Return where a row stands, for a message."""
        file = self.files[place[0]]
        return (
            file.line(place[1])
            if len(self.files) == 1
            else f"{self.place.name(file.path)}, {file.line(place[1])}"
        )


def analyze_table(root: Path, params: Table, spill: IO[bytes] | None = None) -> Analysis:
    """Read all files at ``root`` once.

    Args:
        spill: a file that the typed columns are written to, so that they needn't be read again.

    Raises:
        SelfsameError: a file can't be read at all, or has no such column; other faults are gathered.
    """
    place = look_through(root)
    if not place.files:
        raise SelfsameError(
            f"data.path = {root}: no file is there", "put a CSV, TSV or Parquet file there, or set data.path"
        )
    files = open_all(place.files, reading_of(params))
    target = tidy(params.target_column)
    _check_names(files, target, params)
    found = Analysis(place, params, files, None, new_target(target, params), ignored=_ignored(params))
    found.notes += [*place.note, *columns_in_folders(place)]
    found.faults += check_same_columns(files, target, set(found.ignored))
    stop_if_any(found.faults)
    as_text = {*map(tidy, params.category_columns), *found.ignored}
    if _pass(found, as_text, spill):  # a column of numbers turned out to be text: look at it as such
        changed = {name for name, seen in found.seen.items() if seen.changed}
        found.target = new_target(target, params)
        _pass(found, as_text | changed, spill)
    found.spilled = spill
    _judge_all(found)
    _settle_parts(found)
    return found


def _ignored(params: Table) -> list[str]:
    return [] if params.ignore_columns == "auto" else list(map(tidy, params.ignore_columns))


def _check_names(files: list[TableFile], target: str, params: Table) -> None:
    """Stop when a key names a column that no file has."""
    keys = {
        "data.target_column": [target],
        "data.ignore_columns": _ignored(params),
        "data.category_columns": map(tidy, params.category_columns),
        "data.date_columns": map(tidy, params.date_columns),
    }
    faults = []
    for key, names in keys.items():
        for name in names:
            if any(name in file.names for file in files):
                continue
            every = files[0].names
            near = get_close_matches(name, every, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"its columns are {listed(every, 40)}"
            if len(every) == 1:
                fix += "; if these are several, set data.separator"
            faults.append(Fault(f"{key} = {name!r}: {files[0].path} has no such column", fix))
    stop_if_any(faults)


def _pass(found: Analysis, as_text: set[str], spill: IO[bytes] | None) -> bool:
    """Look at every row; tell whether a column changed its kind under way."""
    dates = {tidy(name): pattern for name, pattern in found.params.date_columns.items()}
    found.seen = {
        name: Seen(name, as_text=name in as_text, as_date=name in dates, pattern=dates.get(name))
        for name in found.files[0].names
        if name != found.target.name and name not in found.ignored
    }
    found.rows, found.labeled = [], []
    changed, blank = False, 0
    with Spill(spill) as spilled:
        for number, file in enumerate(found.files):
            rows = labeled_rows = 0
            for piece in file.pieces(list(file.names)):
                taken, labeled = _take(found, piece, (number, rows))
                blank += blank_rows(piece)
                rows += len(piece)
                labeled_rows += int(labeled.sum())
                changed = changed or any(seen.changed for seen in found.seen.values())
                if not changed:
                    spilled.write(number, taken)
            found.rows.append(rows)
            found.labeled.append(labeled_rows)
    found.blank = blank
    return changed


def _take(found: Analysis, piece: pa.RecordBatch, place: Place) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Look at some rows of a file; return their columns as they are taken, and which have a label."""
    reading, taken = found.reading, {}
    if found.target.name in piece.schema.names:
        words, labeled = found.target.take(piece.column(found.target.name), place, reading)
    else:
        words = pa.repeat(found.target.none, len(piece))
        labeled = np.zeros(len(piece), bool)
        found.target.take_none(len(piece))
    taken[TARGET] = words
    for name, seen in found.seen.items():
        values = piece.column(name)
        if not (is_text(values.type) or is_number(values.type) or pa.types.is_null(values.type)):
            if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
                values = text_of_bytes(values)
            if not is_text(values.type) and not (is_date(values.type) and seen.as_date):
                seen.other_type = str(values.type)
                values = pa.nulls(len(values))
        taken[name] = seen.take(values, labeled, place, reading)
    for name in found.ignored:
        taken[KEPT + name] = kept_words(piece, name)
    return taken, labeled


def _judge_all(found: Analysis) -> None:
    """Decide on every column and on the target; gather what is wrong and what is worth knowing."""
    params = found.params
    found.faults += found.target.settle(found.line)
    context = Context(found.reading, found.line, {*map(tidy, params.category_columns)})
    for seen in found.seen.values():
        verdict = judge(seen, context)
        if params.ignore_columns == "auto" and verdict.ignore:
            found.ignored.append(seen.name)
            found.notes.append(f"column {seen.name!r} is left out: {verdict.why}")
            continue
        found.verdicts[seen.name] = verdict
        found.notes += [verdict.note] if verdict.note else []
        if verdict.fault:
            where = found.files[0].path if len(found.files) == 1 else found.place.root
            found.faults.append(Fault(f"{where}: {verdict.fault.what}", verdict.fault.fix))
    if found.blank:
        found.notes.append(
            f"{counted(found.blank, 'row')} without any value: of the pool, as others without a label"
        )
    found.faults += _header_of_values(found)
    total, labeled = sum(found.rows), sum(found.labeled)
    if 0 < labeled < total:
        sound = {name for name, verdict in found.verdicts.items() if not verdict.fault}
        taken = [seen for name, seen in found.seen.items() if name in sound and seen.known]
        found.notes += [note for seen in taken if (note := of_one_side(seen))]
    names = [feature for column in found.columns for feature in features_of(column)]
    if not found.verdicts:
        found.faults.append(
            Fault(
                f"{found.place.root}: no column is left beside the target",
                "give the table columns to learn from",
            )
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        found.faults.append(
            Fault(f"{found.place.root}: two features would be called {listed(twice)}", "rename a column")
        )


def _header_of_values(found: Analysis) -> list[Fault]:
    """Say that the names of columns stand among their values too, so that the first line may be a row."""
    words = {seen.name: seen.words for seen in found.seen.values() if seen.as_text}
    if isinstance(found.target, ClassTarget):
        words[found.target.name] = found.target.words
    same = [name for name, counts in words.items() if counts.get(name, 0) > 1]
    if len(same) < 2 or 2 * len(same) < len(words) or not found.reading.header:
        return []
    return [
        Fault(
            f"{found.files[0].path}: {listed(same, 3)} are names of columns and values in them: the first "
            "line may be a row",
            "set data.header to false (the columns are then column_1, column_2, …), or rename these columns",
        )
    ]


def _settle_parts(found: Analysis) -> None:
    """Find out whether the files are parts of a usual layout: by their folders, or by their own names."""
    root = found.place.root
    if found.place.is_file:
        return
    tops = [file.path.relative_to(root).parts for file in found.files]
    names = [top[0] if len(top) > 1 else top[0].split(".")[0] for top in tops]
    own = parts(sorted(set(names)), root)
    if own is None:
        return
    codes = [own.get(name, TRAIN) for name in names]
    aside = {code for code, labeled in zip(codes, found.labeled, strict=True) if labeled and code != TRAIN}
    for code, name, labeled in zip(codes, names, found.labeled, strict=True):
        if code in (VALIDATION, HOLDOUT) and not labeled:
            found.notes.append(f"{name} has no labels: its rows go to the pool")
    found.own = codes if aside else None


def second_pass(found: Analysis) -> Iterator[tuple[int, dict[str, pa.Array]]]:
    """Yield the rows again, in order: the file's number, and the columns as their kinds.

    Under ``TARGET`` stands the target as its ``take`` returned it, under ``KEPT`` and a name each column that
    is no feature.
    """
    if found.spilled is not None:
        yield from read_spilled(found.spilled)
        return
    columns, target = (
        {each.name: each for each in found.columns},
        new_target(found.target.name, found.params),
    )
    for number, file in enumerate(found.files):
        for piece in file.pieces(list(file.names)):
            if target.name in file.names:
                taken = {TARGET: target.take(piece.column(target.name), (number, 0), found.reading)[0]}
            else:
                taken = {TARGET: pa.repeat(target.none, len(piece))}
            for name, column in columns.items():
                taken[name] = typed_column(piece.column(name), column, found.reading)
            yield number, taken | {KEPT + name: kept_words(piece, name) for name in found.ignored}
