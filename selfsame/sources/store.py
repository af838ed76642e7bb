"""Files in an object store, read where they lie: a listing on disk stands for a folder of them.

A listing is a text that names an address, ``s3://bucket/folder``, and below it every object with its ETag and
size. Its objects are files below its own path: ``data/pool.listing/part-0.csv``. DVC watches the listing;
whoever opens an object sees to it that the store still has the one that was listed.
"""

import io
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from selfsame.core.digests import sha256_file
from selfsame.core.errors import PassingError, SelfsameError
from selfsame.core.layout import LISTING

SCHEME = "s3://"
HEAD = "# objects of "
ASKED_AT_ONCE = 32  # objects, for their ETags; and photos
WHOLE_BYTES = 8 * 1024 * 1024  # an object of no more is read by one request,
READ_AT_ONCE = WHOLE_BYTES  # a larger one by several of this size
ANEW = "list them anew by 'selfsame refresh'"
CHECK = "check the address, AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the keys"
UNFIT = re.compile(r"[\r\n]|(^|/)\.\.(/|$)")  # names of objects
GONE = re.compile("NO_SUCH_KEY|RESOURCE_NOT_FOUND")
PASSING = re.compile(
    "NETWORK_CONNECTION|HTTP status 5|SLOW_DOWN|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|TIMEOUT"
)


class StoreError(SelfsameError):
    """A store doesn't give what was listed: the fault of no object, so the others aren't looked at."""


class AwayError(StoreError, PassingError):
    """A store can't be reached, or is in trouble."""


@dataclass(frozen=True)
class Listing:
    """What an address had when it was listed: of every object its ETag and size, by its place below."""

    address: str
    objects: dict[str, tuple[str, int]]


def readable(path: Path) -> Path | pa.NativeFile | io.BufferedReader:
    """Return what libraries open: a file's path, or an object of a store, opened.

    Raises:
        StoreError: the store has another object there than the listing says, or gives none; of a large object
            whenever it is read.
    """
    root = listing_of(path)
    if root is None:
        return path
    listing, place = read_listing(root), path.relative_to(root).as_posix()
    etag, size = listing.objects[place]
    listed = path, f"{listing.address.removeprefix(SCHEME)}{place}", etag, size
    if size <= WHOLE_BYTES:
        return pa.BufferReader(_whole(*listed))
    return io.BufferedReader(_Object(*listed), READ_AT_ONCE)


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
    return next((each for each in path.parents if each.suffix == LISTING and each.is_file()), None)


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

    place = address.removeprefix(SCHEME).rstrip("/")
    if not place or place.startswith("/"):
        raise SelfsameError(f"{address}: names no bucket", f"write {SCHEME}BUCKET/FOLDER")
    with _asking(address):
        store = _store()
        (here,) = store.get_file_info([place])
        found = [here] if here.type == FileType.File else []
        if here.type == FileType.Directory:
            found = store.get_file_info(FileSelector(place, recursive=True))
            place = f"{place}/"
        else:
            place = place[: place.rfind("/") + 1]
        names = sorted(each.path for each in found if each.type == FileType.File)
        if odd := [name for name in names if str(Path(name)) != name or UNFIT.search(name)]:
            raise SelfsameError(f"{address}: no file can be called {odd[0]!r}", "rename the object")

        def line(name: str) -> str:
            with _asking(f"{SCHEME}{name}"), store.open_input_file(name) as file:
                return f"{_etag(file)}\t{file.size()}\t{name.removeprefix(place)}"

        with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
            lines = list(threads.map(line, names))
    if not lines:
        raise SelfsameError(f"{address}: no object is there", "correct the address")
    return "\n".join([f"{HEAD}{SCHEME}{place}", *lines, ""])


def is_address(given: str) -> bool:
    """Tell an address in a store from a path.

    Raises:
        SelfsameError: it is an address of another kind.
    """
    if "://" in given and not given.startswith(SCHEME):
        raise SelfsameError(f"{given}: no address that is read", f"give a path, or {SCHEME}BUCKET/FOLDER")
    return given.startswith(SCHEME)


@contextmanager
def place_at(given: str) -> Iterator[Path]:
    """Give a path as it is; for an address one of a listing that is made for the moment."""
    if not is_address(given):
        yield Path(given)
        return
    with TemporaryDirectory() as folder:
        listing = Path(folder, f"{Path(given).name}{LISTING}")
        listing.write_text(list_objects(given), encoding="utf-8")
        yield listing


@contextmanager
def _asking(what: str) -> Iterator[None]:
    """Make one sentence of whatever trouble the store has with an address or object."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())
        if isinstance(error, FileNotFoundError) or GONE.search(said):
            raise StoreError(f"{what}: the store doesn't have that object any more", ANEW) from None
        raise (AwayError if PASSING.search(said) else StoreError)(f"{what}: {said}", CHECK) from None


class _Object(io.RawIOBase):
    """An object that is read where it is needed; no reader takes the store's trouble for a broken file's."""

    def __init__(self, *listed: Any) -> None:
        self._listed, self._file = listed, _opened(*listed)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with _asking(str(self._listed[0])):
            count = int(self._file.readinto(buffer))
        _opened(*self._listed)  # or what was read before and after a change makes one file
        return count


def _opened(path: Path, address: str, etag: str, size: int) -> pa.NativeFile:
    with _asking(str(path)):
        file = _store().open_input_file(address)
        if _etag(file) != etag or file.size() != size:
            raise StoreError(f"{path}: the store has another object there than was listed", ANEW)
        return file


@lru_cache(maxsize=1)  # a table's start is looked at several times
def _whole(path: Path, *listed: Any) -> bytes:
    with _opened(path, *listed) as file, _asking(str(path)):
        return bytes(file.read())


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
