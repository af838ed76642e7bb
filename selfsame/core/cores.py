"""Whether a core is free: that decides when something is done, never what comes out."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_used = False  # what is free: not by who is told a number of threads
_working = float(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # processes of one piece of work; torchrun says so


def use_free_core() -> None:
    """Let this process use a core that is free, from now on."""
    global _used
    _used = True


def has_a_core_to_spare() -> bool:
    """Tell whether a further thread, or a copy of this process, has a core of its own; on Linux alone."""
    return _used and sys.platform == "linux" and len(os.sched_getaffinity(0)) >= 2 * _working


@contextmanager
def shared_by(processes: float) -> Iterator[None]:
    """Let this process know that so many, itself included, work on these cores during the block."""
    global _working
    before, _working = _working, processes
    try:
        yield
    finally:
        _working = before
