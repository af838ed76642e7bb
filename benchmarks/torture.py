"""What breaks a pipeline in operation, done on purpose.

``python benchmarks/torture.py PART … [--times N] [--seed S]``, of

* ``kills``: ``dvc repro``, a flow and ``dvc exp run``, killed at random moments by turns at stage, DVC, top
  process, process group, and all at once. The next run must end well without hand work, with the right bytes,
  and no two stages may ever be alive at once.
* ``callers``: twenty callers at once, ``dvc repro`` and flows.
* ``corruption``: locks, ``dvc.lock``, cache objects, notes and outputs cut short or filled with garbage:
  recovered, or one sentence.
* ``disk``: a disk that is full or read-only under the cache, DVC's own files, records, scratch and Prefect's
  database. Needs root, for a small disk to be mounted.
* ``life``: runs that find nothing to do, and edits: how long a no-op takes, and what grows.
* ``ticks``: server, worker and a schedule as ``make up`` starts them, killed at random.

It makes its project and its server in a temporary folder, prints a table, and exits with status 1 at the
first difference.
"""

import argparse
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from noop import prefect_server
from small import (
    STAGES,
    commit,
    dvcs_alive,
    environment,
    expected,
    make_project,
    read_params,
    shell,
    stages_alive,
    write_params,
    wrong,
)
from ticks import life, ticks

WAYS = {
    "dvc repro": ["dvc", "--wait-for-lock", "repro"],
    "flow": [sys.executable, "flow.py"],
    "dvc exp run": ["dvc", "exp", "run"],
}
TARGETS = ("stage", "dvc", "top", "group", "all")
LONGEST_SECONDS = {
    "dvc repro": 5.0,
    "flow": 9.0,
    "dvc exp run": 6.0,
}  # after which a kill comes at the latest
ENDED_WITHIN_SECONDS = 10
CALLERS = 20
LITTLE_DISK = 20_000_000


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


def kill(
    target: str, top: "subprocess.Popen[bytes]", chance: random.Random
) -> tuple[str, list[psutil.Process]]:
    """Wait for a random moment and send SIGKILL; return what was hit, and all that ran below."""
    folder = Path.cwd()
    if chance.random() < 0.3:  # at any time after the start, before the first stage too
        time.sleep(chance.uniform(0, 3))
    else:
        while top.poll() is None and not stages_alive(folder):
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 2.5))
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


