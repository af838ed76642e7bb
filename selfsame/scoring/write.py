"""Predictions on disk: written beside their place and moved there whole, or not at all."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import PREDICTION_KEY

STANDARD_OUTPUT = "-"
ENDINGS = (".parquet", ".csv", ".jsonl")
SIDECAR = "-metadata.json"  # as W3C's "CSV on the Web" names it


class _Writer(Protocol):
    def write_batch(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink

    def write_batch(self, batch: pa.RecordBatch) -> None:
        plain = [_without_nan(column) for column in batch.columns]  # JSON has no such number
        rows = pa.record_batch(plain, names=batch.schema.names).to_pylist()
        lines = (json.dumps(row, ensure_ascii=False, default=str) for row in rows)
        self._sink.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        pass


def _without_nan(column: pa.Array) -> pa.Array:
    floating = pa.types.is_floating(column.type)
    return pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type)) if floating else column


class Output:
    """A file of predictions that comes to be when all of it is written.

    Parquet has what is said of it in its own metadata; CSV and JSON Lines in a file beside it, whose name is
    theirs with ``-metadata.json`` at the end. Standard output gets CSV, at the end and whole.

    Args:
        target: a path that ends in one of ``ENDINGS``, or ``-``.
        schema: of what is written.
        about: what is said of it: the model with its digests, and how it was asked.

    Raises:
        SelfsameError: another ending, no such folder, or it can't be written there.
    """

    def __init__(self, target: str, schema: pa.Schema, about: dict[str, Any]) -> None:
        check_target(target)
        self._target = target
        self._path = Path(target)
        self._about = json.dumps(about, ensure_ascii=False, sort_keys=True)
        self._partial = self._path.with_name(f".partial-{self._path.name}")
        try:
            self._sink: IO[bytes] = (
                tempfile.TemporaryFile() if target == STANDARD_OUTPUT else self._partial.open("w+b")  # noqa: SIM115
            )
        except OSError as error:
            raise self._cannot(error) from None
        self._schema = schema.with_metadata({PREDICTION_KEY: self._about})
        self._writer: _Writer | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        """Append some rows.

        Raises:
            SelfsameError: they can't be written in this form, or there.
        """
        try:
            if self._writer is None:
                self._writer = self._open()
            self._writer.write_batch(batch.cast(self._schema))
        except (pa.ArrowException, OSError) as error:
            raise self._cannot(error) from None

    def tell(self, key: str, value: str) -> None:
        """Add to the metadata of a Parquet file what is known only now that all rows are written."""
        assert isinstance(self._writer, pq.ParquetWriter)
        self._writer.add_key_value_metadata({key: value})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
            elif self._writer is not None:
                self._writer.close()  # or it would try to when its file is closed
        except (pa.ArrowException, OSError) as problem:
            raise self._cannot(problem) from None
        finally:
            self._sink.close()
            self._partial.unlink(missing_ok=True)

    def _open(self) -> _Writer:
        if self._path.suffix == ".parquet":
            return pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        if self._path.suffix == ".jsonl":
            return _JsonLines(self._sink)
        return pa_csv.CSVWriter(self._sink, self._schema)

    def _finish(self) -> None:
        if self._writer is None:
            self._writer = self._open()
        self._writer.close()
        if self._target == STANDARD_OUTPUT:
            self._sink.seek(0)
            shutil.copyfileobj(self._sink, sys.stdout.buffer)
            sys.stdout.flush()
            return
        self._sink.flush()
        if self._path.suffix != ".parquet":
            sidecar = self._path.with_name(self._path.name + SIDECAR)
            sidecar.write_text(self._about + "\n", encoding="utf-8")
        self._partial.replace(self._path)

    def _cannot(self, error: Exception) -> SelfsameError:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return SelfsameError(f"{self._target}: can't be written: {said}", "name another place or form")


def check_target(target: str) -> None:
    """Refuse a place that predictions can't be written to.

    Raises:
        SelfsameError: it ends otherwise than ``ENDINGS``, or its folder isn't there.
    """
    if target == STANDARD_OUTPUT:
        return
    path = Path(target)
    if path.suffix not in ENDINGS:
        raise SelfsameError(
            f"{target}: no form is known by that ending", f"end it in {', '.join(ENDINGS)}; or -"
        )
    if path.is_dir() or not path.parent.is_dir():
        what = "a folder" if path.is_dir() else f"{path.parent} is no folder"
        raise SelfsameError(f"{target}: {what}", "name a file in a folder that is there")
