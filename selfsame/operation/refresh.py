"""Fetch ``operation.refresh_url`` into ``data.path``, only when it has changed at its source.

A conditional request (RFC 9110, section 13) asks first: the server's own marks of the last answer, kept in
``.scratch/``, are sent along, and an unchanged file costs a few bytes. A server without such marks is
asked for the whole file, which then replaces the one at hand only if its content differs. Of an address in an
object store its listing is fetched, nothing else. Local files need none of this: the source is a dependency
that DVC watches itself.
"""

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from selfsame.core.digests import sha256_file
from selfsame.core.errors import PassingError, SelfsameError
from selfsame.core.layout import LISTING, PARAMS_FILE
from selfsame.params.data import DATA
from selfsame.params.operation import OperationParams
from selfsame.params.reading import load_section
from selfsame.sources.store import SCHEME, list_objects

STATE = Path(".scratch/refresh.json")
TIMEOUT_SECONDS = 60.0
CHUNK_BYTES = 1 << 20
MARKS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
PASSING = (408, 425, 429)  # and every 5xx


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: whether the file at hand has another content now, and that in words."""

    changed: bool
    message: str


def refresh() -> Refreshed:
    """Bring ``data.path`` of ``params.yaml`` up to date with ``operation.refresh_url``.

    Raises:
        SelfsameError: there is no address, or the server refuses.
        PassingError: the server can't be reached, or is in trouble.
    """
    url = load_section("operation", OperationParams).refresh_url
    if url is None:
        raise SelfsameError(
            f"{PARAMS_FILE}: operation.refresh_url is null: there is nothing to refresh from",
            "set it to an address; new local files need no refresh",
        )
    return fetch(url, target_of(url, Path(load_section("data", DATA).path)))


def target_of(url: str, path: Path) -> Path:
    """Return the file that an address is fetched into: ``path``, or one in the folder ``path``."""
    if path.suffix and not path.is_dir():
        return path
    name = Path(unquote(urlsplit(url).path)).name
    if not name:
        raise SelfsameError(
            f"{PARAMS_FILE}: operation.refresh_url = {url!r} names no file",
            "set data.path to a file, with its suffix",
        )
    return path / (f"{name}{LISTING}" if url.startswith(SCHEME) else name)


def fetch(url: str, target: Path) -> Refreshed:
    """Fetch ``url`` into ``target`` if its content isn't there already; a reader never sees half of it."""
    if url.startswith(SCHEME):
        return _list(url, target)
    known = _known(url, target)
    request = urllib.request.Request(url, headers=_conditions(known))
    partial = STATE.with_name("refresh.partial")
    partial.parent.mkdir(exist_ok=True)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            digest, size = _copy(response, partial)
            if size != int(response.headers.get("Content-Length") or size):
                raise PassingError(f"operation.refresh_url = {url!r}: the answer ended after {size:,} bytes")
            marks = {name: response.headers[name] for name in MARKS if response.headers[name]}
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 304:
            return Refreshed(False, f"{url} has not changed")
        kind = PassingError if error.code in PASSING or error.code >= 500 else SelfsameError
        raise kind(f"operation.refresh_url = {url!r}: {error}", "check the address and its server") from None
    except (OSError, HTTPException) as error:
        raise PassingError(
            f"operation.refresh_url = {url!r}: {error}", "check the network and the server"
        ) from None
    changed = not target.is_file() or sha256_file(target) != digest
    if changed:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(target)
    else:
        partial.unlink()
    state = {"url": url, "file": _signature(target), "marks": marks}
    STATE.write_text(json.dumps(state), encoding="utf-8")
    words = "another content" if changed else "the same content"
    return Refreshed(changed, f"{url} fetched to {target}: {size:,} bytes, {words}")


def _list(url: str, target: Path) -> Refreshed:
    if target.suffix != LISTING:
        raise SelfsameError(
            f"{PARAMS_FILE}: data.path = {str(target)!r}: what an object store holds is listed in a file",
            f"set it to a file that ends in {LISTING}, such as data/pool{LISTING}",
        )
    text = list_objects(url)
    before = target.read_text(encoding="utf-8") if target.is_file() else ""
    changed = before != text
    if changed:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".partial-{target.name}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    words = _difference(before, text) if changed else "the same as before"
    objects = text.count("\n") - 1
    return Refreshed(changed, f"{url} listed in {target}: {objects:,} objects, {words}")


def _difference(before: str, now: str) -> str:
    """Count the objects of two listings that differ."""
    old, new = ({line.split("\t", 2)[-1]: line for line in text.split("\n")[1:-1]} for text in (before, now))
    other = sum(new[place] != old[place] for place in new.keys() & old.keys())
    return f"{len(new.keys() - old.keys()):,} added, {other:,} changed, {len(old.keys() - new.keys()):,} gone"


def _copy(response: Any, partial: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with partial.open("wb") as file:
        while chunk := response.read(CHUNK_BYTES):
            digest.update(chunk)
            size += file.write(chunk)
    return digest.hexdigest(), size


def _known(url: str, target: Path) -> Mapping[str, str]:
    """Return the marks of the last answer, if the file at hand is still what it brought."""
    if not (STATE.is_file() and target.is_file()):
        return {}
    state = json.loads(STATE.read_text(encoding="utf-8"))
    marks: dict[str, str] = state["marks"]
    return marks if (state["url"], state["file"]) == (url, _signature(target)) else {}


def _signature(file: Path) -> list[int]:
    """Tell a file that was written since, as DVC does; hashing a large one would take too long."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _conditions(known: Mapping[str, str]) -> dict[str, str]:
    return {MARKS[name]: mark for name, mark in known.items()}
