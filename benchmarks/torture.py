"""What breaks a pipeline in operation, done on purpose.

``python benchmarks/torture.py PART … [--times N] [--minutes M] [--seed S] [--every S]``, of

* ``kills``: ``dvc repro``, a flow and ``dvc exp run``, killed at random moments by turns at stage, DVC, top
  process, process group, and all at once. The next run must end well without hand work, with the right bytes,
  and no two stages may ever be alive at once.
* ``real-kills``: the same with the six real stages, compared with bytes that were computed without DVC.
* ``callers``: twenty callers at once, ``dvc repro`` and flows.
* ``corruption``: locks, ``dvc.lock``, cache objects, notes and outputs cut short or filled with garbage:
  recovered, or one sentence.
* ``disk``: a disk that is full or read-only under the cache, DVC's own files, records, scratch and Prefect's
  database. Needs root, for a small disk to be mounted.
* ``life``: runs that find nothing to do, and edits: how long a no-op takes, and what grows.
* ``month``: the rows that a month of ticks leaves in the server's database, and what removes them.
* ``ticks``: server, worker and a schedule as ``make up`` starts them, killed at random.

It makes its project and its server in a temporary folder, prints a table, and exits with status 1 at the
first difference.
"""

import argparse
import itertools
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from growth import life
from month import month
from noop import prefect_server
from small import (
    ROOT,
    STAGES,
    WAYS,
    commit,
    dvcs_alive,
    environment,
    load,
    make_project,
    read_params,
    shell,
    stages_alive,
    write_params,
    wrong,
)
from spoil import corruption, disk
from ticks import ticks

sys.path.insert(0, str(ROOT / "tests"))
from project import TINY, Project, compute_anew

TARGETS = ("stage", "dvc", "top", "group", "all")
ENDED_WITHIN_SECONDS = 10
CALLERS = 20


class Overlaps:
    """Look all the time whether two stages are alive at once; each pair is looked at twice."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._folder, self._stop = Path.cwd(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Overlaps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        before: set[int] = set()
        while not self._stop.wait(0.05):
            alive = set(stages_alive(self._folder))
            if sum(not _waits(pid) for pid in alive & before) > 1:
                self.found.append(str(sorted(alive)))
            before = alive


def _waits(pid: int) -> bool:
    """Tell whether a stage's process waits for its turn, or has ended."""
    try:
        return "lock" in Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return True


@dataclass(frozen=True)
class Subject:
    """What is killed.

    Attributes:
        ways: the commands that bring it up to date, by name.
        change: makes some of it stale.
        wrong: names the outputs that aren't what they must be.
        seconds: from the start of its first stage until a kill comes at the latest.
    """

    ways: dict[str, list[str]]
    change: Callable[[], None]
    wrong: Callable[[], list[str]]
    seconds: float


def kills(numbers: Iterable[int], chance: random.Random) -> None:
    """Kill, run again, compare: four trivial stages."""

    def change() -> None:
        write_params(read_params() | {chance.choice(list(STAGES)): chance.randrange(1000)})

    kill_and_mend(Subject(WAYS, change, wrong, 2.5), numbers, chance)


def real_kills(numbers: Iterable[int], chance: random.Random) -> None:
    """Kill the six real stages, which learn little from a small table, in any of two draws of it.

    The bytes that must come of a draw are computed first, in an empty folder without DVC. Nothing is
    restored: notes of runs and what the stages keep for themselves are removed before each.
    """
    project = Project.create(Path.cwd().with_name("real"), TINY)
    os.chdir(project.root)
    references = {}
    for seed in (0, 1):
        project.set("split", seed=seed)
        references[seed] = compute_anew(project)
    drawn = 0

    def change() -> None:
        nonlocal drawn
        drawn = 1 - drawn
        project.set("split", seed=drawn)
        for folder in (".dvc/cache/runs", ".scratch"):
            shutil.rmtree(folder, ignore_errors=True)
        Path("dvc.lock").unlink(missing_ok=True)

    def differing() -> list[str]:
        made, right = project.digests(), references[drawn]
        return sorted(name for name in made.keys() | right.keys() if made.get(name) != right.get(name))

    change()
    began = time.monotonic()
    done = shell(*WAYS["dvc repro"])
    seconds = time.monotonic() - began
    if done.returncode or differing():
        sys.exit(f"undisturbed: {differing()}\n{done.stdout}\n{done.stderr}")
    print(
        f"undisturbed: {seconds:.0f} s, the bytes that were computed without DVC; load {load()}", flush=True
    )
    ways = WAYS | {"flow": [sys.executable, "-m", "selfsame.cli", "run"]}
    kill_and_mend(Subject(ways, change, differing, seconds), numbers, chance)


