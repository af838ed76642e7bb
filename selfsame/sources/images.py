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
from selfsame.sources.place import Place, is_pool, look_through, parts
from selfsame.sources.source import TRAIN, UNLABELED, Batch, Source

BATCH_BYTES = 16 * 1024 * 1024  # of decoded photos; while it writes them, Parquet holds ten times as much
LAYOUT = (
    "make one folder per class, and a folder 'unlabeled' for the pool; these may stand in train/ and test/ "
    "where a holdout is given"
)


@dataclass(frozen=True)
class Photo:
    """One file: its class's index, or ``UNLABELED``; what the source sets it aside for, if it says so."""

    path: Path
    label: int
    own: int | None


def images(place: Path, size: int, name: str = "images", origin: str = "own photos") -> Source:
    """Return photos as RGB squares: turned upright, the shorter side fitted to ``size``, the centre kept.

    Args:
        place: a folder with one folder per class, and one called ``unlabeled`` for the pool.
        size: height and width in pixels.

    Raises:
        SelfsameError: the folders are not laid out so, or, as batches are taken, a file is no image.
    """
    classes, photos, _ = find_photos(place)
    listing = hashlib.sha256()
    for photo in photos:
        listing.update(f"{sha256_file(photo.path)}  {photo.path.relative_to(place).as_posix()}\n".encode())
    info = TableInfo(name, "classification", classes, image_shape=(3, size, size))
    content = {"sha256sum of every file": listing.hexdigest()}
    return Source(info, origin, "not stated", content, _batches(photos, size))


def find_photos(root: Path) -> tuple[tuple[str, ...], list[Photo], Place]:
    """Return the class names, sorted, every photo, folder after folder, and what else was there.

    Raises:
        SelfsameError: the folders are not laid out as ``LAYOUT`` says.
    """
    if not root.is_dir():
        raise SelfsameError(f"data.path = {root}: a file, where a folder of photos is expected", LAYOUT)
    place = look_through(root)
    if place.empty:
        raise SelfsameError(
            "\n".join(f"{folder}: a folder without a photo" for folder in place.empty),
            "put photos of the class there, or remove it",
        )
    own = parts(sorted({file.relative_to(root).parts[0] for file in place.files}), root)
    found: dict[Path, list[str]] = {file: list(file.relative_to(root).parts[:-1]) for file in place.files}
    aside = {}
    for file, folders in found.items():
        aside[file] = None if own is None else own.get(folders[0], TRAIN)
        if own is not None and folders[0] in own:
            folders.pop(0)
        if not folders:
            raise SelfsameError(f"{file}: a file outside of the class folders", LAYOUT)
    learned = {names[0] for file, names in found.items() if aside[file] in (None, TRAIN)}
    classes = tuple(sorted(name for name in learned if not is_pool(name)))
    if len(classes) < 2:
        words = ", ".join(classes) or "none"
        raise SelfsameError(f"data.path = {root}: two classes or more are needed, found: {words}", LAYOUT)
    photos = []
    for file, names in found.items():
        if names[0] not in classes and not is_pool(names[0]):
            raise SelfsameError(f"{file.parent}: a class that the folder to train from doesn't have", LAYOUT)
        label = UNLABELED if is_pool(names[0]) else classes.index(names[0])
        photos.append(Photo(file, label, aside[file]))
    return classes, photos, place


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
            own = [photo.own for photo in some]
            aside = None if own[0] is None else np.array(own, np.int8)
            yield Batch(np.stack(list(pictures)), labels, aside)
