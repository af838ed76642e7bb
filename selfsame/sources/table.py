"""A table of one's own: CSV, TSV, Parquet or Excel, one file or several, with the labels in one column."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa

from selfsame.core.layout import KEPT
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.params.data import Table
from selfsame.sources.analysis import TARGET, Analysis, analyze_table, second_pass
from selfsame.sources.columns import encode, feature_names
from selfsame.sources.faults import stop_if_any
from selfsame.sources.source import Batch, Source
from selfsame.sources.store import content_of
from selfsame.sources.target import ClassTarget


def table(place: Path, params: Table, spill: IO[bytes] | None = None) -> Source:
    """Return the rows of all files at ``place`` as one table; a row without a label is unlabeled.

    Args:
        spill: a file for columns that were read, so that they needn't be read twice.

    Raises:
        SelfsameError: naming everything that can't be used: file, line, column and value.
    """
    found = analyze_table(place, params, spill)
    stop_if_any(found.faults)
    return source_of(found)


def source_of(found: Analysis) -> Source:
    """Return an analyzed table as a source; faults that were found are not looked at."""
    names = [found.place.name(file.path) for file in found.files]
    columns, target = found.columns, found.target
    classes = target.classes.names if isinstance(target, ClassTarget) else ()
    return Source(
        TableInfo(
            "table",
            found.params.target_kind,
            classes,
            features=feature_names(columns),
            columns=columns,
            reading=asdict(found.reading),
        ),
        origin=f"own table: {', '.join(names)}; target {target.name}",
        license="not stated",
        content={name: content_of(file.path) for name, file in zip(names, found.files, strict=True)},
        batches=_batches(found),
        kept=tuple(found.ignored),
        facts=facts(found),
        notes=tuple(found.notes),
    )


def facts(found: Analysis) -> dict[str, Any]:
    """Return what the manifest says of how the table was read."""
    target = found.target
    marks = target.classes.unlabeled if isinstance(target, ClassTarget) else target.marks
    return {
        "files": {
            found.place.name(file.path): {"rows": rows, "labels": labels}
            for file, rows, labels in zip(found.files, found.rows, found.labeled, strict=True)
        },
        "unlabeled_words": {word: count for word, count in sorted(marks.items()) if count},
        "ignored_columns": sorted(found.ignored),
        "skipped_files": found.place.skipped,
    }


def _batches(found: Analysis) -> Iterator[Batch]:
    """Yield the rows, so many at a time that how a file is cut into pieces can't be seen."""
    held: list[pa.Table] = []
    rows = 0
    for number, columns in second_pass(found):
        size = len(columns[TARGET])
        own = pa.repeat(pa.scalar(found.own[number] if found.own else 0, pa.int8()), size)
        held.append(pa.table({**columns, ":own": own}))
        rows += size
        while rows >= BATCH_ROWS:
            whole = pa.concat_tables(held)
            yield _batch(found, whole.slice(0, BATCH_ROWS))
            held, rows = [whole.slice(BATCH_ROWS)], rows - BATCH_ROWS
    if rows:
        yield _batch(found, pa.concat_tables(held))


def _batch(found: Analysis, rows: pa.Table) -> Batch:
    (batch,) = rows.combine_chunks().to_batches()
    return Batch(
        encode(batch, found.columns),
        found.target.labels(batch.column(TARGET)),
        None if found.own is None else np.asarray(batch.column(":own")),
        {name: kept_column(batch, name) for name in found.ignored},
    )


def kept_column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column that is no feature as text."""
    stored = KEPT + name if KEPT + name in batch.schema.names else name  # left out only after it was read
    return batch.column(stored).cast(pa.string())
