"""Photos in class folders, of any size, format and colour mode: RGB squares of one size come out."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.sources.place import UNLABELED_FOLDER, entries, files_at, parts
from selfsame.sources.source import UNLABELED, Batch, Source

BATCH_BYTES = 16 * 1024 * 1024  # of decoded photos; while it writes them, Parquet holds ten times as much
LAYOUT = (
    "make one folder per class, and a folder 'unlabeled' for the pool; these may stand in train/ and test/ "
    "where a holdout is given"
)


@dataclass(frozen=True)
class Photo:
    """One file: its class's index, or ``UNLABELED``; whether it is of the source's own holdout."""

    path: Path
    label: int
    holdout: bool | None


def images(place: Path, size: int, name: str = "images", origin: str = "own photos") -> Source:
    """Return photos as RGB squares: turned upright, the shorter side fitted to ``size``, the centre kept.

    Args:
        place: a folder with one folder per class, and one called ``unlabeled`` for the pool.
        size: height and width in pixels.

    Raises:
        SelfsameError: the folders are not laid out so, or, as batches are taken, a file is no image.
    """
    classes, photos = find_photos(place)
    listing = hashlib.sha256()
    for photo in photos:
        listing.update(f"{sha256_file(photo.path)}  {photo.path.relative_to(place).as_posix()}\n".encode())
    info = TableInfo(name, "classification", classes, image_shape=(3, size, size))
    content = {"sha256sum of every file": listing.hexdigest()}
    return Source(info, origin, "not stated", content, _batches(photos, size))


def find_photos(place: Path) -> tuple[tuple[str, ...], list[Photo]]:
    """Return the class names, sorted, and every photo, folder after folder."""
    if not place.is_dir():
        raise SelfsameError(f"data.path = {place}: a file, where a folder of photos is expected", LAYOUT)
    folders: list[tuple[Path, bool | None]] = []
    for part, holdout in parts(place):
        inside = [part] if part.name == UNLABELED_FOLDER else entries(part)
        folders += [(entry, holdout) for entry in inside]
    for entry, _ in folders:
        if not entry.is_dir():
            raise SelfsameError(f"{entry}: a file outside of the class folders", LAYOUT)
    classes = tuple(sorted({entry.name for entry, aside in folders if not aside} - {UNLABELED_FOLDER}))
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise SelfsameError(f"data.path = {place}: two classes or more are needed, found: {found}", LAYOUT)
    photos = []
    for entry, holdout in folders:
        if entry.name not in (*classes, UNLABELED_FOLDER):
            raise SelfsameError(f"{entry}: a class of the holdout that train/ doesn't have", LAYOUT)
        label = UNLABELED if entry.name == UNLABELED_FOLDER else classes.index(entry.name)
        photos += [Photo(file, label, holdout) for file in files_at(entry)]
    return classes, photos


def read_photo(path: Path, size: int) -> np.ndarray:
    """Decode one photo to (3, size, size) uint8.

    What is transparent lies on white. Of a 16-bit image the upper 8 bits count.

    Raises:
        SelfsameError: the file can't be read as an image.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * size, 2 * size))  # of a large JPEG not every pixel need be decoded
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright)
            square = ImageOps.fit(upright.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).replace(repr(str(path)), "it")
        raise SelfsameError(
            f"{path}: can't be read as an image: {reason}", "replace the file or remove it"
        ) from None
    return np.ascontiguousarray(np.asarray(square).transpose(2, 0, 1))


def _batches(photos: list[Photo], size: int) -> Iterator[Batch]:
    rows = min(BATCH_ROWS, max(1, BATCH_BYTES // (3 * size * size)))
    with ThreadPoolExecutor() as threads:  # Pillow decodes without the interpreter's lock
        for start in range(0, len(photos), rows):
            some = photos[start : start + rows]
            pictures = threads.map(partial(read_photo, size=size), [photo.path for photo in some])
            labels = np.array([photo.label for photo in some])
            aside = None if some[0].holdout is None else np.array([photo.holdout for photo in some])
            yield Batch(np.stack(list(pictures)), labels, aside)
