"""Tables written to disk, in record batches: one Parquet file, or a folder of parts."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.core.layout import ID

FLOATS = ("FLOAT", "DOUBLE")  # as Parquet calls them
PART_BYTES = 256 * 1024 * 1024  # of uncompressed rows; a part on disk is smaller


class TableWriter:
    """Write record batches to one file, or to parts of a folder when ``path`` has no suffix.

    Parts keep a large pool in files of a manageable size; memory holds one batch at a time. Every column is
    compressed but the ids, which stand verbatim in the file: digests don't shrink below half, and one is
    found among 10 million in 0.2 s instead of 0.6 s. Words get a dictionary, floats none: to look each up
    takes more than half of the time of writing and of reading, and the file becomes a third larger. Floats
    are packed by LZ4: written in 0.6 and read in 0.4 of zstd's time, random ones 3 % larger.

    Args:
        part_rows: of a part, at most; it is cut earlier where it has ``PART_BYTES``. None for these alone.
    """

    def __init__(self, path: Path, schema: pa.Schema, part_rows: int | None = None) -> None:
        self._path, self._schema, self._most = path, schema, part_rows
        self._writer: pq.ParquetWriter | None = None
        self._parts, self._part_bytes, self._part_rows = 0, 0, 0
        self.rows = 0
        (path if self._is_folder else path.parent).mkdir(parents=True, exist_ok=True)

    @property
    def _is_folder(self) -> bool:
        return not self._path.suffix

    def write(self, batch: pa.RecordBatch) -> None:
        """Append one batch."""
        full = self._part_bytes > PART_BYTES or self._part_rows == self._most
        if self._writer is None or (self._is_folder and full):
            self._open_next()
        assert self._writer is not None
        room = batch.num_rows if self._most is None else self._most - self._part_rows
        here = batch.slice(0, room)
        self._writer.write_batch(here)
        self._part_bytes += here.nbytes
        self._part_rows += here.num_rows
        self.rows += here.num_rows
        if room < batch.num_rows:
            self.write(batch.slice(room))

    def _open_next(self) -> None:
        if self._writer is not None:
            self._writer.close()
        path = self._path / part_name(self._parts) if self._is_folder else self._path
        leaves = _leaves(self._schema)
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression={
                leaf: "none" if leaf == ID else "lz4" if kind in FLOATS else "zstd"
                for leaf, kind in leaves.items()
            },
            use_dictionary=[leaf for leaf, kind in leaves.items() if leaf != ID and kind not in FLOATS],
        )
        self._parts, self._part_bytes, self._part_rows = self._parts + 1, 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None and error is None:
            self._open_next()  # an empty table still has a schema
        if self._writer is not None:
            self._writer.close()


def part_name(number: int) -> str:
    """Return the name of a part of a table that is a folder, by its number from 0."""
    return f"part-{number:05d}.parquet"


def _leaves(schema: pa.Schema) -> dict[str, str]:
    """Return Parquet's type of each column, by what it calls it: that of images is not plain ``image``."""
    footer = pa.BufferOutputStream()
    pq.write_metadata(schema, footer)
    stored = pq.read_metadata(pa.BufferReader(footer.getvalue())).schema
    leaves = map(stored.column, range(len(stored)))
    return {leaf.path: leaf.physical_type for leaf in leaves}
