"""The project in the current folder, which one flow at a time may write to.

The file lock dies with its owner, and so does the pipe that every stage's process listens on: a flow
that is killed leaves neither a lock nor a running stage behind, and the next one needs no hand work.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from dvc.lock import make_lock

from selfsame.core.errors import SelfsameError

DVC_FOLDER = Path(".dvc")
OWN_DVC = {"selfsame.dag.child", "selfsame.dag.trial"}  # modules that run as processes with DVC in them
CLOCK_SECONDS = 1.0  # a process's start time and a file's time come from clocks that differ by less


@dataclass(frozen=True)
class Workspace:
    """The right to write to the project in the current folder.

    Attributes:
        lifeline: read end of a pipe that nobody writes to; it ends when the workspace is let go, by
            the end of the block or by the death of the process.
    """

    lifeline: BinaryIO


@contextmanager
def hold_workspace(wait: bool = True, say: Callable[[str], None] = print) -> Iterator[Workspace]:
    """Hold the workspace for the length of a block; leaving it kills every stage that still runs.

    Args:
        wait: wait for another flow to finish, saying for whom; otherwise fail at once.

    Raises:
        SelfsameError: not a DVC project, or another flow holds it and ``wait`` is false.
    """
    if not DVC_FOLDER.is_dir():
        raise SelfsameError(f"{Path.cwd()}: not a DVC project", "run from the project's root folder")
    folder = DVC_FOLDER / "tmp"
    folder.mkdir(exist_ok=True)
    with (folder / "selfsame.lock").open("a+", encoding="utf-8") as file:
        _lock(file, wait, say)
        clear_dead_locks(folder)
        read_end, write_end = os.pipe()
        with os.fdopen(read_end, "rb") as lifeline:
            try:
                yield Workspace(lifeline)
            finally:
                os.close(write_end)


def clear_dead_locks(folder: Path) -> None:
    """Remove the entries of dead processes from DVC's table of busy paths (``.dvc/tmp/rwlock``).

    DVC drops an entry only when no process has its number, so that a number given to another process
    blocks every later run; a table cut short by a crash does the same. Its other locks are held by the
    kernel and die with their process.

    Raises:
        SelfsameError: the table is unreadable while a DVC process is at work here.
    """
    table = folder / "rwlock"
    with make_lock(str(folder / "rwlock.lock"), wait=True):  # nobody is rewriting the table now
        text = table.read_text(encoding="utf-8") if table.exists() else ""
        if not text:
            table.unlink(missing_ok=True)
            return
        try:
            entries, written = json.loads(text), table.stat().st_mtime
            kept = {
                "write": {
                    path: owner
                    for path, owner in entries.get("write", {}).items()
                    if is_alive(owner, written)
                },
                "read": {
                    path: living
                    for path, owners in entries.get("read", {}).items()
                    if (living := [owner for owner in owners if is_alive(owner, written)])
                },
            }
        except (ValueError, AttributeError, TypeError, KeyError):
            if busy := _dvc_processes(Path.cwd()):
                raise SelfsameError(
                    f"{table}: unreadable, and DVC is at work here (process {', '.join(map(str, busy))})",
                    "run again when it has ended",
                ) from None
            table.unlink()
            return
        if kept != entries:
            table.write_text(json.dumps(kept), encoding="utf-8")


def is_alive(owner: dict[str, Any], written: float) -> bool:
    """Tell whether a lock's owner, as DVC writes it (``pid`` and ``cmd``), still runs.

    The number alone may have been given to a later process: the command's arguments must agree, and the
    process must be older than the table's last change (``written``, seconds since the epoch).
    """
    import psutil

    arguments = " ".join(str(owner["cmd"]).split(" ")[1:])
    try:
        process = psutil.Process(int(owner["pid"]))
        command, started = " ".join(process.cmdline()), process.create_time()
    except psutil.NoSuchProcess:  # a zombie is one too
        return False
    return command.endswith(arguments) and started <= written + CLOCK_SECONDS


def _dvc_processes(root: Path) -> list[int]:
    """Return the ids of other processes of ``dvc`` whose working folder is inside the project."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "cmdline", "cwd"]):
        command, folder = process.info["cmdline"] or [], process.info["cwd"]
        is_dvc = any(Path(word).name == "dvc" for word in command[:2]) or bool(OWN_DVC & set(command))
        is_daemon = "daemon" in command  # DVC's look for a newer version of itself, which locks nothing
        if is_dvc and not is_daemon and folder and Path(folder).is_relative_to(root):
            found.append(process.info["pid"])
    return found


def _lock(file: TextIO, wait: bool, say: Callable[[str], None]) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read() or "a flow that is just starting"
        if not wait:
            raise SelfsameError(
                f"the workspace is in use by {holder}", "try again when it has ended, or let this run wait"
            ) from None
        say(f"waiting for the workspace, in use by {holder}")
        fcntl.flock(file, fcntl.LOCK_EX)
    file.truncate(0)
    file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
    file.flush()
