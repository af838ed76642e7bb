"""Tables on disk: Parquet, one file or a folder of parts, read in record batches.

Every table of examples carries its own description (``TableInfo``) in its schema, so that a file says
what its labels mean without another file beside it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from numpy.typing import DTypeLike

from selfsame.core.errors import SelfsameError
from selfsame.core.labels import ClassLabels, Labels, ValueLabels
from selfsame.core.layout import ID, INFO_KEY
from selfsame.core.space import Growing

BATCH_ROWS = 8192


@dataclass(frozen=True)
class Column:
    """A column of a user's table, before it becomes features; new rows are read by it.

    Attributes:
        kind: ``boolean`` columns are numbers too: true is 1, false 0.
        values: of text, sorted; of a date the parts taken of it. Each is a feature.
        format: of a date, how it is written, as ``strptime`` has it; None for ISO 8601.
        latest: of a date, the last one of the data, from which ages are counted; ISO 8601.
    """

    name: str
    kind: Literal["number", "boolean", "text", "date"]
    values: tuple[str, ...] = ()
    format: str | None = None
    latest: str | None = None


@dataclass(frozen=True)
class TableInfo:
    """What the rows of a table are.

    Attributes:
        source: name of the data source.
        target: what is learned.
        classes: class names; a label is an index into them (empty for regression).
        features: names of the feature columns (empty for images).
        image_shape: channels, height, width of the ``image`` column (empty for feature tables).
        columns: what the features were made of; empty where each is a column of numbers of the same name.
        reading: how the words of the files were read, as section ``data`` has it.
    """

    source: str
    target: Literal["classification", "regression"]
    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    image_shape: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example's input: (C, H, W) or (F,)."""
        return self.image_shape or (len(self.features),)

    @property
    def labels(self) -> Labels:
        """What its labels are."""
        return ClassLabels(self.classes) if self.target == "classification" else ValueLabels()

    def input_fields(self) -> list[pa.Field]:
        """Return the columns that hold the input."""
        if self.image_shape:
            return [pa.field("image", pa.fixed_shape_tensor(pa.uint8(), self.image_shape), nullable=False)]
        return [pa.field(name, pa.float64(), nullable=False) for name in self.features]

    def schema(self, *extra: pa.Field) -> pa.Schema:
        """Return the schema of a table of examples: id, input, label, then ``extra`` columns."""
        fields = [
            pa.field(ID, pa.string(), nullable=False),
            *self.input_fields(),
            pa.field("label", self.labels.arrow),
            *extra,
        ]
        return pa.schema(fields, metadata={INFO_KEY: json.dumps(asdict(self), sort_keys=True)})

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild from ``asdict``'s JSON form."""
        columns = tuple(
            Column(**{**each, "values": tuple(each["values"])}) for each in value.get("columns", ())
        )
        fields: dict[str, Any] = {
            key: tuple(item) if isinstance(item, list) else item for key, item in value.items()
        }
        return cls(**{**fields, "columns": columns})

    @classmethod
    def of(cls, path: Path) -> "TableInfo":
        """Read the description that a table of examples carries."""
        info = stored_info(open_table(path).schema)
        if info is None:
            raise SelfsameError(f"{path}: not a table of examples", "rebuild it with 'dvc repro --force'")
        return info


def stored_info(schema: pa.Schema) -> TableInfo | None:
    """Return the description that a table's schema carries; None if it isn't one of examples."""
    metadata = schema.metadata or {}
    return TableInfo.from_json(json.loads(metadata[INFO_KEY])) if INFO_KEY in metadata else None


def open_table(path: Path) -> ds.Dataset:
    """Open one Parquet file or a folder of parts, in the order of the parts' names."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise SelfsameError(f"{path}: no such table", "run 'dvc repro', or 'dvc checkout' to restore it")
    return ds.dataset([str(file) for file in files], format="parquet")


def iter_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield a table's rows in order, ``BATCH_ROWS`` at a time (the last batch may be shorter).

    However the rows are spread over parts, two tables of the same length give batches that match.
    """
    held: list[pa.RecordBatch] = []
    for batch in stored_batches(path, columns):
        held.append(batch)
        while sum(piece.num_rows for piece in held) >= BATCH_ROWS:
            table = pa.Table.from_batches(held)
            yield _one_batch(table.slice(0, BATCH_ROWS))
            held = table.slice(BATCH_ROWS).to_batches()
    if any(piece.num_rows for piece in held):
        yield _one_batch(pa.Table.from_batches(held))


def stored_batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows as they lie on disk, part by part.

    Not by a dataset's scanner, and unbuffered: of 512 MB of images the scanner held up to 430 MB ahead of
    a slow reader, a buffered file all of its bytes, and this holds 40 MB in the same time.
    """
    for name in open_table(path).files:
        with pq.ParquetFile(name, pre_buffer=False) as part:
            for batch in part.iter_batches(BATCH_ROWS, columns=columns):
                yield batch if columns is None else batch.select(columns)


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def parts_of(path: Path) -> list[Path]:
    """Return the files of a table, in the order of its rows."""
    return [Path(name) for name in open_table(path).files]


def count_rows(path: Path) -> int:
    """Return a table's number of rows, from its footers alone."""
    return sum(pq.read_metadata(part).num_rows for part in open_table(path).files)  # of one part at a time


