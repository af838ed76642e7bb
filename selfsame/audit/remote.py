"""Every object of DVC's remote that the lock file names, read and hashed."""

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from selfsame.audit.records import Problem
from selfsame.audit.stored import FOLDER, Store
from selfsame.core.errors import SelfsameError
from selfsame.observe.hashing import Digests, digest_stream
from selfsame.observe.progress import progress

if TYPE_CHECKING:
    from selfsame.dag.storage import Remote


@dataclass
class RemoteCheck:
    """What the remote holds.

    Attributes:
        sound: md5 → sha256 of every object with the bytes of its name.
        listings: the sound listings of folders by md5: path in the folder → md5.
        count: objects read.
    """

    problems: list[Problem] = field(default_factory=list)
    sound: dict[str, str] = field(default_factory=dict)
    listings: dict[str, dict[str, str]] = field(default_factory=dict)
    count: int = 0


def check_remote(store: Store, outs: Iterable[str]) -> RemoteCheck:
    """Read every object behind the outputs named by ``outs`` (md5s) from the default remote.

    Raises:
        SelfsameError: no default remote is set.
    """
    remote = store.remote
    if remote is None:
        raise SelfsameError(
            "DVC has no default remote to verify", "set one: 'dvc remote add -d NAME ADDRESS'"
        )
    check = RemoteCheck()
    outs = sorted(outs)
    for md5 in outs:
        if md5.endswith(FOLDER):
            _check_listing(remote, md5, check)
    files = {md5 for md5 in outs if not md5.endswith(FOLDER)}
    files |= {md5 for md5 in outs for md5 in (check.listings.get(md5) or store.listing(md5) or {}).values()}
    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress("remote", total=len(files), unit="object") as bar,
    ):
        ordered = sorted(files)
        for md5, digests in zip(ordered, pool.map(lambda md5: _digest(remote, md5), ordered), strict=True):
            _judge(remote, md5, digests, check)
            bar.update()
    return check


def _check_listing(remote: "Remote", md5: str, check: RemoteCheck) -> None:
    content = b""
    if remote.exists(md5):
        with remote.open(md5) as file:
            content = file.read()
    _judge(remote, md5, digest_stream(BytesIO(content)) if content else None, check)
    if md5 in check.sound:
        check.listings[md5] = {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def _digest(remote: "Remote", md5: str) -> Digests | None:
    if not remote.exists(md5):
        return None
    with remote.open(md5) as file:
        return digest_stream(file)


def _judge(remote: "Remote", md5: str, digests: Digests | None, check: RemoteCheck) -> None:
    if digests is None:
        problem = Problem("remote", remote.place(md5), f"md5 {md5}", "nothing", "'dvc push' it")
        check.problems.append(problem)
        return
    check.count += 1
    if digests.md5 == md5.removesuffix(FOLDER):
        check.sound[md5] = digests.sha256
        return
    fix = "delete it there and 'dvc push' again from a sound cache"
    check.problems.append(Problem("remote", remote.place(md5), f"md5 {md5}", f"md5 {digests.md5}", fix))
