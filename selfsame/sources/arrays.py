"""Images of one's own in arrays: idx files, as MNIST has them, or NumPy's npz, with labels beside them.

The name of a file or array says what it is: ``train-images``, ``t10k-labels``, ``x_test``, ``y_train``,
``unlabeled``. An array of one dimension holds labels.
"""

import gzip
import io
import math
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.params.data import Arrays
from selfsame.sources.faults import listed, stop_if_any
from selfsame.sources.labels import settle_classes
from selfsame.sources.place import PARTS, POOL_FOLDERS, look_through
from selfsame.sources.source import HOLDOUT, TRAIN, Batch, Source
from selfsame.sources.store import content_of, readable
from selfsame.sources.words import tidy

IDX_TYPES: dict[int, Any] = {
    8: np.uint8,
    9: np.int8,
    11: np.dtype(">i2"),
    12: np.dtype(">i4"),
    13: np.dtype(">f4"),
    14: np.dtype(">f8"),
}
LAYOUT = (
    "give images of 8 bits, (rows, height, width) or with colors last, and labels of one dimension, in idx "
    "files or an npz, called x_train and y_train, train-images and train-labels, or so; and test, unlabeled"
)
COLORS = (1, 3, 4)
PIECE_BYTES = 1 << 20
MOST_DIMENSIONS = 4
BOMB_BYTES, BOMB_RATIO = 1 << 30, 200  # what an archive may unpack to, if it is so many times what it takes
UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    zlib.error,
    zipfile.BadZipFile,
    RuntimeError,  # a password, or a way of packing that isn't known
    MemoryError,
    OverflowError,
    struct.error,
)


@dataclass
class Part:
    """The arrays of one part: images, and their labels if there are any."""

    own: int
    images: list[tuple[str, np.ndarray]] = field(default_factory=list)
    labels: list[tuple[str, np.ndarray]] = field(default_factory=list)


def arrays(root: Path, params: Arrays) -> Source:
    """Return the images of idx files or an npz file; those of a part called test or val are set aside.

    Raises:
        SelfsameError: the files hold something else, or images and labels don't fit each other.
    """
    place = look_through(root)
    if not place.files:
        raise SelfsameError(f"data.path = {root}: no file is there", LAYOUT)
    parts: dict[str, Part] = {}
    for path in place.files:
        for name, values in _read(path).items():
            part = parts.setdefault(*_part_of(name))
            (part.labels if values.ndim == 1 or values.shape[1:] == (1,) else part.images).append(
                (name, values)
            )
    found = [_checked(root, name, part) for name, part in sorted(parts.items())]
    shapes = {pixels.shape[1:] for pixels, _, _ in found}
    if len(shapes) > 1:
        raise SelfsameError(
            f"data.path = {root}: images of different shapes: {listed(sorted(shapes))}", LAYOUT
        )
    words = Counter(word for _, labels, _ in found for word in labels.tolist())
    classes = settle_classes(words, f"data.path = {root}", params.unlabeled_values, params.classes, "image")
    stop_if_any(classes.faults)
    aside = any(own != TRAIN and (labels != "").any() for _, labels, own in found)
    return Source(
        TableInfo("arrays", "classification", classes.names, image_shape=shapes.pop()),
        f"own arrays: {', '.join(map(place.name, place.files))}",
        "not stated",
        {place.name(path): content_of(path) for path in place.files},
        _batches(found, classes.of_word, aside),
        facts={"unlabeled_words": classes.unlabeled, "skipped_files": place.skipped},
        notes=tuple(place.note),
    )