def kill(
    target: str, top: "subprocess.Popen[bytes]", chance: random.Random, seconds: float
) -> tuple[str, list[psutil.Process]]:
    """Wait for a random moment and send SIGKILL; return what was hit, and all that ran below."""
    folder = Path.cwd()
    if chance.random() < 0.3:  # at any time after the start, before the first stage too
        time.sleep(chance.uniform(0, 3))
    else:
        while top.poll() is None and not stages_alive(folder):
            time.sleep(0.02)
        time.sleep(chance.uniform(0, seconds))
    find = {"stage": stages_alive, "dvc": dvcs_alive}.get(target)
    deadline = time.monotonic() + 10
    while find and not find(folder) and top.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    if top.poll() is not None:
        return "nothing", []
    family = psutil.Process(top.pid).children(recursive=True)
    if target == "group":
        os.killpg(top.pid, signal.SIGKILL)
        return target, family
    chosen = find(folder) if find else [top.pid, *(one.pid for one in family if target == "all")]
    for pid in chosen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return target if chosen else "nothing", family


def kill_and_mend(subject: Subject, numbers: Iterable[int], chance: random.Random) -> None:
    """Start, kill, run again, compare."""
    done: Counter[tuple[str, str]] = Counter()
    again: list[float] = []
    gone: list[float] = []
    cut = 0
    with Overlaps() as overlaps:
        for number in numbers:
            way, target = list(WAYS)[number % len(WAYS)], TARGETS[number // len(WAYS) % len(TARGETS)]
            subject.change()
            if way == "dvc exp run":
                commit()
            top = subprocess.Popen(
                subject.ways[way],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            hit, family = kill(target, top, chance, subject.seconds)
            done[way, hit] += 1
            top.wait(300)  # it sees its stage fail, or is dead: a shell reaps it too
            # What a killed flow started ends by itself a moment later. DVC gives up on paths that it holds,
            # and takes a process that is dead but not reaped yet for a living one.
            began = time.monotonic()
            if left := psutil.wait_procs(family, ENDED_WITHIN_SECONDS)[1]:
                sys.exit(f"kill {number} ({way}, {target}): {left} still there")
            gone.append(time.monotonic() - began)
            began = time.monotonic()
            finish = shell(*subject.ways["flow" if number % 2 else "dvc repro"])
            again.append(time.monotonic() - began)
            if finish.returncode and "dvc.lock' validation failed" in finish.stdout + finish.stderr:
                cut += 1  # plain DVC says so and stops; a flow sets the file aside
                finish = shell(*subject.ways["flow"])
            if finish.returncode or subject.wrong():
                sys.exit(
                    f"kill {number} ({way}, {target}, {hit}): ended with {finish.returncode}, "
                    f"wrong: {subject.wrong()}\n{finish.stdout}\n{finish.stderr}"
                )
            if left := stages_alive(Path.cwd()):
                sys.exit(f"kill {number} ({way}, {target}): {left} live on")
            if overlaps.found:
                sys.exit(f"kill {number} ({way}, {target}): two stages at once: {overlaps.found}")
            print(f"kill {number}: {way}, {hit}; {again[-1]:.0f} s to mend, load {load()}", flush=True)
    print(
        f"{len(gone)} kills, as many runs after them ended well with the right bytes; no two stages at once"
    )
    for (way, target), count in sorted(done.items()):
        print(f"  {way:12} {target:8} {count}")
    print(f"  dvc.lock was cut short {cut} times: plain DVC stopped at it, the flow after it did not")
    print(f"  what was killed was gone after {max(gone):.1f} s at most")
    print(f"  the run after a kill: median {statistics.median(again):.1f} s")


def callers(numbers: Iterable[int], chance: random.Random) -> None:
    """Let twenty callers bring the same project up to date."""
    seconds, refused = [], 0
    with Overlaps() as overlaps:
        for number in numbers:
            write_params({name: chance.randrange(1000) for name in STAGES})
            Path("runs.log").unlink(missing_ok=True)
            ways = [WAYS["flow" if one % 4 == 0 else "dvc repro"] for one in range(CALLERS)]
            began = time.monotonic()
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            started = [subprocess.Popen(way, **options) for way in ways]
            said = [process.communicate(timeout=900)[0] for process in started]
            seconds.append(time.monotonic() - began)
            ended = list(zip(ways, started, said, strict=True))
            # A plain 'dvc repro' doesn't wait for paths that another DVC holds: it says whose, and stops.
            refused += sum("is busy, it is being blocked by" in text for _, _, text in ended)
            failed = [
                text
                for way, process, text in ended
                if process.returncode and (way != WAYS["dvc repro"] or "is busy, it is" not in text)
            ]
            runs = Counter(
                line for line in Path("runs.log").read_text().split("\n") if line.startswith("end")
            )
            if failed or wrong() or max(runs.values()) > 1:
                sys.exit(
                    f"round {number}: {len(failed)} failed, wrong {wrong()}, ran {runs}\n" + "\n".join(failed)
                )
            print(f"round {number}: {seconds[-1]:.0f} s, {refused} refused so far, load {load()}", flush=True)
    if overlaps.found:
        sys.exit(f"two stages at once: {overlaps.found}")
    print(f"{len(seconds)} rounds of {CALLERS} callers: every stage ran once a round, the right bytes")
    print(f"  of {len(seconds) * CALLERS} {refused} plain DVCs named who is at work and stopped, no other")
    print(f"  a round: median {statistics.median(seconds):.0f} s")


PARTS: dict[str, tuple[Callable[..., None], int]] = {
    "kills": (kills, 30),
    "real-kills": (real_kills, 10),
    "callers": (callers, 3),
    "corruption": (corruption, 36),
    "disk": (disk, 20),
    "life": (life, 50),
    "month": (month, 1000),
    "ticks": (ticks, 60),
}
OWN_SERVER = ("month", "ticks")


def main() -> None:
    """Do the parts that are named, each in a project of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--times", type=int)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing after so long")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=20, help="seconds between two ticks of 'ticks'")
    given = parser.parse_args()
    for part in given.parts:
        function, times = PARTS[part]
        with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as name:
            folder = Path(name).resolve()
            os.environ |= environment(folder)
            make_project(folder / "project")
            numbers = in_time(given.times or times, given.minutes)
            try:
                if part == "ticks":
                    function(numbers, random.Random(given.seed), given.every)
                elif part in OWN_SERVER:
                    function(numbers, random.Random(given.seed))
                else:
                    with prefect_server(dict(os.environ)) as url:
                        os.environ["PREFECT_API_URL"] = url
                        function(numbers, random.Random(given.seed))
            finally:
                os.environ.pop("PREFECT_API_URL", None)
                os.chdir("/")
                shutil.rmtree(folder / "project", ignore_errors=True)


def in_time(times: int, minutes: float) -> Iterator[int]:
    """Count, until time is over."""
    end = time.monotonic() + 60 * minutes
    return itertools.takewhile(lambda _: time.monotonic() < end, range(times))


if __name__ == "__main__":
    main()
