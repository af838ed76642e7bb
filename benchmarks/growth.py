"""A long life, made short: what grows."""

import os
import random
import resource
import signal
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

from small import STAGES, commit, load, read_params, shell, write_params, wrong

FLOW = [sys.executable, "flow.py"]
ENDS = 50  # runs at the beginning and at the end that are compared


def life(numbers: Iterable[int], chance: random.Random) -> None:
    """Run no-ops and a fifth as many edits; state what grows.

    Seconds of a no-op are those of the processor, which other work on the machine changes least.
    """
    succeed("the first run")
    sizes = [_sizes()]
    seconds = []
    for number in numbers:
        seconds.append(succeed(f"no-op {number}"))
        if number % 25 == 24:
            print(f"{number + 1} no-ops: {_spread(seconds[-25:])}, load {load()}, {_sizes()}", flush=True)
    sizes.append(_sizes())
    ends = min(ENDS, max(1, len(seconds) // 2))
    first, last = seconds[:ends], seconds[-ends:]
    print(f"{len(seconds)} no-ops; first {len(first)}: {_spread(first)}; last {len(last)}: {_spread(last)}")
    edits = max(1, len(seconds) // 5)
    for number in range(edits):
        write_params(read_params() | {chance.choice(list(STAGES)): number})
        succeed(f"edit {number}")
        if number % 10 == 9:
            print(f"{number + 1} edits: load {load()}, {_sizes()}", flush=True)
    sizes.append(_sizes())
    print(f"{edits} edits\n  {'MB':10} {'at first':>10} {'no-ops':>10} {'edits':>10}")
    for name in sizes[0]:
        print(f"  {name:10} " + " ".join(f"{size[name]:10.2f}" for size in sizes))
    commit()
    freed = shell(sys.executable, "-m", "selfsame.cli", "gc", "--delete")
    print(f"  gc: {freed.stdout.splitlines()[0]}; cache then {_sizes()['cache']:.2f} MB")


def succeed(what: str) -> float:
    """Run the flow; return its processor seconds, or end with all that it said."""
    before = _processor_seconds()
    run = shell(*FLOW)
    if run.returncode or wrong():
        status = run.returncode if run.returncode >= 0 else signal.Signals(-run.returncode).name
        sys.exit(f"{what}: ended with {status}, wrong: {wrong()}, load {load()}\n{run.stdout}\n{run.stderr}")
    return _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spread(seconds: list[float]) -> str:
    low, middle, high = statistics.quantiles(seconds) if len(seconds) > 1 else seconds * 3
    return f"median {middle:.2f} s, middle half {low:.2f} to {high:.2f} s"


def _sizes() -> dict[str, float]:
    """Return what lies on disk, in MB."""

    def size(*names: str) -> float:
        files = (file for name in names for file in Path(name).rglob("*") if file.is_file())
        return round(sum(file.stat().st_size for file in files) / 1e6, 2)

    return {
        "cache": size(".dvc/cache"),
        "lineage": size("lineage"),
        "scratch": size(".scratch", ".dvc/tmp"),
        "database": size(os.environ["PREFECT_HOME"]),
    }