def _read(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of one file by their names."""
    try:
        if path.suffix.lower() == ".npz":
            _refuse_bomb(path)
            with np.load(readable(path)) as found:  # refuses pickled objects
                return {name: found[name] for name in found.files}
        with pa.input_stream(readable(path), compression=None) as file:
            packed = file.read(2) == b"\x1f\x8b"
        source = readable(path)
        with gzip.open(source) if packed else pa.input_stream(source, compression=None) as stream:
            return {path.name.removesuffix(".gz"): _idx(stream)}
    except UNREADABLE as error:
        if "allow_pickle" in str(error):
            what = f"{path}: neither an idx nor an npz file of numbers: it holds Python objects, a pickle"
            raise SelfsameError(what, "save text as text, for example y.astype(str)") from None
        raise SelfsameError(f"{path}: neither an idx nor an npz file of numbers: {error}", LAYOUT) from None


def _refuse_bomb(path: Path) -> None:
    with zipfile.ZipFile(readable(path)) as archive:
        packed, unpacked = (
            sum(getattr(each, name) for each in archive.infolist()) for name in ("compress_size", "file_size")
        )
    if unpacked > max(BOMB_BYTES, BOMB_RATIO * packed):
        raise ValueError(f"it would unpack to {unpacked:,} bytes, {unpacked // max(packed, 1)} times its own")


def _idx(stream: pa.NativeFile | gzip.GzipFile) -> np.ndarray:
    """Read an array; a packed file isn't unpacked any further than its header says."""
    start = stream.read(4)
    if start[:2] != b"\0\0" or len(start) < 4:
        raise ValueError("it doesn't begin as an idx file does")
    if start[2] not in IDX_TYPES or not 1 <= start[3] <= MOST_DIMENSIONS:
        raise ValueError(f"its header says type {start[2]} and {start[3]} dimensions")
    kind, dimensions = np.dtype(IDX_TYPES[start[2]]), start[3]
    shape = tuple(np.frombuffer(stream.read(4 * dimensions), ">u4", dimensions).tolist())
    announced, content = math.prod(shape) * kind.itemsize, io.BytesIO()
    while block := stream.read(min(PIECE_BYTES, announced + 1 - content.tell())):
        content.write(block)
    if content.tell() != announced:
        raise ValueError(f"its header says {announced:,} bytes of values; it has more or fewer")
    return np.frombuffer(content.getvalue(), kind).reshape(shape)


def _part_of(name: str) -> tuple[str, Part]:
    """Return which part an array is of, by the words of its name."""
    words = re.findall(r"[a-z]+", name.lower())
    if "t" in words[:1] and name.lower().startswith("t10k"):
        return "test", Part(HOLDOUT)
    for word in words:
        if word in POOL_FOLDERS or word == "pool":
            return "unlabeled", Part(TRAIN)
        if word in PARTS:
            return word, Part(PARTS[word])
    return "train", Part(TRAIN)


def _checked(root: Path, name: str, part: Part) -> tuple[np.ndarray, np.ndarray, int]:
    """Return a part's images (N, C, H, W) uint8, the words of its labels (N,), and its role."""
    if len(part.images) != 1 or len(part.labels) > 1:
        have = " and ".join(listed(each for each, _ in some) or "none" for some in (part.images, part.labels))
        raise SelfsameError(
            f"data.path = {root}: part {name!r} has as images and labels {have}; one of each is needed",
            LAYOUT,
        )
    ((title, pixels),) = part.images
    pixels = _pixels(root, title, pixels)
    if not part.labels:
        return pixels, np.full(len(pixels), "", dtype=object), part.own
    ((labeled, labels),) = part.labels
    labels = labels.reshape(-1)
    if len(labels) != len(pixels):
        raise SelfsameError(
            f"data.path = {root}: {len(pixels)} images in {title!r} and {len(labels)} labels in {labeled!r}",
            LAYOUT,
        )
    words = [
        "" if isinstance(each, float) and np.isnan(each) else tidy(str(each)) for each in labels.tolist()
    ]
    return pixels, np.array(words, dtype=object), part.own


def _pixels(root: Path, title: str, pixels: np.ndarray) -> np.ndarray:
    where = f"data.path = {root}: {title!r}, of the shape {pixels.shape},"
    if pixels.ndim == 2:
        raise SelfsameError(f"{where} is a table", "save it as CSV or Parquet, and set data.source to table")
    if pixels.ndim not in (3, 4):
        raise SelfsameError(f"{where} is neither images nor labels", LAYOUT)
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        if not np.issubdtype(pixels.dtype, np.integer) or low < 0 or high > 255:
            raise SelfsameError(
                f"{where} has {pixels.dtype} from {low:g} to {high:g}, where 8 bits, 0 to 255, are expected",
                "scale it to 0 to 255 and save it as uint8",
            )
        pixels = pixels.astype(np.uint8)
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.shape[3] in COLORS:
        return pixels.transpose(0, 3, 1, 2)
    if pixels.shape[1] in COLORS:
        return pixels
    raise SelfsameError(f"{where} has its colors neither first nor last", LAYOUT)


def _batches(
    found: list[tuple[np.ndarray, np.ndarray, int]], of_word: dict[str, int], aside: bool
) -> Iterator[Batch]:
    for pixels, words, own in found:
        labels = np.array([of_word[word] for word in words], np.int64)
        for start in range(0, len(pixels), BATCH_ROWS):
            rows = slice(start, start + BATCH_ROWS)
            codes = np.full(len(labels[rows]), own, np.int8) if aside else None
            yield Batch(np.ascontiguousarray(pixels[rows]), labels[rows], codes)
