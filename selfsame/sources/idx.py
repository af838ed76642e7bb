"""MNIST and Fashion-MNIST: four idx files each, downloaded or read from ``data.path``.

A file is accepted by its sha256. MNIST's is that of the decompressed content, so that another
compression is as good as the original; of Fashion-MNIST the ``.gz`` files' is known.
"""

import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.sources.fetch import fetch
from selfsame.sources.place import files_at, is_empty
from selfsame.sources.source import HOLDOUT, TRAIN, Batch, Source
from selfsame.sources.store import read_whole

LARGEST_FILE_BYTES = 16 + 60_000 * 28 * 28  # more isn't unpacked


@dataclass(frozen=True)
class IdxSet:
    """A data set of 28×28 grey images in idx files.

    Attributes:
        torchvision_class: the class of ``torchvision.datasets`` that knows the publisher's addresses.
        sha256: of each file, packed or unpacked, by its name without ``.gz``.
    """

    name: str
    title: str
    torchvision_class: str
    classes: tuple[str, ...]
    origin: str
    license: str
    sha256: dict[str, str]


MNIST = IdxSet(
    name="mnist",
    title="MNIST",
    torchvision_class="MNIST",
    classes=tuple(str(digit) for digit in range(10)),
    origin="MNIST handwritten digit database, LeCun, Cortes, Burges",
    license="CC BY-SA 3.0",
    sha256={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
)
FASHION_MNIST = IdxSet(
    name="fashion_mnist",
    title="Fashion-MNIST",
    torchvision_class="FashionMNIST",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    origin="Fashion-MNIST, Zalando Research; Xiao, Rasul, Vollgraf, 2017",
    license="MIT",
    sha256={
        "train-images-idx3-ubyte": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train-labels-idx1-ubyte": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "t10k-images-idx3-ubyte": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "t10k-labels-idx1-ubyte": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)


def idx_source(data: IdxSet, place: Path, mirror: str | None) -> Source:
    """Return 70,000 images, 28×28 pixels of 0…255; the last 10,000 are the source's own holdout.

    Args:
        place: the folder in which the four idx files lie, gzipped or not; an empty one downloads them.
        mirror: an address tried before the publisher's own.
    """
    if is_empty(place):
        addresses = _addresses(data, mirror)
        read = {
            name: fetch(data.title, f"{name}.gz", addresses, partial(_checked, data, name))
            for name in data.sha256
        }
    else:
        read = {name: _read(data, place, name) for name in data.sha256}
    info = TableInfo(data.name, "classification", data.classes, image_shape=(1, 28, 28))
    return Source(info, data.origin, data.license, dict(data.sha256), _batches(read))


def _batches(files: dict[str, bytes]) -> Iterator[Batch]:
    for prefix, own in (("train", TRAIN), ("t10k", HOLDOUT)):
        images = np.frombuffer(files[f"{prefix}-images-idx3-ubyte"], np.uint8, offset=16)
        labels = np.frombuffer(files[f"{prefix}-labels-idx1-ubyte"], np.uint8, offset=8).astype(np.int64)
        images = images.reshape(-1, 1, 28, 28)
        for start in range(0, len(labels), BATCH_ROWS):
            chosen = labels[start : start + BATCH_ROWS]
            yield Batch(images[start : start + BATCH_ROWS], chosen, np.full(len(chosen), own, np.int8))


def _read(data: IdxSet, place: Path, name: str) -> bytes:
    for path in files_at(place):
        if path.name in (name, f"{name}.gz"):
            return _checked(data, name, read_whole(path), str(path))
    raise SelfsameError(
        f"data.path = {place}: neither {name} nor {name}.gz is there",
        f"put {data.title}'s four idx files there, or point data.path at an empty folder to download them",
    )


def _checked(data: IdxSet, name: str, content: bytes, place: str) -> bytes:
    found = [hashlib.sha256(content).hexdigest()]
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(LARGEST_FILE_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise SelfsameError(f"{place}: {error}", "fetch the file again") from None
        found.append(hashlib.sha256(content).hexdigest())
    if data.sha256[name] not in found:
        raise SelfsameError(
            f"{place}: its content has the sha256 {found[-1]}, {data.title}'s {name} has {data.sha256[name]}",
            "fetch the file again, as its publisher gives it; for other images set data.source to arrays",
        )
    return content


def _addresses(data: IdxSet, mirror: str | None) -> list[str]:
    import torchvision.datasets

    published = getattr(torchvision.datasets, data.torchvision_class).mirrors
    return [*([mirror] if mirror else []), *published]
