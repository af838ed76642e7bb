"""One row among many millions: an index from example ids to positions, made at the first look-up.

The index is derived from the table alone and kept in ``.scratch``; deleting it costs one pass over the id
column. What it answers is read from the table itself, so it can't make a row say what the table doesn't.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from selfsame.audit.digesting import SCRATCH
from selfsame.core.digests import sha256_json
from selfsame.core.tables import INFO_KEY

SMALL_ROWS = 200_000  # a table of fewer is read through faster than an index is opened
ID_HEX = 32
BATCH_IDS = 1 << 16  # read at a time
SLOTS = 256  # of the index: by the first byte of the id
ENTRY = np.dtype([("key", ">u8"), ("row", "<u8")])  # the first 8 bytes of the id, and its position


class Table:
    """A table in parts, for reading single rows of it."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = list(parts)
        # Without pre-buffering, which would hold a whole column of every part that was opened.
        self._files = [pq.ParquetFile(part, pre_buffer=False) for part in self._parts]
        self._counts = [file.metadata.num_rows for file in self._files]
        self.rows = sum(self._counts)

    @property
    def columns(self) -> list[str]:
        """The columns that are no input: an auditor wants decisions, not pixels."""
        schema = self._files[0].schema_arrow
        if INFO_KEY not in (schema.metadata or {}):
            return schema.names
        first, *later = schema.names
        return [first, *later[later.index("label") :]]  # id, inputs, label and what follows

    def find(self, example_id: str, hint: int | None = None) -> int | None:
        """Return the position of an example, or None.

        Args:
            hint: where it stands if this table has the order of another one.
        """
        if hint is not None and hint < self.rows and self.row(hint)["example_id"] == example_id:
            return hint
        if self.rows <= SMALL_ROWS or len(example_id) != ID_HEX:
            return next(self._scan(example_id), None)
        candidates = self._candidates(example_id)
        return next((row for row in candidates if self.row(row)["example_id"] == example_id), None)

    def row(self, position: int) -> dict[str, Any]:
        """Read one row, without its input; of each part only the group of rows that has it is read."""
        for file, count in zip(self._files, self._counts, strict=True):
            if position >= count:
                position -= count
                continue
            for group in range(file.metadata.num_row_groups):
                held = file.metadata.row_group(group).num_rows
                if position < held:
                    rows = file.read_row_group(group, columns=self.columns)
                    return rows.slice(position, 1).to_pylist()[0]
                position -= held
        raise IndexError(position)

    def count(self, column: str, values: Sequence[str]) -> int:
        """Count the rows whose ``column`` is one of ``values``.

        A group of rows that all have the same value, as its footer tells, is not read.
        """
        total = 0
        for file in self._files:
            index = file.schema_arrow.get_field_index(column)
            for group in range(file.metadata.num_row_groups):
                metadata = file.metadata.row_group(group)
                statistics = metadata.column(index).statistics
                if statistics is not None and statistics.has_min_max and statistics.min == statistics.max:
                    total += metadata.num_rows if statistics.min in values else 0
                else:
                    read = file.read_row_group(group, columns=[column]).column(0)
                    total += pc.sum(pc.is_in(read, pa.array(values))).as_py() or 0
        return total

    def where(self, column: str, value: Any) -> list[dict[str, Any]]:
        """Return all rows, without their inputs, that have ``value`` in ``column``."""
        found = self._dataset().to_table(columns=self.columns, filter=pc.field(column) == value)
        return found.to_pylist()

    def _dataset(self) -> ds.Dataset:
        return ds.dataset([part.as_posix() for part in self._parts], format="parquet")

    def _id_batches(self) -> Iterator[pa.Array]:
        for file in self._files:
            for batch in file.iter_batches(batch_size=BATCH_IDS, columns=["example_id"]):
                yield batch.column(0)

    def _scan(self, example_id: str) -> Iterator[int]:
        start = 0
        for ids in self._id_batches():
            for position in pc.indices_nonzero(pc.equal(ids, example_id)).to_pylist():
                yield start + position
            start += len(ids)

    def _candidates(self, example_id: str) -> list[int]:
        try:
            raw = bytes.fromhex(example_id)
        except ValueError:
            return []  # no id of this project
        entries = np.fromfile(self._index() / f"{raw[0]:02x}", dtype=ENTRY)
        key = np.frombuffer(raw[:8], dtype=">u8")[0]
        return entries["row"][entries["key"] == key].tolist()

    def _index(self) -> Path:
        """Return the folder of the table's index; make it if the table, or a file of it, is new."""
        states = [(part.resolve().as_posix(), part.stat()) for part in self._parts]
        stamp = [[name, state.st_size, state.st_mtime_ns, state.st_ctime_ns] for name, state in states]
        folder = SCRATCH / "ids" / sha256_json(stamp)
        if not folder.exists():
            partial = folder.with_name(f".partial-{folder.name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._write_index(partial)
            partial.rename(folder)
        return folder

    def _write_index(self, folder: Path) -> None:
        """Spread the ids over the slots' files in one pass; memory holds a batch at a time."""
        files = [(folder / f"{slot:02x}").open("wb") for slot in range(SLOTS)]
        try:
            start = 0
            for ids in self._id_batches():
                raw = np.frombuffer(bytes.fromhex("".join(ids.to_pylist())), np.uint8).reshape(
                    -1, ID_HEX // 2
                )
                entries = np.empty(len(ids), dtype=ENTRY)
                entries["key"] = np.ascontiguousarray(raw[:, :8]).view(">u8")[:, 0]
                entries["row"] = np.arange(start, start + len(ids))
                order = np.argsort(raw[:, 0], kind="stable")
                ends = np.cumsum(np.bincount(raw[:, 0], minlength=SLOTS))
                for file, rows in zip(files, np.split(order, ends[:-1]), strict=True):
                    file.write(entries[rows].tobytes())
                start += len(ids)
        finally:
            for file in files:
                file.close()
