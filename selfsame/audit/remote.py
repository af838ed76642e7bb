"""Every object of DVC's remote that the lock file names, read and hashed."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING

from selfsame.audit.stored import FOLDER, Store, parse_listing
from selfsame.core.errors import SelfsameError
from selfsame.observe.hashing import Digests, digest_stream
from selfsame.observe.progress import progress

if TYPE_CHECKING:
    from selfsame.dag.storage import Remote

Listing = dict[str, str]  # of a folder: path in it → md5


def read_remote(store: Store, outs: Iterable[str]) -> tuple[dict[str, Digests | None], dict[str, Listing]]:
    """Read every object behind the outputs named by ``outs`` (md5s) from the default remote.

    Returns:
        By md5 the digests of each object, None where there is none; and the folders' sound listings.

    Raises:
        SelfsameError: no default remote is set.
    """
    remote = store.remote
    if remote is None:
        raise SelfsameError(
            "DVC has no default remote to verify", "set one: 'dvc remote add -d NAME ADDRESS'"
        )
    found: dict[str, Digests | None] = {}
    listings: dict[str, Listing] = {}
    files: set[str] = set()
    for md5 in sorted(outs):
        listing = store.listing(md5)
        if not md5.endswith(FOLDER):
            files.add(md5)
            continue
        content = b""
        if remote.exists(md5):
            with remote.open(md5) as file:
                content = file.read()
        found[md5] = digest_stream(BytesIO(content)) if content else None
        if there := parse_listing(content, md5):
            listings[md5] = listing = there
        files |= set((listing or {}).values())
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress("remote", total=len(files), unit="object") as bar,
    ):
        ordered = sorted(files)
        for md5, digests in zip(ordered, pool.map(lambda md5: _digest(remote, md5), ordered), strict=True):
            found[md5] = digests
            bar.update()
    return found, listings


def _digest(remote: "Remote", md5: str) -> Digests | None:
    if not remote.exists(md5):
        return None
    with remote.open(md5) as file:
        return digest_stream(file)
