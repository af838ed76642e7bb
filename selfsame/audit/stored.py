"""What DVC has written down (``dvc.lock``) and stored, read without asking DVC to judge it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsame.audit.digesting import AUDIT_SCRATCH
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE, PARAMS_FILE
from selfsame.dag.places import cache_folder, says
from selfsame.observe.hashing import CHUNK_BYTES, both_digests

if TYPE_CHECKING:
    from selfsame.dag.storage import Remote

OBJECTS = AUDIT_SCRATCH / "objects"
MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
LOCK_SCHEMA = "2.0"  # of dvc.lock; DVC takes one without for a file of another form
FOLDER = ".dir"  # ends the digest of a folder, which is the md5 of its listing


@dataclass(frozen=True)
class Locked:
    """One path in ``dvc.lock`` with the md5 that its stage last saw; a folder's ends in ``.dir``.

    Attributes:
        size: bytes of all its files.
        files: how many a folder has; None of a file.
    """

    stage: str
    path: Path
    md5: str
    size: int
    files: int | None


@dataclass(frozen=True)
class LockedStage:
    """One stage in ``dvc.lock``: what it read and wrote when DVC last booked it.

    Attributes:
        params: sections of ``params.yaml``.
    """

    cmd: str
    outs: tuple[Locked, ...]
    deps: tuple[Locked, ...]
    params: dict[str, Any]


@lru_cache(maxsize=64)  # most commits of a history have the one before's
def parse_lock(content: bytes | None) -> Mapping[str, LockedStage]:
    """Return every stage that a ``dvc.lock`` names.

    Raises:
        SelfsameError: there is none, or it isn't as DVC writes it.
    """
    if content is None:
        raise SelfsameError(
            f"{LOCK_FILE}: no such file in {Path.cwd()}", "run 'dvc repro' first, from the root"
        )
    try:
        whole = parse_yaml(content)
        if whole["schema"] != LOCK_SCHEMA:
            raise ValueError(f"schema {whole['schema']!r}")
        return {name: _locked_stage(name, entry) for name, entry in whole["stages"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise SelfsameError(
            f"{LOCK_FILE}: not as DVC writes it ({type(error).__name__}: {error})",
            f"take it back from git: 'git restore {LOCK_FILE}'",
        ) from None


def named_md5s(lock: bytes) -> set[str]:
    """Return every md5 that stands in the text of a ``dvc.lock``: of one of many, which needn't be parsed."""
    return {found.decode() for found in re.findall(rb"md5['\"]?: *['\"]?([0-9a-f]{32}(?:\.dir)?)\b", lock)}


def _locked_stage(name: str, entry: dict[str, Any]) -> LockedStage:
    outs, deps = (tuple(_locked(name, each) for each in entry.get(key, [])) for key in ("outs", "deps"))
    if unknown := entry.keys() - {"cmd", "deps", "params", "outs"}:
        raise ValueError(f"stage {name} has {sorted(unknown)}")
    return LockedStage(entry["cmd"], outs, deps, dict(entry.get("params", {}).get(PARAMS_FILE.name, {})))


def _locked(stage: str, entry: dict[str, Any]) -> Locked:
    """Read one path; what DVC never writes there is refused, so that no byte is without a meaning."""
    found = Locked(stage, Path(entry["path"]), entry["md5"], entry["size"], entry.get("nfiles"))
    unknown = entry.keys() - {"path", "hash", "md5", "size", "nfiles", "isexec"}
    if unknown or entry["hash"] != "md5" or not MD5.fullmatch(found.md5):
        raise ValueError(f"{found.path} has {entry}")
    return found


