"""Files to be predicted, read some rows at a time: memory doesn't grow with them."""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, stored_info
from selfsame.scoring.prepare import Preparation
from selfsame.sources.files import PARQUET_ENDINGS, TEXT_ENDINGS, open_table_file
from selfsame.sources.images import BATCH_BYTES
from selfsame.sources.place import look_through
from selfsame.sources.store import ASKED_AT_ONCE, listing_of, readable

IDX = re.compile(r"idx\d?-ubyte(\.gz)?$|\.idx(\.gz)?$")
IDX_BYTES = 0x08  # the type of unsigned bytes in an idx file's head
ARRAYS = (".npz", ".npy")


@dataclass(frozen=True)
class Rows:
    """Some rows of one input.

    Attributes:
        files: of every row the file, by its place below the input, (N,) str.
        numbers: its number in that file, (N,) int64 from 0.
        inputs: the model's.
        own: all columns of the file, if they were asked for and it has any.
    """

    files: pa.Array
    numbers: np.ndarray
    inputs: np.ndarray
    own: pa.RecordBatch | None = None


def read_rows(place: Path, preparation: Preparation, keep: bool = False) -> Iterator[Rows]:
    """Yield the rows of a file, or of every file below a folder, in the order of their places.

    Args:
        keep: bring the rows' own columns too.

    Raises:
        SelfsameError: naming the file and what in it can't be used.
    """
    if not place.exists():
        raise SelfsameError(f"{place}: no such file or folder", "name a table, a photo, or a folder of them")
    found = look_through(place)
    if not found.files:
        raise SelfsameError(f"{place}: an empty folder", "name a folder with tables or photos")
    yield from read_files(found.files, found.name, preparation, keep)


def read_files(
    files: Sequence[Path], name: Callable[[Path], str], preparation: Preparation, keep: bool = False
) -> Iterator[Rows]:
    """Yield the rows of files, likewise.

    Args:
        name: how the rows name their file.
    """
    photos: list[Path] = []
    for path in files:
        kind = _kind(path)
        if kind == "photo" and preparation.info.image_shape:
            photos.append(path)
            continue
        yield from _photos(photos, preparation, name)
        photos = []
        if kind == "photo":
            raise SelfsameError(
                f"{path}: the model takes tables: its name ends in none of "
                f"{', '.join((*TEXT_ENDINGS, *PARQUET_ENDINGS, *ARRAYS))}",
                "leave it out, or save it as CSV or Parquet",
            )
        reader = {"parquet": _parquet, "text": _text, "array": _arrays, "idx": _idx}[kind]
        first = 0
        for inputs, own in _readable(reader(path, preparation, keep), path):
            numbers = np.arange(first, first + len(inputs))
            yield Rows(pa.repeat(name(path), len(inputs)), numbers, inputs, own)
            first += len(inputs)
        if not first:
            raise SelfsameError(f"{path}: no rows", "give it some, or leave it out")
    yield from _photos(photos, preparation, name)


def is_photo(path: Path) -> bool:
    """Tell whether a file's name says that it is one row, and no table of them."""
    return _kind(path) == "photo"


def _kind(path: Path) -> str:
    name = path.name.lower()
    if IDX.search(name):
        return "idx"
    if name.endswith(ARRAYS):
        return "array"
    if name.endswith(PARQUET_ENDINGS):
        return "parquet"
    return "text" if name.removesuffix(".gz").endswith(TEXT_ENDINGS) else "photo"


Pieces = Iterator[tuple[np.ndarray, pa.RecordBatch | None]]


