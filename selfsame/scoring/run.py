"""Predict a whole input: rows in, predictions out, some rows in memory at a time."""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from selfsame.core.ahead import read_ahead
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import WEIGHTS
from selfsame.engine import Engine, in_process
from selfsame.scoring.columns import Columns, Summary
from selfsame.scoring.read import Rows, read_rows
from selfsame.scoring.write import STANDARD_OUTPUT, Output


class Tally(Protocol):
    """Counts something while rows are predicted.

    Attributes:
        key: of the metadata in which the output tells it.
    """

    key: str

    def add(self, inputs: np.ndarray, made: list[pa.Array]) -> None:
        """Count rows, with the columns of their predictions."""
        ...

    def told(self, summary: Summary) -> str:
        """Return what the output is to say of all its rows."""
        ...


def predict_place(place: Path, target: str, columns: Columns, over: Engine = in_process) -> Summary:
    """Predict a file, or all files of a folder, and write the predictions to ``target``.

    Each row has its ``file``, its number in it (``row``), its own columns if they are wished for, and the
    prediction.

    Args:
        over: who predicts, some rows at a time.

    Raises:
        SelfsameError: an input can't be used, or the output can't be written; nothing is written then.
    """
    _refuse_itself(place, target)
    rows = read_rows(place, columns.model.preparation, columns.wish.keep)
    return predict_rows(rows, place, target, columns, over=over)


def predict_rows(
    rows: Iterator[Rows],
    place: Path,
    target: str,
    columns: Columns,
    tally: Tally | None = None,
    over: Engine = in_process,
) -> Summary:
    """Predict rows that are read while they are predicted, likewise.

    Args:
        place: where they come from, for messages.
        tally: of what is to be counted; the output is then a Parquet file.
    """
    summary = Summary()
    first = next(rows, None)
    own = first.own.schema if first is not None and first.own is not None else pa.schema([])
    schema = pa.schema([pa.field("file", pa.string()), pa.field("row", pa.int64()), *own, *columns.fields])
    if taken := sorted({name for name in schema.names if schema.names.count(name) > 1}):
        raise SelfsameError(
            f"{place}: it has a column {taken[0]!r}, and so have the predictions",
            "rename it, or leave out --keep",
        )
    waiting: deque[Rows] = deque()

    def inputs() -> Iterator[np.ndarray]:
        for some in read_ahead(chain([first], rows)) if first is not None else ():
            waiting.append(some)
            yield some.inputs

    with Output(target, schema, {**columns.model.about, **columns.facts}) as output:
        for made, abstained in over(columns.of, inputs()):
            some = waiting.popleft()
            if (some.own.schema if some.own is not None else pa.schema([])) != own:
                raise SelfsameError(
                    f"{place}: its files have different columns",
                    "leave out --keep, or predict them one by one",
                )
            kept = [] if some.own is None else some.own.columns
            numbers = pa.array(some.numbers)
            output.write(pa.record_batch([some.files, numbers, *kept, *made], names=schema.names))
            if tally is not None:
                tally.add(some.inputs, made)
            summary.rows += len(some.inputs)
            summary.abstained += abstained
        if tally is not None:
            output.tell(tally.key, tally.told(summary))
    return summary


def notes(columns: Columns, summary: Summary) -> list[str]:
    """Return, sentence by sentence, what a person should know of predictions that were made."""
    weights = columns.model.digests[WEIGHTS]
    return [
        *columns.model.preparation.notes(),
        *columns.notes(summary),
        f"model: sha256 of {WEIGHTS} {weights}",
    ]


def _refuse_itself(place: Path, target: str) -> None:
    if target != STANDARD_OUTPUT and Path(target).resolve().is_relative_to(place.resolve()):
        raise SelfsameError(
            f"{target}: it is, or lies in, what is to be predicted", "write the predictions to another place"
        )