def parse_yaml(content: bytes) -> Any:
    """Parse YAML as DVC does.

    Raises:
        ValueError: it isn't any.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(content.decode())
    except YAMLError as error:
        raise ValueError(str(error)) from None


def uncached_paths(graph: bytes) -> set[str]:
    """Return the outputs that ``dvc.yaml`` keeps out of the cache and the remote (``cache: false``)."""
    entries = (
        entry
        for stage in parse_yaml(graph)["stages"].values()
        for key in ("outs", "metrics", "plots")
        for entry in stage.get(key, [])
    )
    return {
        path
        for entry in entries
        if isinstance(entry, dict)
        for path, options in entry.items()
        if options.get("cache") is False
    }


class Store:
    """The places that keep outputs' bytes beside the workspace: DVC's local cache and its remote."""

    @cached_property
    def _folder(self) -> Path:
        return cache_folder()

    @cached_property
    def remote(self) -> "Remote | None":
        """The default remote, if the project names one."""
        if not says(b"remote"):
            return None
        from selfsame.dag.storage import Remote, has_remote

        return Remote() if has_remote() else None

    def in_cache(self, md5: str) -> Path:
        """Return where the cache keeps the object named ``md5`` if it has it."""
        return self._folder / md5[:2] / md5[2:]

    def address(self, md5: str) -> str:
        """Return where the remote keeps the object named ``md5`` if it has it."""
        return self.remote.place(md5) if self.remote else "no remote"

    def at_hand(self, md5: str) -> Path | None:
        """Return a file with the bytes named ``md5`` that is on this machine, if there is one."""
        return next((place for place in (self.in_cache(md5), OBJECTS / md5) if place.is_file()), None)

    def keep(self, name: str, content: bytes) -> Path:
        """Keep a copy of bytes that were checked against their name; return its place."""
        place = OBJECTS / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        return place

    def fetch(self, md5: str, content: bytes | None = None) -> Path:
        """Return a file with the bytes named ``md5``: the cache's, or a checked copy of the remote's.

        Args:
            content: what git has in the output's place, for one that is kept there instead.

        Raises:
            SelfsameError: no place has them, or the remote's are not of that name.
        """
        path = self.at_hand(md5)
        if path is not None:
            return path
        copy = OBJECTS / md5
        if content is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() == md5:
            return self.keep(md5, content)
        if self.remote is None or not self.remote.exists(md5):
            where = f"the remote '{self.remote.name}'" if self.remote else "any remote (none is set)"
            raise SelfsameError(
                f"the bytes of md5 {md5} are neither in the workspace, nor in DVC's cache, nor in {where}",
                "'dvc push' them from where they were made, or set the remote with 'dvc remote add -d'",
            )
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f".partial-{md5}")
        with self.remote.open(md5) as source, partial.open("wb") as target:
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)
        found = both_digests(partial).md5
        if found != md5.removesuffix(FOLDER):
            partial.unlink()
            raise SelfsameError(
                f"{self.remote.place(md5)}: expected md5 {md5}, found md5 {found}",
                "the remote's object was altered: delete it and 'dvc push' again from a sound cache",
            )
        partial.replace(copy)
        return copy

    def listing(self, md5: str) -> dict[str, str] | None:
        """Return a folder's files (path in the folder → md5); None if no sound listing is cached."""
        path = self.in_cache(md5)
        return parse_listing(path.read_bytes(), md5) if md5.endswith(FOLDER) and path.is_file() else None

    def fetch_listing(self, md5: str) -> dict[str, str]:
        """Return a folder's files as ``listing`` does, from the remote if need be.

        Raises:
            SelfsameError: no sound listing is there.
        """
        path = self.fetch(md5)
        files = parse_listing(path.read_bytes(), md5)
        if files is None:
            raise SelfsameError(f"{path}: its bytes are not those of md5 {md5}", "delete it and 'dvc fetch'")
        return files


def parse_listing(content: bytes, md5: str) -> dict[str, str] | None:
    """Return the files (path in the folder → md5) of a listing; None if its bytes are not of ``md5``."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() + FOLDER != md5:
        return None
    return {entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def folder_md5(files: dict[str, str]) -> str:
    """Return the digest that DVC gives a folder of these files (path in the folder → md5)."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return (
        hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER
    )


def md5_of(path: Path, files: Mapping[str, str]) -> str | None:
    """Return the md5 that ``dvc.lock`` has for a path with those of these files (name in the project → md5).

    None if none of them is there.
    """
    name = path.as_posix()
    if name in files:
        return files[name]
    folder = f"{name}/"
    below = {file.removeprefix(folder): md5 for file, md5 in files.items() if file.startswith(folder)}
    return folder_md5(below) if below else None
