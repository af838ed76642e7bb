"""Rows that a scoring abstained from, for people to label: their answers bring the rows into the data.

A row that is asked for lies beside the request as its own file had it. When its label comes, it goes to
``data.path`` without one, so that it is a row of the pool like any other, and the label to ``labels.csv``: it
is learned, and never judges.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from selfsame.active.request import FOLDER, POOL, Question, Request
from selfsame.core.annotations import read_annotations
from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS, CHAMPION, ID, TO_SCORE
from selfsame.core.tables import TableInfo, example_ids
from selfsame.params.active_learning import ActiveLearningParams
from selfsame.params.data import DATA
from selfsame.params.reading import load_section
from selfsame.scoring.predictor import load_model
from selfsame.scoring.prepare import Preparation
from selfsame.scoring.read import Rows, read_files
from selfsame.scoring.score import read_scoring

ASKED = FOLDER / "asked_rows.parquet"
FILE = "asked_file"  # the column of ASKED with a photo's place
STRATEGY = "abstained"


def ask_from(folder: Path, own: ActiveLearningParams) -> tuple[Request, int]:
    """Return the least confident of the rows that a scoring abstained from; and how many can't be asked for.

    These have a value that the training never had: in the data it would make a feature, and other ids.

    Raises:
        SelfsameError: it isn't a scoring of classes, its inputs or the data are no longer there, or nothing
            is left to ask for.
    """
    scoring = read_scoring(folder)
    table = ds.dataset(folder / "predictions")
    if "abstained" not in table.schema.names:
        raise SelfsameError(f"{folder}: values are not abstained from", "name a scoring of classes")
    columns = ["file", "row", "predicted", "confidence"]
    rows = table.to_table(columns, filter=pc.field("abstained")).sort_by("confidence").to_pylist()
    model, info = load_model(CHAMPION, "cpu"), TableInfo.of(POOL)
    if model.info != info or any(column.kind == "date" for column in info.columns):
        why = "not the kind of rows that the champion learned"
        if model.info == info:
            why = "it has a column of dates, whose ages a later row would change, and all ids with them"
        raise SelfsameError(f"{POOL}: {why}", "put labeled rows into data.path by hand, and run 'dvc repro'")
    _place()
    answered = read_annotations(ANNOTATIONS)
    wanted = {(row["file"], row["row"]): row for row in rows}
    found: dict[str, tuple[Question, pa.RecordBatch]] = {}
    strange = 0
    for some in _read(scoring["inputs"], {file for file, _ in wanted}, model.preparation):
        pairs = list(zip(some.files.to_pylist(), some.numbers.tolist(), strict=True))
        places = [place for place, pair in enumerate(pairs) if pair in wanted]
        for place, name in zip(places, example_ids(some.inputs[places]), strict=True):
            row, raw = wanted[pairs[place]], some.inputs[place]
            if _has_new_word(raw, info):
                strange += 1
            elif name not in answered:
                question = Question(name, row["row"], row["predicted"], 1 - row["confidence"], raw)
                found[name] = question, _own(some, place, name)
    least = sorted(found.values(), key=lambda each: -each[0].score)[: own.rows]
    if not least:
        raise SelfsameError(
            f"{folder}: no row is left to ask for: of {len(rows)} abstained ones {strange} have a value that "
            "the training never had, and the others are labeled",
            "put those into data.path by hand, with their labels",
        )
    pq.write_table(pa.concat_tables((pa.table(own) for _, own in least), promote_options="permissive"), ASKED)
    return Request(info, STRATEGY, tuple(question for question, _ in least)), strange


def asked_rows() -> set[str]:
    """Return the ids of the rows that the last request took from a scoring."""
    return set(pq.read_table(ASKED, columns=[ID])[ID].to_pylist()) if ASKED.is_file() else set()


def bring_in(ids: set[str]) -> None:
    """Put rows that were asked for, and have a label now, into the data: the same ones as the same file."""
    if not ids:
        return
    rows, place = pq.read_table(ASKED), _place()
    rows = rows.filter(pc.is_in(rows[ID], pa.array(sorted(ids), pa.string())))
    if FILE in rows.column_names:
        (place / "unlabeled").mkdir(parents=True, exist_ok=True)
        for name, file in zip(rows[ID].to_pylist(), rows[FILE].to_pylist(), strict=True):
            shutil.copyfile(file, place / "unlabeled" / f"{name}{Path(file).suffix}")
        return
    partial = place / ".partial-asked"
    pq.write_table(rows.drop_columns([ID]), partial)
    partial.replace(place / f"asked-{sha256_file(partial)[:12]}.parquet")


def _place() -> Path:
    """Return the folder that new rows go to."""
    data = load_section("data", DATA)
    place = Path(data.path)
    if data.source not in ("table", "images") or place.is_file():
        raise SelfsameError(
            f"params.yaml: data.source = {data.source}, data.path = {place}: no folder that takes more rows",
            "use a table or photos of your own in a folder",
        )
    return place


def _read(inputs: dict[str, str], wanted: set[str], preparation: Preparation) -> Iterator[Rows]:
    """Yield the rows of the scored files that are wanted, which must be what they were."""
    paths = sorted(TO_SCORE / name for name in wanted)
    for path in paths:
        if not path.is_file() or sha256_file(path) != inputs[path.as_posix()]:
            raise SelfsameError(f"{path}: not the file that was scored", "put it back")
    yield from read_files(paths, lambda path: path.relative_to(TO_SCORE).as_posix(), preparation, keep=True)


def _own(some: Rows, place: int, name: str) -> pa.RecordBatch:
    """Return a row as its file has it, with its id; of a photo the file's place."""
    if some.own is None:
        return pa.record_batch({ID: [name], FILE: [(TO_SCORE / some.files[place].as_py()).as_posix()]})
    row = some.own.slice(place, 1)
    return pa.record_batch([pa.array([name]), *row.columns], names=[ID, *row.schema.names])


def _has_new_word(raw: np.ndarray, info: TableInfo) -> bool:
    start = 0
    for column in info.columns:
        size = len(column.values) if column.kind == "text" else 1
        if column.kind == "text" and not raw[start : start + size].any():
            return True
        start += size
    return False
