"""Photos in class folders, or beside a table of their labels: RGB squares of one size come out."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LISTING
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.params.data import Images
from selfsame.sources.faults import Fault, counted, listed, stop_if_any
from selfsame.sources.files import EXCEL_ENDINGS, PARQUET_ENDINGS, TEXT_ENDINGS
from selfsame.sources.labels import Classes, settle_classes
from selfsame.sources.labels_table import LabelsTable, read_labels_table
from selfsame.sources.photo import read_photo
from selfsame.sources.place import Place, is_pool, look_through, parts
from selfsame.sources.source import TRAIN, Batch, Source
from selfsame.sources.store import ASKED_AT_ONCE, content_of
from selfsame.sources.words import tidy

BATCH_BYTES = 16 * 1024 * 1024  # of decoded photos; while it writes them, Parquet holds ten times as much
FILE = "file"  # the further column with a photo's place
LAYOUT = (
    "make one folder per class, and a folder 'unlabeled' for the pool; or put all photos beside a labels.csv "
    "with the columns file and label; either may stand in train/, val/ and test/"
)


@dataclass(frozen=True)
class Photo:
    """One file: its class or a word for none; what the source sets it aside for; what a table says of it."""

    path: Path
    word: str
    own: int | None
    kept: dict[str, str | None] = field(default_factory=dict)


@dataclass
class Album:
    """Photos that were found, and what is wrong with how they lie there."""

    place: Place
    photos: list[Photo]
    classes: Classes
    table: LabelsTable | None = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the names of the further columns."""
        return (FILE, *(name for name in (self.table.kept if self.table else ()) if name != FILE))


def images(root: Path, params: Images, name: str = "images", origin: str = "own photos") -> Source:
    """Return photos as RGB squares: turned upright, the shorter side fitted to the size, the centre kept.

    Raises:
        SelfsameError: the folders are not laid out as ``LAYOUT`` says, or, as batches are taken, files are no
            images: all of them are named.
    """
    album = find_photos(root, params)
    stop_if_any(album.faults)
    listing = hashlib.sha256()
    files = [photo.path for photo in album.photos] + ([album.table.path] if album.table else [])
    for path in files:
        listing.update(f"{content_of(path)}  {album.place.name(path)}\n".encode())
    size = params.image_size
    return Source(
        TableInfo(name, "classification", album.classes.names, image_shape=(3, size, size)),
        origin,
        "not stated",
        {"sha256sum of every file": listing.hexdigest()},
        _batches(album, size),
        kept=album.kept,
        facts={"unlabeled_words": album.classes.unlabeled, "skipped_files": album.place.skipped},
        notes=tuple(album.notes),
    )


def find_photos(root: Path, params: Images) -> Album:
    """Find every photo and its class, in the order of the files' places.

    Raises:
        SelfsameError: nothing is there that could be photos; other faults are gathered.
    """
    place = look_through(root)
    if place.is_file:
        raise SelfsameError(f"data.path = {root}: a file, where a folder of photos is expected", LAYOUT)
    if not place.files:
        raise SelfsameError(f"data.path = {root}: no photo is there", LAYOUT)
    top = _inner(place)
    tables = [file for file in place.files if _is_table(file)]
    beside = {file for file in tables if file.parent == top}
    own = parts(sorted({file.relative_to(top).parts[0] for file in place.files if file not in beside}), top)
    if tables:
        return _of_table(place, params, tables, lambda file: _own(file, top, own))
    faults = [
        Fault(f"{folder}: a folder without a photo", "put photos there, or remove it")
        for folder in place.empty
        if not _is_table(folder)
    ]
    photos, outside, flat = [], [], _without_classes(place.files, top, own)
    for file in place.files:
        folders = list(file.relative_to(top).parts[:-1])
        if own is not None and folders and folders[0] in own:
            part = folders.pop(0)
            folders = ["unlabeled"] if part in flat else folders
        if folders:
            word = "" if is_pool(folders[0]) else tidy(folders[0].removesuffix(LISTING))
            photos.append(Photo(file, word, _own(file, top, own)))
        else:
            outside.append(place.name(file))
    if outside:
        what = f"{root}: {counted(len(outside), 'file')} outside of the class folders: {listed(outside)}"
        faults.append(Fault(what, LAYOUT))
    words = Counter(photo.word for photo in photos)
    classes = settle_classes(words, f"data.path = {root}", params.unlabeled_values, params.classes, "photo")
    learned = {photo.word for photo in photos if photo.own in (None, TRAIN)}
    strange = sorted({photo.word for photo in photos if photo.word} - learned)
    if strange and learned - {""}:
        faults.append(
            Fault(f"{root}: the folder to train from doesn't have the class {listed(strange)}", LAYOUT)
        )
    notes = [*place.note, *(f"{name} has no class folders: its photos go to the pool" for name in flat)]
    return Album(place, photos, classes, faults=[*faults, *classes.faults], notes=notes)


