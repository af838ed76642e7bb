"""MNIST (LeCun, Cortes, Burges, 1998): downloaded, or read from a local folder of its four idx files.

A file is accepted by the sha256 of its decompressed content, so another compression of the same
content is as good as the original.
"""

import gzip
import hashlib
import time
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from pathlib import Path

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.sources.source import Batch, Source

CONTENT = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ATTEMPTS = 3
TIMEOUT_SECONDS = 30.0


def mnist(folder: str | None, mirror: str | None) -> Source:
    """Return 70,000 handwritten digits, 28×28 pixels of 0…255; the last 10,000 are its own holdout.

    Args:
        folder: where the four idx files lie, gzipped or not; None downloads them.
        mirror: an address tried before torchvision's own mirrors.
    """
    if folder is not None:
        parts = {name: _read(Path(folder), name) for name in CONTENT}
    else:
        addresses = _addresses(mirror)
        parts = {name: _fetch(name, addresses) for name in CONTENT}
    info = TableInfo(
        source="mnist",
        target="classification",
        classes=tuple(str(digit) for digit in range(10)),
        image_shape=(1, 28, 28),
    )
    return Source(
        info,
        origin="MNIST handwritten digit database, LeCun, Cortes, Burges",
        licence="CC BY-SA 3.0",
        content=dict(CONTENT),
        batches=_batches(parts),
    )


def _batches(parts: dict[str, bytes]) -> Iterator[Batch]:
    for prefix, holdout in (("train", False), ("t10k", True)):
        images = np.frombuffer(parts[f"{prefix}-images-idx3-ubyte"], np.uint8, offset=16)
        labels = np.frombuffer(parts[f"{prefix}-labels-idx1-ubyte"], np.uint8, offset=8).astype(np.int64)
        images = images.reshape(-1, 1, 28, 28)
        for start in range(0, len(labels), BATCH_ROWS):
            chosen = labels[start : start + BATCH_ROWS]
            yield Batch(images[start : start + BATCH_ROWS], chosen, np.full(len(chosen), holdout))


def _read(folder: Path, name: str) -> bytes:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return _checked(path.read_bytes(), name, str(path))
    raise SelfsameError(
        f"data.folder = {str(folder)!r}: neither {name} nor {name}.gz is there",
        "point data.folder at the four idx files, or set it to null to download them",
    )


def _fetch(name: str, addresses: Sequence[str]) -> bytes:
    """Download one file into memory: nothing half-written is left anywhere."""
    failures = []
    for attempt in range(ATTEMPTS):
        time.sleep(2**attempt - 1)
        for address in addresses:
            url = f"{address.rstrip('/')}/{name}.gz"
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
                    return _checked(response.read(), name, url)
            except (OSError, ValueError, HTTPException, SelfsameError) as error:
                reason = error.what if isinstance(error, SelfsameError) else f"{url}: {error}"
                failures.append(reason)
    raise SelfsameError(
        f"download of MNIST failed after {ATTEMPTS} attempts:\n    " + "\n    ".join(dict.fromkeys(failures)),
        "check the network, set data.mirror, or set data.folder to a folder with the four idx files",
    )


def _checked(data: bytes, name: str, place: str) -> bytes:
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise SelfsameError(f"{place}: {error}", "fetch the file again") from None
    found = hashlib.sha256(data).hexdigest()
    if found != CONTENT[name]:
        raise SelfsameError(
            f"{place}: its content has the sha256 {found}, MNIST's {name} has {CONTENT[name]}",
            "fetch the file again from another place",
        )
    return data


def _addresses(mirror: str | None) -> list[str]:
    from torchvision.datasets import MNIST

    return [*([mirror] if mirror else []), *MNIST.mirrors]
