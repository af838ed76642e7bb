"""What operating systems do differently: locks on files, groups of processes, the death of a parent.

Tested on Linux. macOS takes the same branches but for the parent's death, which is watched for there instead
of signaled; Windows takes those of ``msvcrt`` and ``psutil``. Neither of the two is tested.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOOK_SECONDS = 0.5  # between two looks at a process that is waited for or watched
SHELLS = {"sh", "bash", "dash", "zsh", "ksh", "fish", "cmd.exe"}
PARENT_DEATH_SIGNAL = 1  # prctl's PR_SET_PDEATHSIG


def lock(file: IO[Any], wait: bool = True, shared: bool = False) -> bool:
    """Lock an open file until it is closed or its process ends, however that ends; tell whether it is locked.

    Args:
        wait: until it is free; otherwise false is returned if it isn't.
        shared: beside others that share it, none of whom may write. Windows knows no such lock: there
            they wait for each other.
    """
    while True:
        try:
            if fcntl is not None:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
            else:
                import msvcrt

                file.seek(1 << 30)  # what is locked there can't be read by others: not the text itself
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except BlockingIOError:
            return False
        except PermissionError:  # Windows: somebody else has it
            if not wait:
                return False
            time.sleep(LOOK_SECONDS)
        else:
            return True


def leader_options() -> dict[str, Any]:
    """Return the options of ``subprocess.Popen`` that make a process the leader of a group of its own."""
    if os.name == "posix":
        return {"start_new_session": True}
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]


def kill_group(leader: int) -> None:
    """Kill a process that leads a group, and all that it started; it may have ended already."""
    if os.name == "posix":
        try:
            os.killpg(leader, signal.SIGKILL)
        except ProcessLookupError:
            return
    else:
        import psutil

        try:
            process = psutil.Process(leader)
            family = [*process.children(recursive=True), process]
        except psutil.NoSuchProcess:
            return
        for one in family:
            if one.is_running():
                one.kill()


def end_with_standard_input() -> None:
    """Kill this process's group when its standard input ends: whoever started it holds the other end.

    What this process starts from now on reads nothing from there.
    """
    lifeline = os.dup(0)  # which isn't inherited
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        kill_group(os.getpid())

    threading.Thread(target=wait, daemon=True).start()


def end_with_parent() -> None:
    """Kill this process when its parent ends, however that ends; shells between the two count as the parent.

    On Linux the kernel sends the signal, at once and even if this process is stopped. A shell in between, and
    any parent elsewhere, is looked at twice a second.
    """
    import psutil

    me = psutil.Process()
    watched = []
    for ancestor in me.parents():
        watched.append(ancestor)
        try:
            command = ancestor.cmdline()
        except psutil.Error:
            break
        if "-c" not in command or Path(command[0]).name not in SHELLS:
            break
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if not watched or os.getppid() != watched[0].pid:  # it ended before the kernel knew
            os.kill(os.getpid(), signal.SIGKILL)
        watched = watched[1:]
    if watched:
        threading.Thread(target=_watch, args=[watched], daemon=True).start()


def _watch(processes: list[Any]) -> None:
    while all(map(runs, processes)):
        time.sleep(LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else signal.SIGKILL)


def runs(process: Any) -> bool:
    """Tell whether a process of ``psutil`` still runs; one that has ended and isn't reaped doesn't."""
    import psutil

    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


if (
    __name__ == "__main__"
):  # python -m selfsame.processes MODULE ARGUMENT …: a module that ends with its parent
    end_with_parent()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
