"""Columns put aside on disk as they were read, so that a second pass needn't read the files again."""

from collections.abc import Iterator
from types import TracebackType
from typing import IO, Self

import pyarrow as pa

FILE = ":file"


class Spill:
    """Write columns of rows to a file, from its start; without a file nothing happens."""

    def __init__(self, file: IO[bytes] | None) -> None:
        self._file = file
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        if file is not None:
            file.seek(0)
            file.truncate()

    def write(self, number: int, columns: dict[str, pa.Array]) -> None:
        """Append some rows of the file of this number."""
        if self._file is None:
            return
        rows = len(next(iter(columns.values())))
        batch = pa.record_batch({FILE: pa.repeat(pa.scalar(number, pa.int32()), rows), **columns})
        if self._writer is None:
            self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, mode="w"), batch.schema)
        self._writer.write_batch(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def read_spilled(file: IO[bytes]) -> Iterator[tuple[int, dict[str, pa.Array]]]:
    """Yield what was written: the file's number, and the columns of some of its rows."""
    file.seek(0)
    with pa.ipc.open_stream(pa.PythonFile(file, mode="r")) as stream:
        for batch in stream:
            number = batch.column(FILE)[0].as_py()
            yield number, {name: batch.column(name) for name in batch.schema.names if name != FILE}
