"""Labels that people gave when they were asked: ``data/annotations/labels.csv``, small and kept in git."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS
from selfsame.core.text import read_text

DOUBTED = "doubtful label"


@dataclass(frozen=True)
class Annotation:
    """One answer.

    Attributes:
        label: the class, by its name.
        annotator: who gave it.
        labeled_at: when, as ISO 8601.
        strategy: how the row was chosen to be asked (``margin``, …); ``by hand`` if it wasn't; ``DOUBTED``
            if it had a label that looked wrong.
    """

    example_id: str
    label: str
    annotator: str
    labeled_at: str
    strategy: str


COLUMNS = [field.name for field in fields(Annotation)]


def read_annotations(path: Path) -> dict[str, Annotation]:
    """Read the answers by example id, in the order in which they came."""
    return parse_annotations(read_text(path), path)


def parse_annotations(text: str, path: Path) -> dict[str, Annotation]:
    """Read the answers from a file's text.

    Raises:
        SelfsameError: other columns than ``COLUMNS``, an empty field, or an example that stands there
            twice, as after a merge in git of two people's answers.
    """
    rows = csv.reader(io.StringIO(text))
    try:
        return _parse(rows, path)
    except csv.Error as error:  # a NUL, or a quote that is never closed
        raise SelfsameError(f"{path}: line {rows.line_num}: {error}", "mend that line") from None


def _parse(rows: Any, path: Path) -> dict[str, Annotation]:
    header: list[str] = next(rows, [])
    if header != COLUMNS:
        raise SelfsameError(f"{path}: its columns are {header}", f"make its first line {','.join(COLUMNS)}")
    found: dict[str, Annotation] = {}
    for row in rows:
        if len(row) != len(COLUMNS) or not all(row):
            raise SelfsameError(
                f"{path}: line {rows.line_num}, {','.join(row)!r}, lacks a value", "fill in every column"
            )
        one = Annotation(*row)
        other = found.get(one.example_id)
        if other is not None:
            raise SelfsameError(
                f"{path}: {one.example_id} stands there twice: {other.annotator} says {other.label!r}, "
                f"{one.annotator} {one.label!r}",
                "keep one of the two lines",
            )
        found[one.example_id] = one
    return found


def format_annotations(annotations: Iterable[Annotation]) -> str:
    """Return the file's text; the inverse of ``parse_annotations``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(astuple, annotations))
    return text.getvalue()


def class_indices(
    annotations: Mapping[str, Annotation], classes: Sequence[str], path: Path
) -> dict[str, int]:
    """Return every answer as an index into ``classes``, by example id.

    Raises:
        SelfsameError: an answer names no class.
    """
    for one in annotations.values():
        if one.label not in classes:
            raise SelfsameError(
                f"{path}: {one.annotator} says that {one.example_id} is {one.label!r}, which is no class",
                f"the classes are {', '.join(classes)}",
            )
    return {name: classes.index(one.label) for name, one in annotations.items()}


def answered(rows: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the rows that were answered, of those of every answer's example id.

    Raises:
        SelfsameError: an answer is about none.
    """
    if unknown := sorted(name for name, own in rows.items() if not own):
        raise SelfsameError(
            f"{ANNOTATIONS}: {unknown[0]!r} is no example of the data", "remove the line, or correct the id"
        )
    return [row for own in rows.values() for row in own]


def with_answers(rows: pa.RecordBatch, answers: Mapping[str, int]) -> pa.RecordBatch:
    """Return examples with the labels that people gave; they go before what the source says."""
    place = rows.schema.get_field_index("label")
    own = zip(*(rows.column(name).to_pylist() for name in ("example_id", "label")), strict=True)
    labels = pa.array([answers.get(*pair) for pair in own], rows.schema.field(place).type)
    return rows.set_column(place, rows.schema.field(place), labels)
