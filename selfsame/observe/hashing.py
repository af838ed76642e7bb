"""Both digests of a file's bytes: DVC names them by md5, the records by sha256."""

import hashlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from selfsame.core.digests import sha256_file

CHUNK_BYTES = 1 << 20


class Digests(NamedTuple):
    """Digests of one file. None: not computed."""

    md5: str | None
    sha256: str


def both_digests(path: Path) -> Digests:
    """Return md5 and sha256 of a file, read once."""
    with path.open("rb") as file:
        return digest_stream(file)


def sha256_only(path: Path) -> Digests:
    """Return the sha256 alone, which takes a third of the time of both."""
    return Digests(None, sha256_file(path))


def digest_stream(file: BinaryIO) -> Digests:
    """Return md5 and sha256 of an open file, a chunk in memory at a time."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        md5.update(chunk)
        sha256.update(chunk)
    return Digests(md5.hexdigest(), sha256.hexdigest())
