"""All records of ``lineage/``: checked against their names, and found again without being read."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from selfsame.audit.digesting import AUDIT_SCRATCH
from selfsame.audit.records import MALFORMED, Problem, Record, broken, malformed, require_own_name, skim
from selfsame.core.layout import LINEAGE

INDEX = AUDIT_SCRATCH / "records.json"  # may be deleted
Skimmed = tuple[list[int], str, dict[str, Any]]  # of a file: its stamp, when its execution began, the rest


def read_lineage(folder: Path = LINEAGE) -> tuple[list[Record], list[Problem]]:
    """Read every record of a folder whole, as ``parse_lineage`` does."""
    return parse_lineage({Path(entry.path): Path(entry.path).read_bytes() for entry in _files(folder)})


def find_lineage() -> tuple[list[Record], list[Problem]]:
    """Find every record of the project, oldest first, and name those that can't be trusted.

    What leads to a record is in an index beside its file's inode, size and times; a file that has others is
    read again. What else a record says is read, and its bytes held against its name, when it is asked for.
    """
    known = _read_index()
    found: dict[str, Skimmed] = {}
    records: list[Record] = []
    problems: list[Problem] = []
    for entry in _files(LINEAGE):
        path, status = Path(entry.path), entry.stat()
        stamp = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        if entry.path in known and known[entry.path][0] == stamp:
            found[entry.path] = known[entry.path]
            _, started, leads = known[entry.path]
            leads = {**leads, "started": datetime.fromisoformat(started)}
            records.append(Record(path, path.read_bytes, leads))
            continue
        record = _read(path, path.read_bytes(), path.read_bytes)
        if isinstance(record, Problem):
            problems.append(record)
            continue
        records.append(record)
        leads = {key: getattr(record, key) for key in ("outputs", "md5", "inputs")}
        found[entry.path] = (stamp, record.started.isoformat(), leads)
    if found != known:
        _write_index(found)
    return in_order(records), sorted(problems, key=lambda problem: problem.path)


def parse_lineage(files: Mapping[Path, bytes], whole: bool = True) -> tuple[list[Record], list[Problem]]:
    """Read every record, oldest first, and name those that can't be trusted.

    A file whose bytes don't match its name, or that is no record, is a problem and never evidence.

    Args:
        whole: read all of each at once; else a record that lacks something is an error when it is needed.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    for path, content in files.items():
        record = _read(path, content, partial(bytes, content), whole)
        (problems if isinstance(record, Problem) else records).append(record)  # type: ignore[arg-type]
    return in_order(records), sorted(problems, key=lambda problem: problem.path)


def in_order(records: Iterable[Record]) -> list[Record]:
    """Sort records, the oldest first."""
    return sorted(records, key=lambda record: (record.started, str(record.path)))


def _read(path: Path, content: bytes, load: Callable[[], bytes], whole: bool = False) -> Record | Problem:
    try:
        require_own_name(path, content)
    except ValueError as error:
        return broken(path, f"sha256 {path.stem}", str(error))
    try:
        record = Record(path, load, skim(content))
        if whole:
            record.read()
    except MALFORMED as error:
        return malformed(path, error)
    return record


def _files(folder: Path | str) -> Iterator["os.DirEntry[str]"]:
    if Path(folder).is_dir():
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.name.endswith(".json"):
                yield entry


def _read_index() -> dict[str, Skimmed]:
    try:
        return {name: (stamp, started, leads) for name, (stamp, started, leads) in _stored()}
    except (OSError, *MALFORMED):
        return {}


def _stored() -> Iterable[tuple[str, Any]]:
    entries: dict[str, Any] = json.loads(INDEX.read_bytes())
    return entries.items()


def _write_index(found: Mapping[str, Skimmed]) -> None:
    with suppress(OSError):  # whoever may only read the project audits it without
        INDEX.parent.mkdir(parents=True, exist_ok=True)
        half = INDEX.with_name(f".partial-{os.getpid()}")
        half.write_text(json.dumps(found), encoding="utf-8")
        half.replace(INDEX)
