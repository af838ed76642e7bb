"""What DVC has written down (``dvc.lock``) and stored (its cache), read without asking DVC to judge it."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml

LOCK_FILE = Path("dvc.lock")
FOLDER = ".dir"  # ends the digest of a folder, which is the md5 of its listing
CHUNK_BYTES = 1 << 20

Digest = TypeVar("Digest")


class Digests(NamedTuple):
    """Both digests of a file from one reading: DVC names bytes by md5, the records by sha256."""

    md5: str
    sha256: str


@dataclass(frozen=True)
class Locked:
    """One path in ``dvc.lock`` with the md5 that its stage last saw; a folder's ends in ``.dir``."""

    stage: str
    path: Path
    md5: str


def read_lock() -> tuple[list[Locked], list[Locked]]:
    """Return all outputs and all dependencies that ``dvc.lock`` names.

    Raises:
        SelfsameError: there is none, or it isn't as DVC writes it.
    """
    if not LOCK_FILE.exists():
        raise SelfsameError(
            f"{LOCK_FILE}: no such file in {Path.cwd()}", "run 'dvc repro' first, from the root"
        )
    try:
        stages = read_yaml(LOCK_FILE)["stages"]
        outs, deps = (
            [
                Locked(name, Path(entry["path"]), entry["md5"])
                for name, stage in stages.items()
                for entry in stage.get(key, [])
            ]
            for key in ("outs", "deps")
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SelfsameError(
            f"{LOCK_FILE}: not as DVC writes it ({type(error).__name__}: {error})",
            f"take it back from git: 'git restore {LOCK_FILE}'",
        ) from None
    return outs, deps


class Cache:
    """DVC's local cache: one file per content, named by its md5."""

    def __init__(self) -> None:
        self._folder = _cache_folder() / "files" / "md5"

    def path_of(self, md5: str) -> Path:
        """Return where the object named ``md5`` stands if the cache has it."""
        return self._folder / md5[:2] / md5[2:]

    def listing(self, md5: str) -> dict[str, str] | None:
        """Return a folder's files (path in the folder → md5); None without a listing of just that digest."""
        path = self.path_of(md5)
        if not md5.endswith(FOLDER) or not path.is_file() or md5_file(path) + FOLDER != md5:
            return None
        return {entry["relpath"]: entry["md5"] for entry in json.loads(path.read_bytes())}


def folder_md5(files: dict[str, str]) -> str:
    """Return the digest that DVC gives a folder of these files (path in the folder → md5)."""
    listing = [{"md5": files[path], "relpath": path} for path in sorted(files)]
    return (
        hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + FOLDER
    )


def md5_file(path: Path) -> str:
    """Return the md5 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def both_digests(path: Path) -> Digests:
    """Return md5 and sha256 of a file, read once."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
    return Digests(md5.hexdigest(), sha256.hexdigest())


def digest_all(paths: Iterable[Path], digest: Callable[[Path], Digest]) -> dict[Path, Digest]:
    """Digest many files, as many at a time as there are processors: hashing releases Python's lock."""
    paths = list(paths)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(paths, pool.map(digest, paths), strict=True))


def _cache_folder() -> Path:
    """Ask DVC where its cache is: four configuration files and the environment may say so."""
    asked = subprocess.run(
        [sys.executable, "-m", "dvc", "cache", "dir"], capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        raise SelfsameError(f"DVC can't say where its cache is: {asked.stderr.strip()}", "run 'dvc doctor'")
    folder, root = Path(asked.stdout.strip()), Path.cwd()
    return folder.relative_to(root) if folder.is_relative_to(root) else folder
