"""Stored bytes that hold erased rows, or were made of them: found through the records, and removed."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stored import FOLDER, Store, named_md5s
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS, LOCK_FILE, SCRATCH, WEIGHTS
from selfsame.dag.places import cache_folder
from selfsame.dag.workspace import DVC_FOLDER
from selfsame.git import versions_of

COPIES = (SCRATCH, DVC_FOLDER / "tmp" / "trial", DVC_FOLDER / "tmp" / "exps")  # all in them can be made again
UNSEARCHED = (".git", ".venv", ".dvc/cache")


@dataclass(frozen=True)
class Holding:
    """What executions made of tables that had the rows.

    Attributes:
        objects: md5s of all files that they wrote.
        models: sha256s of the weights among them.
    """

    objects: frozenset[str]
    models: tuple[str, ...]


def find_holding(snapshot: Snapshot, example_ids: Iterable[str]) -> Holding:
    """Follow the records forward from every table of examples that has one of the rows.

    A table whose bytes are nowhere any more counts as one that has them: nobody can say that it hasn't.
    """
    ids = list(example_ids)
    tainted: set[tuple[str, str]] = set()
    objects: set[str] = set()
    models: dict[str, None] = {}
    for record in snapshot.lineage[0]:  # oldest first
        held = snapshot.held(record.outputs)
        reads = bool(record.inputs.items() & tainted)
        if not reads and held.has_table("examples"):
            try:
                table = held.table("examples")
                reads = table is not None and any(table.find(each) is not None for each in ids)
            except SelfsameError:
                reads = True
        if reads:
            tainted |= record.outputs.items()
            objects |= set(record.md5.values())
            models |= {digest: None for name, digest in record.outputs.items() if Path(name).name == WEIGHTS}
    return Holding(frozenset(objects), tuple(models))


def kept_objects(snapshot: Snapshot) -> set[str]:
    """Return the md5s of all that ``dvc.lock`` names now, with the files of its folders."""
    store, found = Store(), set()
    for out in snapshot.outs.values():
        found |= {out.md5, *(store.listing(out.md5) or {}).values()}
    return found


def purge(holding: Collection[str], kept: Collection[str]) -> tuple[int, int, list[str]]:
    """Remove objects from the local cache and the default remote, and the folders' listings that name them.

    Returns:
        How many were removed from each, and sentences on what couldn't be.
    """
    store = Store()
    gone = set(holding) - set(kept)
    gone |= {name for name, files in _listings(store) if name not in kept and gone & set(files)}
    cached, remote, left = 0, 0, []
    if cache_folder().is_absolute():
        left.append(
            f"the cache at {cache_folder()}, which other projects share: 'dvc gc --projects' says how"
        )
    else:
        for md5 in gone:
            if (path := store.in_cache(md5)).exists():
                path.unlink()
                cached += 1
    if store.remote is not None:
        for md5 in gone:
            try:
                if store.remote.exists(md5):
                    store.remote.remove(md5)
                    remote += 1
            except Exception as error:  # every kind of remote has its own
                left.append(f"{store.remote.place(md5)}: {type(error).__name__}: {error}")
    for path in COPIES:
        shutil.rmtree(path, ignore_errors=True)
    return cached, remote, left


def _listings(store: Store) -> Iterator[tuple[str, list[str]]]:
    """Yield every folder that the cache or a committed ``dvc.lock`` knows: its md5, those of its files."""
    names = {path.parent.name + path.name for path in cache_folder().glob(f"??/*{FOLDER}")}
    for _, lock in versions_of(LOCK_FILE.as_posix()):
        names |= {md5 for md5 in named_md5s(lock) if md5.endswith(FOLDER)}
    for name in sorted(names):
        try:
            content = store.fetch(name).read_bytes()
        except SelfsameError:  # gone, and with it what it named
            continue
        yield name, [each["md5"] for each in json.loads(content)]


def remove_requests(example_ids: Collection[str]) -> int:
    """Remove what people were asked, where it names one of the rows: ``selfsame ask`` writes it anew."""
    files = [path for path in ANNOTATIONS.parent.iterdir() if path != ANNOTATIONS and path.is_file()]
    naming = [path for path in files if _has(path, [each.encode() for each in example_ids])]
    for path in naming:
        path.unlink()
    return len(naming)


def still_there(words: Collection[bytes]) -> list[Path]:
    """Return the files of the project's folder that have one of these bytes in them, outside of git."""
    found = []
    for path in sorted(Path().rglob("*")):
        if path.is_symlink() or not path.is_file() or path.as_posix().startswith(UNSEARCHED):
            continue
        if _has(path, words):
            found.append(path)
    return found


def _has(path: Path, words: Collection[bytes]) -> bool:
    content = path.read_bytes()
    return any(word in content for word in words if word)
