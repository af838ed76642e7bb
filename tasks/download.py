"""Stage download: fetch or read the data source.

In: the file or folder ``data.path``, params ``data``. Out: ``examples`` (one table of all rows, in
parts), ``manifest.json`` (where it comes from, its license, its counts, its digests) and ``reading.json``
(how the words of a table's files were read, for rows that come later).
"""

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.layout import KEPT
from selfsame.core.stage import Stage
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, id_column, input_columns
from selfsame.params.data import DataParams, OwnData
from selfsame.sources.opened import open_source
from selfsame.sources.source import OWN_ROLES, Batch, Source

ORIGIN_FIELDS = (
    pa.field("source_row", pa.int64(), nullable=False),  # position in the source, for the auditor
    pa.field("source_role", pa.string()),  # train, validation, holdout; null where the source says nothing
)


def write_examples(source: Source, folder: Path) -> np.ndarray:
    """Write every example of the source; return the labels as ``Batch`` has them."""
    kept = [pa.field(KEPT + name, pa.string()) for name in source.kept]
    # How the words were read stands apart: the same table, written otherwise, is the same bytes.
    schema = replace(source.info, reading={}).schema(*ORIGIN_FIELDS, *kept)
    labels = []
    with TableWriter(folder, schema) as writer:
        for batch in source.batches:
            writer.write(pa.record_batch(_columns(batch, source, writer.rows), schema=schema))
            labels.append(batch.labels)
    return np.concatenate(labels)


def describe_labels(labels: np.ndarray, info: TableInfo) -> dict[str, Any]:
    """Count the rows of each class, or summarize a regression's target, and count the unlabeled rows."""
    known = labels[~info.labels.unknown(labels)]
    return {
        "rows": len(labels),
        **info.labels.describe(known),
        "unlabeled_rows": len(labels) - len(known),
    }


def _columns(batch: Batch, source: Source, first_row: int) -> list[pa.Array]:
    rows = len(batch.labels)
    return [
        id_column(batch.inputs),
        *input_columns(batch.inputs, source.info),
        pa.array(batch.labels, mask=source.info.labels.unknown(batch.labels)),
        pa.array(np.arange(first_row, first_row + rows)),
        pa.nulls(rows, pa.string()) if batch.own is None else pa.array(OWN_ROLES).take(pa.array(batch.own)),
        *(batch.kept[name] for name in source.kept),
    ]


def main(stage: Stage) -> None:
    """Open the source, write its examples, then the manifest that says what they are."""
    (place,) = stage.inputs.values()
    params = stage.section("data", DataParams)
    examples = stage.outputs["examples"]
    with TemporaryFile(dir=examples.parent) as spill:
        source = open_source(params, place, spill)
        for note in source.notes:
            print(f"download: {note}")
        labels = write_examples(source, examples)
    own = params if isinstance(params, OwnData) else None
    manifest = {
        "source": source.info.source,
        "origin": source.origin,
        "license": (own and own.license) or source.license,
        "source_url": own and own.source_url,
        "description": own and own.description,
        "content_sha256": source.content,
        **describe_labels(labels, source.info),
        **source.facts,
        "notes": list(source.notes),
        "files_sha256": {path.name: sha256_file(path) for path in files_under(examples)},
    }
    for name, content in (("manifest", manifest), ("reading", dict(source.info.reading))):
        stage.outputs[name].write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("download", main)
