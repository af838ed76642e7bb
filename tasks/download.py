"""Stage download: fetch or read the data source.

In: params ``data``. Out: ``examples`` (one table of all rows, in parts) and ``manifest.json``
(where it comes from, its licence, its counts, its digests).
"""

import json
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableWriter, example_ids, input_columns
from selfsame.sources.embedded import breast_cancer, digits
from selfsame.sources.mnist import mnist
from selfsame.sources.source import Batch, Source

ORIGIN_FIELDS = (
    pa.field("source_row", pa.int64(), nullable=False),  # position in the source, for the auditor
    pa.field("source_holdout", pa.bool_()),  # null where the source sets no holdout aside
)


class DataParams(Section):
    """Section ``data``: which source, and where to find it."""

    source: Literal["digits", "breast_cancer", "mnist"]
    folder: str | None
    mirror: str | None

    @model_validator(mode="after")
    def _places_belong_to_mnist(self) -> Self:
        if self.source != "mnist" and (self.folder or self.mirror):
            raise ValueError(f"folder and mirror belong to the source mnist, not to {self.source}")
        return self


PARAMS = {"data": DataParams}


def open_source(params: DataParams) -> Source:
    """Open the source that the parameters name."""
    if params.source == "mnist":
        return mnist(params.folder, params.mirror)
    return {"digits": digits, "breast_cancer": breast_cancer}[params.source]()


def write_examples(source: Source, folder: Path) -> dict[str, int]:
    """Write every example of the source; return the number of rows of each class."""
    schema = source.info.schema(*ORIGIN_FIELDS)
    counts = np.zeros(len(source.info.classes), dtype=np.int64)
    with TableWriter(folder, schema) as writer:
        for batch in source.batches:
            writer.write(pa.record_batch(_columns(batch, source, writer.rows), schema=schema))
            counts += np.bincount(batch.labels, minlength=len(counts))
    return {name: int(count) for name, count in zip(source.info.classes, counts, strict=True)}


def _columns(batch: Batch, source: Source, first_row: int) -> list[pa.Array]:
    rows = len(batch.labels)
    return [
        pa.array(example_ids(batch.inputs)),
        *input_columns(batch.inputs, source.info),
        pa.array(batch.labels),
        pa.array(np.arange(first_row, first_row + rows)),
        pa.nulls(rows, pa.bool_()) if batch.holdout is None else pa.array(batch.holdout),
    ]


def main(stage: Stage) -> None:
    """Open the source, write its examples, then the manifest that says what they are."""
    source = open_source(stage.section("data", DataParams))
    examples = stage.outputs["examples"]
    rows_per_class = write_examples(source, examples)
    manifest = {
        "source": source.info.source,
        "origin": source.origin,
        "licence": source.licence,
        "content_sha256": source.content,
        "rows": sum(rows_per_class.values()),
        "rows_per_class": rows_per_class,
        "files_sha256": {path.name: sha256_file(path) for path in files_under(examples)},
    }
    stage.outputs["manifest"].write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run_stage("download", main, PARAMS)
