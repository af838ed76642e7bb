"""CIFAR-10 (Krizhevsky, 2009): the publisher's binary version, or photos in class folders.

The version for Python is pickled, and a pickle runs whatever code it holds: it is refused.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.params.data import Images
from selfsame.sources.fetch import fetch
from selfsame.sources.images import images
from selfsame.sources.place import files_at, is_empty
from selfsame.sources.source import HOLDOUT, TRAIN, Batch, Source
from selfsame.sources.store import read_whole

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE = "cifar-10-binary.tar.gz"
PUBLISHER = "https://www.cs.toronto.edu/~kriz"
TEST = "test_batch.bin"
CONTENT = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    TEST: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
ROW_BYTES = 1 + 3 * 32 * 32  # a label, then the red, the green and the blue plane
SIZE = 32
LARGEST_FILE_BYTES = 10_000 * ROW_BYTES  # more isn't unpacked


def cifar10(place: Path, mirror: str | None) -> Source:
    """Return 60,000 RGB images of 32×32 pixels; the publisher's 10,000 test images are the own holdout.

    Args:
        place: the archive or its six ``.bin`` files; or ``train/`` and ``test/``, each with a folder of
            photos for every class; an empty folder downloads the archive.
        mirror: an address tried before the publisher's own.
    """
    if is_empty(place):
        files = fetch("CIFAR-10", ARCHIVE, [*([mirror] if mirror else []), PUBLISHER], _unpack)
    else:
        found = {file.name: file for file in files_at(place)}
        if ARCHIVE in found:
            files = _unpack(read_whole(found[ARCHIVE]), str(found[ARCHIVE]))
        elif TEST in found:
            files = _checked({name: read_whole(file) for name, file in found.items()}, str(place))
        elif "test_batch" in found or "cifar-10-python.tar.gz" in found:
            raise SelfsameError(
                f"data.path = {place}: CIFAR-10's version for Python is pickled, and a pickle runs its code",
                f"take the binary version instead, {ARCHIVE}",
            )
        else:
            return _from_photos(place)
    info = TableInfo("cifar10", "classification", CLASSES, image_shape=(3, SIZE, SIZE))
    return Source(
        info,
        origin="CIFAR-10, binary version; Krizhevsky, Learning Multiple Layers of Features, 2009",
        license="none stated by the publisher",
        content=dict(CONTENT),
        batches=_batches(files),
    )


def _from_photos(place: Path) -> Source:
    params = Images(source="images", path=str(place), image_size=SIZE)
    source = images(place, params, name="cifar10", origin="CIFAR-10 images in class folders")
    if source.info.classes != CLASSES:
        raise SelfsameError(
            f"data.path = {place}: its classes are {', '.join(source.info.classes)}",
            f"CIFAR-10's folders are {', '.join(CLASSES)}; for photos of your own set data.source to images",
        )
    return source


def _unpack(archive: bytes, place: str) -> dict[str, bytes]:
    files = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for member in tar:
                name = Path(member.name).name
                content = tar.extractfile(member) if member.isfile() and name in CONTENT else None
                if content is not None:
                    files[name] = content.read(LARGEST_FILE_BYTES + 1)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise SelfsameError(f"{place}: {error}", "fetch the file again") from None
    return _checked(files, place)


def _checked(files: dict[str, bytes], place: str) -> dict[str, bytes]:
    for name, expected in CONTENT.items():
        if name not in files:
            raise SelfsameError(f"{place}: {name} is missing", f"fetch {ARCHIVE} again")
        found = hashlib.sha256(files[name]).hexdigest()
        if found != expected:
            raise SelfsameError(
                f"{place}: {name} has the sha256 {found}, CIFAR-10's has {expected}", f"fetch {ARCHIVE} again"
            )
    return files


def _batches(files: dict[str, bytes]) -> Iterator[Batch]:
    for name in CONTENT:
        rows = np.frombuffer(files[name], np.uint8).reshape(-1, ROW_BYTES)
        for start in range(0, len(rows), BATCH_ROWS):
            some = rows[start : start + BATCH_ROWS]
            pictures = some[:, 1:].reshape(-1, 3, SIZE, SIZE)
            yield Batch(
                pictures,
                some[:, 0].astype(np.int64),
                np.full(len(some), HOLDOUT if name == TEST else TRAIN, np.int8),
            )
