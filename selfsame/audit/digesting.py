"""Digests of many large files: every byte read, some files at a time, and resumable."""

import json
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selfsame.core.layout import SCRATCH
from selfsame.observe.hashing import Digests
from selfsame.observe.progress import progress

AUDIT_SCRATCH = SCRATCH / "audit"
JOURNAL = AUDIT_SCRATCH / "verify.jsonl"


Digest = Callable[[Path], Digests]


def digest_files(wanted: Mapping[Path, Digest], resume: bool = False) -> dict[Path, Digests]:
    """Digest every file with the function beside it, showing progress.

    Hashing releases Python's lock, so there is a thread for every processor. What is done is noted in a
    journal, which goes when all is done.

    Args:
        resume: take from the journal of an interrupted run what was hashed then, if the file's inode,
            size and times (the one of its last change, too, which no tool can set back) are the same.
    """
    known = _read_journal() if resume else {}
    digests = {path: known[stamp] for path in wanted if (stamp := _stamp(path)) in known}
    left = {path: digest for path, digest in wanted.items() if path not in digests}
    JOURNAL.parent.mkdir(parents=True, exist_ok=True)
    with (
        JOURNAL.open("a" if resume else "w", encoding="utf-8") as journal,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress("verify", total=len(wanted), unit="file") as bar,
    ):
        bar.update(advance=len(digests))
        stamps = [_stamp(path) for path in left]  # before reading: a change meanwhile makes the note void
        results = pool.map(lambda path: left[path](path), left)
        for path, stamp, result in zip(left, stamps, results, strict=True):
            digests[path] = result
            journal.write(json.dumps([stamp, result]) + "\n")
            journal.flush()
            bar.update()
    JOURNAL.unlink()
    return digests


def _stamp(path: Path) -> str:
    status = path.stat()
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return json.dumps([path.as_posix(), status.st_dev, status.st_ino, status.st_size, *times])


def _read_journal() -> dict[str, Digests]:
    known = {}
    if JOURNAL.exists():
        for line in JOURNAL.read_text(encoding="utf-8").splitlines():
            try:
                stamp, (md5, sha256) = json.loads(line)
            except ValueError:  # the line that the interruption cut short
                continue
            known[stamp] = Digests(md5, sha256)
    return known
