"""One execution of a stage at a time, and none that outlives the DVC that started it.

DVC's own locks end with DVC, and it doesn't take its stage along: one killed in the middle would leave one
that goes on writing beside the next run. So a stage ends with its DVC; and whoever starts it, DVC or a
person, holds a lock on it, which the kernel takes back whatever happens.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec
from selfsame.core.layout import SCRATCH
from selfsame.processes import end_with_parent, lock

STARTED_BY_DVC = "DVC_STAGE"  # the variable in which DVC tells a command which stage it is


@contextmanager
def hold_stage(spec: StageSpec, stages: Mapping[str, StageSpec]) -> Iterator[None]:
    """Keep everybody else from running this stage and those whose outputs it reads; wait for who does.

    Others may read those outputs meanwhile.

    Raises:
        SelfsameError: the lock's file can't be written.
    """
    if STARTED_BY_DVC in os.environ:
        end_with_parent()
    outputs = {output: name for name, one in stages.items() for output in one.outputs}
    read = {outputs[path] for path in spec.inputs if path in outputs}
    with ExitStack() as stack:
        for name in sorted(
            {spec.name, *read}
        ):  # everybody in the same order, so that nobody waits in a circle
            stack.enter_context(_hold(name, shared=name != spec.name))
        yield


@contextmanager
def _hold(name: str, shared: bool) -> Iterator[None]:
    # Each copy of the project that DVC makes for an experiment has a folder .dvc of its own, not SCRATCH.
    path = (Path(".dvc/tmp") if Path(".dvc").is_dir() else SCRATCH) / f"stage-{name}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise SelfsameError(f"{path}: can't be written: {error.strerror}", "make it writable") from None
    with file:
        if not lock(file, wait=False, shared=shared):
            file.seek(0)
            print(f"waiting for stage {name}, last taken by {file.read() or 'another process'}", flush=True)
            lock(file, shared=shared)
        if not shared:
            file.truncate(0)
            file.write(f"process {os.getpid()} at {time.strftime('%Y-%m-%d %H:%M:%S')}")
            file.flush()
        yield
