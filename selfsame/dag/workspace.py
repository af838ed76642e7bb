"""The project in the current folder, which one flow at a time may write to.

The file lock dies with its owner, and every stage's process hears of its owner's death: a flow that is killed
leaves neither a lock nor a running stage behind, and the next one needs no hand work.
"""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE
from selfsame.dag.adapter import BUSY_PATHS, busy_paths_lock
from selfsame.processes import kill_group, leader_options, lock

DVC_FOLDER = Path(".dvc")
OWN_DVC = {"selfsame.dag.child", "selfsame.dag.trial"}  # modules that run as processes with DVC in them
CLOCK_SECONDS = 1.0  # a process's start time and a file's time come from clocks that differ by less


class Workspace:
    """The right to write to the project in the current folder; made by ``hold_workspace``.

    Attributes:
        scratch: folder for files that processes hand to each other; emptied when the workspace is taken.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._children: set[subprocess.Popen[bytes]] | None = set()
        self._guard = threading.Lock()

    def start(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a process that leads a group of its own and is killed with it when the workspace is let go.

        Its standard input ends when this process does: see ``end_with_standard_input``.
        """
        with self._guard:
            if self._children is None:
                raise SelfsameError("the workspace has been let go", "run again")
            child = subprocess.Popen(command, stdin=subprocess.PIPE, **options, **leader_options())
            self._children.add(child)
        return child

    def let_go(self) -> None:
        """Kill what still runs."""
        with self._guard:
            children, self._children = self._children or (), None
        for child in children:
            if child.poll() is None:
                kill_group(child.pid)


@contextmanager
def hold_workspace(wait: bool = True, say: Callable[[str], None] = print) -> Iterator[Workspace]:
    """Hold the workspace for the length of a block; leaving it kills every stage that still runs.

    Args:
        wait: wait for another flow to finish, saying for whom; otherwise fail at once.

    Raises:
        SelfsameError: not a DVC project, or another flow holds it and ``wait`` is false.
    """
    folder = require_project()
    with (folder / "selfsame.lock").open("a+", encoding="utf-8") as file:
        _lock(file, wait, say)
        clear_dead_locks(folder)
        set_cut_lock_file_aside(folder, say)
        scratch = folder / "selfsame"
        shutil.rmtree(scratch, ignore_errors=True)  # a killed flow's
        scratch.mkdir()
        workspace = Workspace(scratch)
        try:
            yield workspace
        finally:
            workspace.let_go()


def require_project() -> Path:
    """Return the folder of the project here in which processes leave each other files, as DVC's own do.

    Raises:
        SelfsameError: not a DVC project.
    """
    if not DVC_FOLDER.is_dir():
        raise SelfsameError(f"{Path.cwd()}: not a DVC project", "run from the project's root folder")
    folder = (DVC_FOLDER / "tmp").absolute()
    folder.mkdir(exist_ok=True)
    return folder


def set_cut_lock_file_aside(folder: Path, say: Callable[[str], None]) -> None:
    """Move a ``dvc.lock`` away that a kill has cut short: DVC writes it in place and then can't read it.

    What it said of finished stages stands in DVC's notes of runs too: they are restored. One with a
    merge's conflict markers is for a person.
    """
    text = LOCK_FILE.read_text(encoding="utf-8", errors="replace") if LOCK_FILE.exists() else None
    if text is None or "<<<<<<< " in text:
        return
    try:
        written = YAML(typ="safe").load(text)
    except YAMLError:
        written = None
    if not (isinstance(written, dict) and {"schema", "stages"} <= written.keys()):
        LOCK_FILE.replace(folder / "dvc.lock.cut")
        say(f"{LOCK_FILE} was cut short: moved to {folder / 'dvc.lock.cut'}; finished stages are restored")


def clear_dead_locks(folder: Path) -> None:
    """Remove the entries of dead processes from DVC's table of busy paths (``.dvc/tmp/rwlock``).

    DVC drops an entry only when no process has its number, so that a number given to another process
    blocks every later run; a table cut short by a crash does the same. Its other locks are held by the
    kernel and die with their process.

    Raises:
        SelfsameError: the table is unreadable while a DVC process is at work here.
    """
    table = folder / BUSY_PATHS
    with busy_paths_lock(folder):  # nobody is rewriting the table now
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
    if not lock(file, wait=False):
        file.seek(0)
        holder = file.read() or "a flow that is just starting"
        if not wait:
            raise SelfsameError(
                f"the workspace is in use by {holder}", "try again when it has ended, or let this run wait"
            )
        say(f"waiting for the workspace, in use by {holder}")
        lock(file)
    file.truncate(0)
    file.write(f"process {os.getpid()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}")
    file.flush()