def _without_classes(files: list[Path], top: Path, own: dict[str, int] | None) -> list[str]:
    """Return the parts to judge by whose files lie in no class folder: nobody says what they show."""
    depths: dict[str, set[int]] = {}
    for file in files:
        name, *rest = file.relative_to(top).parts
        depths.setdefault(name, set()).add(len(rest))
    return [name for name, part in (own or {}).items() if part != TRAIN and depths.get(name) == {1}]


def _of_table(place: Place, params: Images, tables: list[Path], own: Callable[[Path], int | None]) -> Album:
    """Take the classes from a table beside the photos."""
    files = [file for file in place.files if file not in tables]
    if len(tables) > 1:
        found = Fault(
            f"{place.root}: {len(tables)} tables lie beside the photos: {listed(map(place.name, tables))}",
            "leave the one with the labels",
        )
        return Album(place, [], Classes(), faults=[found])
    table = read_labels_table(tables[0], files, params.target_column)
    said = {file: table.rows.get(file, ("", {})) for file in files}
    photos = [Photo(file, word, own(file), kept) for file, (word, kept) in said.items()]
    words = Counter(photo.word for photo in photos)
    where = f"{table.path}: column {table.target!r}"
    classes = settle_classes(words, where, params.unlabeled_values, params.classes, "photo")
    notes = [
        *place.note,
        f"{len(table.rows)} of {len(files)} photos stand in {table.path.name}; the classes are its",
        *table.notes,
    ]
    return Album(
        place, photos, classes, table, [*table.faults, *(classes.faults if table.rows else [])], notes
    )


def _own(file: Path, top: Path, own: dict[str, int] | None) -> int | None:
    return None if own is None else own.get(file.relative_to(top).parts[0], TRAIN)


def _inner(place: Place) -> Path:
    """Return the folder in which the classes or parts lie: a lone folder of folders is only a wrapping."""
    top = place.root
    while True:
        names = [file.relative_to(top).parts for file in place.files]
        if len({name[0] for name in names}) > 1 or min(map(len, names)) < 3:
            return top
        top /= names[0][0]


def _is_table(file: Path) -> bool:
    name = file.name.lower().removesuffix(".gz")
    return name.endswith((*TEXT_ENDINGS, *PARQUET_ENDINGS, *EXCEL_ENDINGS))


def _batches(album: Album, size: int) -> Iterator[Batch]:
    photos, place = album.photos, album.place
    rows = min(BATCH_ROWS, max(1, BATCH_BYTES // (3 * size * size)))
    faults: list[Fault] = []

    def read(photo: Photo) -> np.ndarray | None:
        try:
            return read_photo(photo.path, size)
        except SelfsameError as error:
            faults.append(Fault.of(error))
            return None

    # Pillow decodes without the interpreter's lock; what a store sends is waited for.
    with ThreadPoolExecutor(ASKED_AT_ONCE if place.stores else None) as threads:
        for start in range(0, len(photos), rows):
            some = photos[start : start + rows]
            pictures = list(threads.map(read, some))
            if faults:  # the others are looked at too, so that all faults are named at once
                continue
            words = [album.classes.of_word[photo.word] for photo in some]
            own = [photo.own for photo in some]
            kept = {
                name: pa.array([photo.kept.get(name) for photo in some], pa.string())
                for name in album.kept
                if name != FILE
            }
            kept[FILE] = pa.array([place.name(photo.path) for photo in some])
            aside = None if own[0] is None else np.array(own, np.int8)
            yield Batch(
                np.stack([each for each in pictures if each is not None]), np.array(words), aside, kept
            )
    stop_if_any(sorted(faults, key=lambda fault: fault.what))
