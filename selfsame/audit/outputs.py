"""Re-hash every byte of the outputs: workspace, DVC's cache, its remote.

DVC itself trusts file times and read-only cache objects; here every byte is read. ``dvc.lock`` is held
against the bytes it names.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from selfsame.audit.digesting import digest_files
from selfsame.audit.records import Problem
from selfsame.audit.stored import FOLDER, Locked, Store, folder_md5, parse_listing, uncached_paths
from selfsame.core.digests import files_under
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import GRAPH_FILE, LOCK_FILE
from selfsame.observe.hashing import Digests, both_digests, digest_stream, sha256_only
from selfsame.observe.progress import progress

if TYPE_CHECKING:
    from selfsame.dag.storage import Remote

FIXES = {
    ("cache", True): "delete it; 'dvc commit --force' stores the workspace's bytes, 'dvc fetch' a remote's",
    ("remote", True): "delete it there and 'dvc push' again from a sound cache",
    ("remote", False): "'dvc push' it",
}


@dataclass
class Outputs:
    """What was found of the outputs.

    Attributes:
        sound: path → sha256 of every file that is as ``dvc.lock`` has it.
        checked: what was read → how many.
    """

    problems: list[Problem] = field(default_factory=list)
    sound: dict[str, str] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)


class OutputCheck:
    """Holds outputs against their digests; ``run`` does it.

    Args:
        outs: what ``dvc.lock`` says that the stages wrote.
        others: md5s of further objects of the cache that the project rests on, or did.
    """

    def __init__(self, outs: list[Locked], others: Collection[str]) -> None:
        self._outs, self._others = outs, others
        self._store = Store()
        self._found = Outputs()
        self._sound: dict[str, str] = {}  # md5 → sha256 of bytes that some place was seen to hold

    def run(self, remote: bool, resume: bool) -> Outputs:
        """Read every byte.

        Args:
            remote: those of the default remote too.
            resume: take up an interrupted run (see ``digest_files``).
        """
        listings = {out.path: self._store.listing(out.md5) for out in self._outs}
        files = {out.path: list(files_under(out.path)) for out in self._outs}
        objects = self._objects(listings)
        wanted = {
            path: named.get(path)
            for out in self._outs
            for named in [_names(out, listings[out.path])]
            for path in files[out.path]
        }
        # The cache's copy tells both digests, so that the workspace's needs only the cheaper one. Bytes that
        # are the same file on disk (DVC may link them) are read once.
        twins = {path: objects[md5] for path, md5 in wanted.items() if md5 in objects}
        linked = {path for path, twin in twins.items() if path.samefile(twin)}
        ways = dict.fromkeys(objects.values(), both_digests)
        ways |= {
            path: sha256_only if path in twins else both_digests for path in wanted if path not in linked
        }
        digests = digest_files(ways, resume)
        self._check_objects(objects, digests)
        here = {path: self._both(path, md5, digests, twins, linked) for path, md5 in wanted.items()}
        checked = self._found.checked
        checked |= {"files in the workspace": len(wanted), "cache objects": len(objects)}
        if remote:
            kept = [
                out
                for out in self._outs
                if out.path.as_posix() not in uncached_paths(GRAPH_FILE.read_bytes())
            ]
            there, named = _read_remote(self._store, {out.md5 for out in kept})
            for md5, known in there.items():
                self._judge("remote", md5, self._store.address(md5), known)
            listings |= {out.path: named.get(out.md5, listings[out.path]) for out in self._outs}
            checked["remote objects"] = sum(known is not None for known in there.values())
        self._found.sound = self._check_outputs(files, here, listings)
        self._found.problems += self._links(files)
        return self._found

    def _objects(self, listings: Mapping[Path, dict[str, str] | None]) -> dict[str, Path]:
        """Return where the cache keeps every object that the project rests on, or did, by md5."""
        named = {*(out.md5 for out in self._outs), *self._others}
        folders = [*listings.values(), *map(self._store.listing, self._others)]
        named |= {md5 for listing in folders for md5 in (listing or {}).values()}
        return {md5: path for md5 in sorted(named) if (path := self._store.in_cache(md5)).is_file()}

    def _links(self, files: Mapping[Path, list[Path]]) -> Iterator[Problem]:
        """Name files that are symbolic links to anywhere but the cache, to which DVC may link them."""
        cache = self._store.in_cache("").resolve()
        for path in (path for each in files.values() for path in each):
            if path.resolve() != path.absolute() and not path.resolve().is_relative_to(cache):
                found = f"a link to {path.resolve()}"
                yield _broken_file(path, "a file", found, "delete it, and 'dvc checkout'")

    def _check_objects(self, objects: Mapping[str, Path], digests: Mapping[Path, Digests]) -> None:
        for md5, path in objects.items():
            self._judge("cache", md5, path.as_posix(), digests[path])

    def _judge(self, kind: str, md5: str, place: str, found: Digests | None) -> None:
        """Hold a stored object against its name."""
        if found is not None and found.md5 == md5.removesuffix(FOLDER):
            self._sound[md5] = found.sha256
            return
        words = f"md5 {found.md5}" if found else "nothing"
        self._found.problems.append(Problem(kind, place, f"md5 {md5}", words, FIXES[kind, found is not None]))

    def _both(
        self,
        path: Path,
        wanted: str | None,
        digests: Mapping[Path, Digests],
        twins: Mapping[Path, Path],
        linked: set[Path],
    ) -> Digests:
        """Return both digests of a workspace file: the md5 by way of a sound twin in the cache."""
        found = digests[twins[path]] if path in linked else digests[path]
        if found.md5 is not None:
            return found
        assert wanted is not None
        return (
            Digests(wanted, found.sha256) if self._sound.get(wanted) == found.sha256 else both_digests(path)
        )

    def _check_outputs(
        self,
        files: Mapping[Path, list[Path]],
        here: Mapping[Path, Digests],
        listings: Mapping[Path, dict[str, str] | None],
    ) -> dict[str, str]:
        """Name what is broken; return path → sha256 of what is sound.

        An altered file is one problem, and not another one for want of a record.
        """
        sound: dict[str, str] = {}
        for out in self._outs:
            present = {path: here[path] for path in files[out.path]}
            kept = _names(out, listings[out.path])
            if not present and kept and all(md5 in self._sound for md5 in kept.values()):
                sound |= {path.as_posix(): self._sound[md5] for path, md5 in kept.items()}
                continue
            broken = list(_broken_files(out, present, listings[out.path]))
            self._found.problems += broken
            at_fault = {problem.path for problem in broken}
            if out.path.as_posix() not in at_fault:
                self._found.problems += [] if broken else _wrong_size(out, present)
                good = {path.as_posix(): both.sha256 for path, both in present.items()}
                sound |= {path: sha256 for path, sha256 in good.items() if path not in at_fault}
        return sound


def _names(out: Locked, listing: Mapping[str, str] | None) -> dict[Path, str]:
    """Return path → md5 of all files that an output must have, as far as a listing tells them."""
    if not out.md5.endswith(FOLDER):
        return {out.path: out.md5}
    return {out.path / name: md5 for name, md5 in (listing or {}).items()}


def _broken_files(
    out: Locked, here: Mapping[Path, Digests], listing: Mapping[str, str] | None
) -> Iterator[Problem]:
    """Hold the files of one output against ``dvc.lock``; a folder as a whole where no listing tells more."""
    restore = f"'dvc repro {out.stage}' restores it, or makes it anew"
    if here and listing is None and out.md5.endswith(FOLDER):
        found = folder_md5(
            {path.relative_to(out.path).as_posix(): str(both.md5) for path, both in here.items()}
        )
        if found != out.md5:
            yield _broken_file(out.path, f"md5 {out.md5}", f"md5 {found}", f"delete it; {restore}")
        return
    wanted = _names(out, listing)
    if not here:
        expected, found = f"md5 {out.md5}", "nothing, nor all its bytes elsewhere"
        yield Problem("missing", out.path.as_posix(), expected, found, restore)
        return
    for path in sorted(wanted.keys() | here.keys()):
        if path not in here:
            yield _broken_file(path, f"md5 {wanted[path]}", "nothing", restore)
        elif path not in wanted:
            yield _broken_file(path, "no such file", f"md5 {here[path].md5}", "delete it")
        elif here[path].md5 != wanted[path]:
            # DVC leaves a file alone whose size and time it knows; a deleted one it restores.
            found = f"md5 {here[path].md5}"
            yield _broken_file(path, f"md5 {wanted[path]}", found, f"delete it; {restore}")


def _wrong_size(out: Locked, here: Collection[Path]) -> Iterator[Problem]:
    """Name an output that ``dvc.lock`` has with its bytes, but with another size or number of files."""
    files = len(here) if out.md5.endswith(FOLDER) else None
    size = sum(path.stat().st_size for path in here)
    if here and (size, files) != (out.size, out.files):
        found = f"{out.size} bytes, files: {out.files}"
        fix = f"take {LOCK_FILE} back from git, or run 'dvc repro --force {out.stage}'"
        expected = f"{size} bytes, files: {files}, as {out.path} has"
        yield Problem("lock", LOCK_FILE.as_posix(), expected, found, fix)


def _broken_file(path: Path, expected: str, found: str, fix: str) -> Problem:
    return Problem("workspace", path.as_posix(), expected, found, fix)


def _read_remote(
    store: Store, outs: Iterable[str]
) -> tuple[dict[str, Digests | None], dict[str, dict[str, str]]]:
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
    listings: dict[str, dict[str, str]] = {}
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
