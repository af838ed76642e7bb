"""Files in an object store, read where they lie: a listing on disk stands for a folder of them.

A listing is a text that names an address, ``s3://bucket/folder``, and below it every object with its ETag and
size. Its objects are files below its own path: ``data/pool.listing/part-0.csv``. DVC watches the listing;
whoever opens an object sees to it that the store still has the one that was listed.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from selfsame.core.digests import sha256_file
from selfsame.core.errors import PassingError, SelfsameError

ENDING = ".listing"
SCHEME = "s3://"
HEAD = "# objects of "
ASKED_AT_ONCE = 32  # objects, for their ETags
WHOLE_BYTES = 8 * 1024 * 1024  # an object of no more is read at once, a larger one where it is needed
ANEW = "list them anew by 'selfsame refresh'"


@dataclass(frozen=True)
class Listing:
    """What an address had when it was listed: of every object its ETag and size, by its place below."""

    address: str
    objects: dict[str, tuple[str, int]]


def readable(path: Path) -> Path | pa.NativeFile:
    """Return what libraries open: a file's path, or an object of a store, opened.

    Raises:
        SelfsameError: the store has another object there than the listing says.
    """
    root = listing_of(path)
    if root is None:
        return path
    listing, place = read_listing(root), path.relative_to(root).as_posix()
    etag, size = listing.objects[place]
    file = _store().open_input_file(f"{listing.address.removeprefix(SCHEME)}{place}")
    if _etag(file) != etag or file.size() != size:
        raise SelfsameError(f"{path}: the store has another object there than was listed", ANEW)
    return pa.BufferReader(file.read()) if size <= WHOLE_BYTES else file


def read_whole(path: Path) -> bytes:
    """Return a file's bytes, wherever it lies."""
    with pa.input_stream(readable(path), compression=None) as file:
        return bytes(file.read())


def content_of(path: Path) -> str:
    """Return the sha256 of a file's bytes; of an object in a store, which isn't read for that, its ETag."""
    root = listing_of(path)
    if root is None:
        return sha256_file(path)
    return f"ETag {read_listing(root).objects[path.relative_to(root).as_posix()][0]}"


def listing_of(path: Path) -> Path | None:
    """Return the listing that a path lies below; None for a file of this machine."""
    return next((each for each in path.parents if each.suffix == ENDING and each.is_file()), None)


def files_of(listing: Path) -> list[Path]:
    """Return the objects of a listing, as files below it."""
    return [listing / place for place in read_listing(listing).objects]


def read_listing(path: Path) -> Listing:
    """Read a listing.

    Raises:
        SelfsameError: it is none.
    """
    status = path.stat()
    return _read_listing(path, status.st_mtime_ns, status.st_size)


@cache
def _read_listing(path: Path, *_: int) -> Listing:
    try:
        head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
        rows = [line.split("\t", 2) for line in lines]
        objects = {place: (etag, int(size)) for etag, size, place in rows}
    except ValueError:
        head, objects = "", {}
    if not head.startswith(f"{HEAD}{SCHEME}"):
        raise SelfsameError(f"{path}: no listing of an object store", ANEW)
    return Listing(head.removeprefix(HEAD), objects)


def list_objects(address: str) -> str:
    """Return the text of a listing of what lies at an address: a folder, or a single object.

    Raises:
        SelfsameError: nothing is there, or the store refuses.
    """
    from pyarrow.fs import FileSelector, FileType

    store, place = _store(), address.removeprefix(SCHEME).strip("/")
    try:
        (here,) = store.get_file_info([place])
        found = [here] if here.type == FileType.File else []
        if here.type == FileType.Directory:
            found = store.get_file_info(FileSelector(place, recursive=True))
            place = f"{place}/"
        else:
            place = place[: place.rfind("/") + 1]
        names = sorted(each.path for each in found if each.type == FileType.File)
        if odd := [
            name for name in names if "\n" in name or str(Path(name)) != name or ".." in name.split("/")
        ]:
            raise SelfsameError(f"{address}: no file can be called {odd[0]!r}", "rename the object")

        def line(name: str) -> str:
            with store.open_input_file(name) as file:
                return f"{_etag(file)}\t{file.size()}\t{name.removeprefix(place)}"

        with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
            lines = list(threads.map(line, names))
    except (OSError, pa.ArrowException) as error:
        kind = PassingError if "NETWORK_CONNECTION" in str(error) else SelfsameError
        fix = "check the address, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the keys"
        raise kind(f"{address}: {' '.join(str(error).split())}", fix) from None
    if not lines:
        raise SelfsameError(f"{address}: no object is there", "correct the address")
    return "\n".join([f"{HEAD}{SCHEME}{place}", *lines, ""])


@contextmanager
def place_at(given: str) -> Iterator[Path]:
    """Give a path as it is; for an address one of a listing that is made for the moment."""
    if not given.startswith(SCHEME):
        yield Path(given)
        return
    with TemporaryDirectory() as folder:
        listing = Path(folder, f"{Path(given).name}{ENDING}")
        listing.write_text(list_objects(given), encoding="utf-8")
        yield listing


def _etag(file: pa.NativeFile) -> str:
    return bytes(file.metadata()["ETag"]).decode().strip('"')


def _store() -> Any:
    # Arrow reads the other variables of AWS by itself.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _connected(endpoint, os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"))


@cache
def _connected(endpoint: str | None, region: str | None) -> Any:
    from pyarrow.fs import S3FileSystem

    return S3FileSystem(endpoint_override=endpoint, region=region)