def kills(times: int, chance: random.Random) -> None:
    """Kill, run again, compare."""
    done: Counter[tuple[str, str]] = Counter()
    again: list[float] = []
    gone: list[float] = []
    cut = 0
    with Overlaps() as overlaps:
        for number in range(times):
            way, target = list(WAYS)[number % len(WAYS)], TARGETS[number // len(WAYS) % len(TARGETS)]
            values = read_params()
            values[chance.choice(list(STAGES))] = chance.randrange(1000)
            write_params(values)
            if way == "dvc exp run":
                commit()
            top = subprocess.Popen(
                WAYS[way], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            hit, family = kill(target, top, chance)
            done[way, hit] += 1
            top.wait(120)  # it sees its stage fail, or is dead: a shell reaps it too
            # What a killed flow started ends by itself a moment later. DVC gives up on paths that it holds,
            # and takes a process that is dead but not reaped yet for a living one.
            began = time.monotonic()
            if left := psutil.wait_procs(family, ENDED_WITHIN_SECONDS)[1]:
                sys.exit(f"kill {number} ({way}, {target}): {left} still there")
            gone.append(time.monotonic() - began)
            began = time.monotonic()
            finish = shell(*WAYS["flow" if number % 2 else "dvc repro"])
            again.append(time.monotonic() - began)
            top.wait(120)
            if finish.returncode and "dvc.lock' validation failed" in finish.stdout + finish.stderr:
                cut += 1  # plain DVC says so and stops; a flow sets the file aside
                finish = shell(*WAYS["flow"])
            if finish.returncode or wrong():
                sys.exit(f"kill {number} ({way}, {target}): {wrong()}\n{finish.stdout}\n{finish.stderr}")
            if left := stages_alive(Path.cwd()):
                sys.exit(f"kill {number} ({way}, {target}): {left} live on")
    if overlaps.found:
        sys.exit(f"two stages at once: {overlaps.found}")
    print(f"{times} kills, {times} runs after them ended well with the right bytes; no two stages at once")
    for (way, target), count in sorted(done.items()):
        print(f"  {way:12} {target:8} {count}")
    print(f"  dvc.lock was cut short {cut} times: plain DVC stopped at it, the flow after it did not")
    print(f"  what was killed was gone after {max(gone):.1f} s at most")
    print(f"  the run after a kill: median {statistics.median(again):.1f} s")


def callers(times: int, chance: random.Random) -> None:
    """Let twenty callers bring the same project up to date."""
    seconds, refused = [], 0
    with Overlaps() as overlaps:
        for number in range(times):
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
    if overlaps.found:
        sys.exit(f"two stages at once: {overlaps.found}")
    print(f"{times} rounds of {CALLERS} callers: every stage ran once a round, the right bytes")
    print(f"  of {times * CALLERS} {refused} plain DVCs named who is at work and stopped; no other failed")
    print(f"  a round: median {statistics.median(seconds):.0f} s")


def corruption(times: int, chance: random.Random) -> None:
    """Spoil a file, then run."""
    shell(*WAYS["dvc repro"])
    objects = [path for path in Path(".dvc/cache/files").rglob("*") if path.is_file()]
    kinds: dict[str, list[Path]] = {
        "busy paths": [Path(".dvc/tmp/rwlock")],
        "workspace lock": [Path(".dvc/tmp/selfsame.lock")],
        "stage lock": [Path(".dvc/tmp/stage-two.lock")],
        "a flow's file": [Path(".dvc/tmp/flows/run-terminal-0")],
        "dvc.lock": [Path("dvc.lock")],
        "cache object": objects,
        "noted run": [path for path in Path(".dvc/cache/runs").rglob("*") if path.is_file()],
        "output": [Path("two.txt")],
        "half an output": [Path(".partial-three.txt")],
    }
    tally: Counter[tuple[str, str]] = Counter()
    for number in range(times):
        kind = list(kinds)[number % len(kinds)]
        path = chance.choice(kinds[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        spoilt = chance.choice(
            [b"", content[: len(content) // 2], chance.randbytes(100), b"\0" * 100, b"{[<<<<\n"]
        )
        if path.exists():
            path.chmod(0o644)
        path.write_bytes(spoilt)
        way = ("flow", "dvc repro")[number // len(kinds) % 2]
        run = shell(*WAYS[way])
        words = run.stdout + run.stderr
        if run.returncode == 0 and wrong():
            sys.exit(f"{kind} {path} = {spoilt[:40]!r}, {way}: wrong {wrong()} in silence")
        if "Traceback" in words:
            sys.exit(f"{kind} {path} = {spoilt[:40]!r}, {way}:\n{words}")
        tally[kind, "recovered" if run.returncode == 0 else "one sentence"] += 1
        if run.returncode:  # a person restores or deletes what the sentence names
            path.write_bytes(content) if content else path.unlink(missing_ok=True)
            shell("dvc", "--wait-for-lock", "repro")
        elif kind in ("noted run", "cache object") and content and path.exists():
            path.chmod(0o644)
            path.write_bytes(content)  # one spoilt file at a time
        if wrong():
            sys.exit(f"{kind} {path}: wrong {wrong()} at last\n{words}")
    print(f"{times} files spoilt: none served, no traceback")
    for (kind, outcome), count in sorted(tally.items()):
        print(f"  {kind:16} {outcome:14} {count}")


@contextmanager
def little_disk(place: Path) -> Iterator[None]:
    """Put a disk of ``LITTLE_DISK`` bytes in a folder's place, with the folder's content; needs root."""
    aside = place.with_name(f"{place.name}-aside")
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(place, aside, symlinks=True)
    mounted = shell("mount", "-t", "tmpfs", "-o", f"size={LITTLE_DISK}", "tmpfs", str(place))
    if mounted.returncode:
        sys.exit(f"the disk part needs root: {mounted.stderr}")
    try:
        shutil.copytree(aside, place, symlinks=True, dirs_exist_ok=True)
        yield
        shutil.rmtree(aside)
        shutil.copytree(place, aside, symlinks=True)
    finally:
        shell("umount", "--lazy", str(place))
        shutil.copytree(aside, place, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(aside)


def disk(times: int, chance: random.Random) -> None:
    """Fill a disk, or make it read-only, where something is written; then mend it and run again."""
    places = [".dvc/cache", ".dvc/tmp", "lineage", ".scratch", os.environ["PREFECT_HOME"]]
    shell(*WAYS["flow"])
    tally: Counter[tuple[str, str, str]] = Counter()
    for number in range(times):
        place = Path(places[number % len(places)]).resolve()
        full = number // len(places) % 4 != 3
        with little_disk(place):
            before = {name: Path(f"{name}.txt").read_bytes() for name in STAGES}
            values = read_params()
            values[chance.choice(list(STAGES))] = chance.randrange(1000)
            write_params(values)
            filler = place / "filler"
            if full:
                room = shutil.disk_usage(place).free - chance.choice([0, 4096, 30_000, 200_000])
                filler.write_bytes(b"\0" * max(room, 0))
            else:
                shell("mount", "-o", "remount,ro", str(place))
            way = ("flow", "dvc repro")[number % 2]
            run = shell(*WAYS[way])
            words = run.stdout + run.stderr
            kind = "full" if full else "read-only"
            spoilt = [
                name
                for name in STAGES
                if Path(f"{name}.txt").read_bytes() not in (before[name], expected()[name].encode())
            ]
            if spoilt or (run.returncode == 0 and wrong()) or "Traceback" in words:
                sys.exit(
                    f"{kind} {place}, {way}: status {run.returncode}, spoilt {spoilt}, {wrong()}\n{words}"
                )
            if full:
                filler.unlink()
            else:
                shell("mount", "-o", "remount,rw", str(place))
            tally[place.name, kind, "one sentence" if run.returncode else "went well"] += 1
            again = shell(*WAYS[way])
            if again.returncode or wrong():
                sys.exit(f"{kind} {place}, {way}, mended: {wrong()}\n{words}\n{again.stdout}{again.stderr}")
    print(f"{times} times: old results whole, no traceback, and the run after it ended well")
    for (place_name, kind, outcome), count in sorted(tally.items()):
        print(f"  {place_name:10} {kind:10} {outcome:14} {count}")


PARTS: dict[str, tuple[Callable[[int, random.Random], None], int]] = {
    "kills": (kills, 30),
    "callers": (callers, 3),
    "corruption": (corruption, 36),
    "disk": (disk, 20),
    "life": (life, 50),
    "ticks": (ticks, 60),
}


def main() -> None:
    """Do the parts that are named, each in a project of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--times", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for part in given.parts:
        function, times = PARTS[part]
        with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as name:
            folder = Path(name).resolve()
            os.environ |= environment(folder)
            make_project(folder / "project")
            try:
                if part == "ticks":
                    function(given.times or times, random.Random(given.seed))
                else:
                    with prefect_server(dict(os.environ)) as url:
                        os.environ["PREFECT_API_URL"] = url
                        function(given.times or times, random.Random(given.seed))
            finally:
                os.environ.pop("PREFECT_API_URL", None)
                os.chdir("/")
                shutil.rmtree(folder / "project", ignore_errors=True)


if __name__ == "__main__":
    main()