def _readable(pieces: Pieces, path: Path) -> Pieces:
    """Pass pieces on; whatever a damaged file makes a library say becomes one message."""
    try:
        yield from pieces
    except (pa.ArrowException, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        said = " ".join(str(error).split())
        raise SelfsameError(f"{path}: can't be read: {said}", "save or fetch it again") from None


def _text(path: Path, preparation: Preparation, keep: bool) -> Pieces:
    file = open_table_file(path, preparation.reading)
    needed = preparation.columns_to_read(file.names, str(path))
    wanted = list(file.names) if keep else needed
    first = 0
    for piece in file.pieces(wanted):
        for start in range(0, len(piece), BATCH_ROWS):
            rows = piece.slice(start, BATCH_ROWS)
            yield preparation.of_batch(rows, str(path), first + start), rows if keep else None
        first += len(piece)


def _parquet(path: Path, preparation: Preparation, keep: bool) -> Pieces:
    with pq.ParquetFile(readable(path), pre_buffer=False) as file:
        info = stored_info(file.schema_arrow)
        if info is None:
            yield from _text(path, preparation, keep)  # any other table
            return
        inputs = [field.name for field in info.input_fields()]
        for batch in file.iter_batches(BATCH_ROWS, columns=None if keep else inputs):
            own = batch.drop_columns(inputs) if keep else None
            yield preparation.of_examples(batch, info, str(path)), own


def _arrays(path: Path, preparation: Preparation, _: bool) -> Pieces:
    if path.suffix.lower() == ".npy":
        with pa.input_stream(readable(path), compression=None) as stream:
            yield from _array(stream, path, str(path), preparation)
        return
    with zipfile.ZipFile(readable(path)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        fitting = [name for name in names if _fits(archive, name, preparation)]
        if len(fitting) != 1:
            shape = ", ".join(map(str, preparation.info.input_shape))
            raise SelfsameError(
                f"{path}: {len(fitting)} of its arrays fit the model, which takes (N, {shape}); "
                f"it holds {', '.join(name[:-4] for name in names) or 'none'}",
                "save one array with the inputs",
            )
        with archive.open(fitting[0]) as stream:
            yield from _array(stream, path, f"{path}: {fitting[0][:-4]}", preparation)


def _head(stream: IO[bytes] | pa.NativeFile) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read an array's shape, whether it is stored by columns, and its type; Python objects are refused."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(stream)
    if kind.hasobject:
        raise ValueError("it holds Python objects, which are pickled, and a pickle runs its code")
    return shape, by_columns, kind


def _fits(archive: zipfile.ZipFile, name: str, preparation: Preparation) -> bool:
    with archive.open(name) as stream:
        shape, _, _ = _head(stream)
    wanted = preparation.info.input_shape
    others = {wanted}
    if preparation.info.image_shape:
        others |= {(*wanted[1:], wanted[0])} | ({wanted[1:]} if wanted[0] == 1 else set())
    return shape[1:] in others


def _array(stream: IO[bytes] | pa.NativeFile, path: Path, place: str, preparation: Preparation) -> Pieces:
    shape, by_columns, kind = _head(stream)
    if not shape:
        raise SelfsameError(f"{place}: a single number", "save an array with a row for each example")
    if by_columns:  # of rows that lie apart nothing can be read before all is
        whole = np.frombuffer(stream.read(), kind).reshape(shape, order="F")
        for start in range(0, len(whole), BATCH_ROWS):
            yield preparation.of_array(whole[start : start + BATCH_ROWS], place), None
        return
    for rows in _stored_rows(stream, shape, kind, path):
        yield preparation.of_array(rows, place), None


def _idx(path: Path, preparation: Preparation, _: bool) -> Pieces:
    with pa.input_stream(readable(path), compression="gzip" if path.suffix == ".gz" else None) as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:2] != b"\0\0" or head[2] != IDX_BYTES or not head[3]:
            raise SelfsameError(f"{path}: no idx file of unsigned bytes", "take the file with the images")
        shape = tuple(np.frombuffer(stream.read(4 * head[3]), ">u4").tolist())
        for pixels in _stored_rows(stream, shape, np.dtype(np.uint8), path):
            yield preparation.of_array(pixels, str(path)), None


def _stored_rows(
    stream: IO[bytes] | pa.NativeFile, shape: tuple[int, ...], kind: np.dtype, path: Path
) -> Iterator[np.ndarray]:
    """Yield the rows of an array that is stored row after row, ``BATCH_ROWS`` at a time."""
    left, row_bytes = shape[0], prod(shape[1:]) * kind.itemsize
    while left:
        rows = min(left, BATCH_ROWS)
        content = stream.read(rows * row_bytes)
        if len(content) < rows * row_bytes:
            raise SelfsameError(f"{path}: it ends {left} rows too early", "save or fetch it again")
        yield np.frombuffer(content, kind).reshape(rows, *shape[1:])
        left -= rows


def _photos(paths: list[Path], preparation: Preparation, name_of: Callable[[Path], str]) -> Iterator[Rows]:
    if not paths:
        return
    most = min(BATCH_ROWS, max(1, BATCH_BYTES // prod(preparation.info.input_shape)))
    # Pillow decodes without the interpreter's lock; what a store sends is waited for.
    with ThreadPoolExecutor(ASKED_AT_ONCE if listing_of(paths[0]) else None) as threads:
        for start in range(0, len(paths), most):
            some = paths[start : start + most]
            images = list(threads.map(lambda path: preparation.of_image(path, str(path)), some))
            names = pa.array([name_of(path) for path in some])
            yield Rows(names, np.zeros(len(some), np.int64), np.stack(images))