def read_column(path: Path, column: str) -> np.ndarray:
    """Read one whole column; nulls of a label column come back as NaN floats."""
    chunks = [batch.column(0).to_numpy(zero_copy_only=False) for batch in iter_batches(path, [column])]
    return np.concatenate(chunks) if chunks else np.empty(0)


def stored_column(path: Path, column: str, dtype: DTypeLike) -> np.ndarray:
    """Read one whole column without nulls; it may lie in a file (``core.space``)."""
    found = Growing(dtype)
    for batch in stored_batches(path, [column]):
        found.append(batch.column(0).to_numpy(zero_copy_only=False))
    return found.array()


def distinct(path: Path, column: str) -> tuple[Any, ...]:
    """Return the different values of a column, sorted."""
    seen = (batch.column(0).unique().to_pylist() for batch in stored_batches(path, [column]))
    return tuple(sorted({value for some in seen for value in some}))


def inputs_of(batch: pa.RecordBatch, info: TableInfo) -> np.ndarray:
    """Return the raw inputs of a batch: uint8 (N, C, H, W) for images, float64 (N, F) for features."""
    if info.image_shape:
        images: np.ndarray = batch.column("image").to_numpy_ndarray()
        return images.reshape(-1, *info.image_shape)
    return np.stack([batch.column(name).to_numpy() for name in info.features], axis=1)


def take_inputs(table: Path, rows: np.ndarray) -> np.ndarray:
    """Return the raw inputs of some rows, streamed.

    Args:
        rows: (N,) ascending positions, each once.
    """
    info = TableInfo.of(table)
    kind = np.uint8 if info.image_shape else np.float64
    taken = _taken(table, [each.name for each in info.input_fields()], rows)
    return np.concatenate(
        [np.empty((0, *info.input_shape), kind), *(inputs_of(each, info) for each in taken)]
    )


def take_column(table: Path, column: str, rows: np.ndarray) -> list[Any]:
    """Return a column's values in some rows, likewise."""
    return [value for each in _taken(table, [column], rows) for value in each.column(0).to_pylist()]


def _taken(table: Path, columns: Sequence[str], rows: np.ndarray) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in iter_batches(table, columns):
        inside = rows[(rows >= start) & (rows < start + batch.num_rows)] - start
        if len(inside):
            yield batch.take(inside)
        start += batch.num_rows


def take_all(table: Path) -> np.ndarray:
    """Return all raw inputs of a table that fits in memory."""
    return take_inputs(table, np.arange(count_rows(table)))


def input_columns(inputs: np.ndarray, info: TableInfo) -> list[pa.Array]:
    """Return ``inputs`` as the columns of ``info.input_fields()``; the inverse of ``inputs_of``."""
    if info.image_shape:
        flat = pa.array(inputs.reshape(-1))
        storage = pa.FixedSizeListArray.from_arrays(flat, prod(info.image_shape))
        return [pa.ExtensionArray.from_storage(info.input_fields()[0].type, storage)]
    return [pa.array(np.ascontiguousarray(column)) for column in inputs.T]


def example_ids(inputs: np.ndarray) -> list[str]:
    """Return the names of ``id_column`` one by one."""
    names: list[str] = id_column(inputs).to_pylist()
    return names


def id_column(inputs: np.ndarray) -> pa.StringArray:
    """Name each example by its content: 128 bits of the sha256 of its raw input, in hex.

    The id survives reordering, re-splitting and another copy of the source; two rows share one exactly
    when their inputs are the same bytes in the same shape.
    """
    size = inputs.dtype.itemsize * prod(inputs.shape[1:])
    raw = memoryview(np.ascontiguousarray(inputs).tobytes())
    shape = hashlib.sha256(f"{inputs.dtype.str}{inputs.shape[1:]}".encode())
    digests = []
    for row in range(len(inputs)):
        digest = shape.copy()
        digest.update(raw[row * size : (row + 1) * size])
        digests.append(digest.digest()[:16])
    ends = np.arange(0, 32 * len(inputs) + 1, 32, dtype=np.int32)
    words = (
        b"".join(digests).hex().encode()
    )  # put together at once: a text for each would take half as long again
    return pa.StringArray.from_buffers(len(inputs), pa.py_buffer(ends), pa.py_buffer(words))


def same_ids(left: pa.Array | pa.ChunkedArray, right: pa.Array | pa.ChunkedArray) -> bool:
    """Tell whether two id columns name the same examples in the same order."""
    if len(left) != len(right):
        return False
    return pc.all(pc.equal(left, right), skip_nulls=False, min_count=0).as_py() is True
