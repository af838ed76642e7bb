"""What a schedule does while everything around it is killed."""

import itertools
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from noop import free_port
from ruamel.yaml import YAML
from small import ROOT, STAGES, load, read_params, stages_alive, write_params, wrong

TARGETS = ("flow", "worker", "server", "worker and flow", "make up", "all at once")
PATIENCE_SECONDS = 300
SCHEDULER_SECONDS = 10  # after a deployment until Prefect has planned its ticks anew
SKIPPED, SILENCE_MINUTES = "Skipped", 10  # as flows.runs has them


class Up:
    """``make up``, started again whenever it was killed."""

    def __init__(self, every_seconds: int) -> None:
        self.port = free_port()
        os.environ |= {"PREFECT_SERVER_API_PORT": str(self.port), "PREFECT_WORKER_QUERY_SECONDS": "2"}
        table = YAML(typ="safe").load(ROOT / "prefect.yaml")
        schedule = {"interval": every_seconds, "anchor_date": "2020-01-01T00:00:00+00:00", "timezone": "UTC"}
        own = {"entrypoint": "flow.py:small", "schedules": [schedule], "parameters": {}}
        table["deployments"] = [table["deployments"][0] | own]
        YAML().dump(table, Path("prefect.yaml"))
        self.log = Path("../up.log").open("w")  # noqa: SIM115 (for as long as this process lives)
        self.start()

    def start(self) -> None:
        """Start it, and wait until server and worker are there."""
        begin = self.log.tell()
        self.process = subprocess.Popen([sys.executable, "-m", "flows.up"], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "\nup: " not in (text := Path("../up.log").read_text()[begin:]):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"make up: {text}")
            time.sleep(0.5)

    def strike(self, target: str) -> bool:
        """Kill something at once; what ``make up`` doesn't keep is started again here, as systemd would.

        Tell whether a flow was at work at that moment.
        """
        top = psutil.Process(self.process.pid)
        chosen, busy = [top] if target in ("make up", "all at once") else [], False
        for one in top.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                words = " ".join(one.cmdline())
                marks = {"server": " flows.server ", "worker": " worker start "}
                member = next((name for name, mark in marks.items() if mark in words), "flow")
                busy = busy or member == "flow"
                if member in target or target == "all at once":
                    chosen.append(one)
        for one in chosen:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if top in chosen:
            self.process.wait()
            self.start()
        return busy

    def ask(self, path: str, body: dict[str, Any]) -> Any:
        """Ask the server, which may be away for a while."""
        address, headers = f"http://127.0.0.1:{self.port}/api/{path}", {"Content-Type": "application/json"}
        for _ in range(PATIENCE_SECONDS):
            try:
                request = urllib.request.Request(address, json.dumps(body).encode(), headers)
                with urllib.request.urlopen(request, timeout=60) as response:
                    return json.load(response)
            except OSError:
                time.sleep(1)
        sys.exit("the server stays away")

    def runs(self) -> list[dict[str, Any]]:
        """Return the scheduled runs that were due by now, in order."""
        now = datetime.now(UTC).isoformat()
        due = {"flow_runs": {"expected_start_time": {"before_": now}}, "sort": "EXPECTED_START_TIME_ASC"}
        found: list[dict[str, Any]] = []
        while page := self.ask("flow_runs/filter", due | {"limit": 200, "offset": len(found)}):
            found += page
        return [run for run in found if run["auto_scheduled"]]


@dataclass(frozen=True)
class Blow:
    """What was killed and when, whether in the middle of a run, and when ``make up`` was there again."""

    target: str
    moment: float
    busy: bool
    back: float


def ticks(numbers: Iterable[int], chance: random.Random, every_seconds: int) -> None:
    """Let a schedule run through as many ticks; change something, kill something, wait a little, again.

    Eight blows of ten wait until a stage is at work, the others fall at any time.
    """
    up = Up(every_seconds)
    blows: list[Blow] = []
    try:
        for _ in _ticking(numbers, every_seconds):
            write_params(read_params() | {chance.choice(list(STAGES)): chance.randrange(1000)})
            if chance.random() < 0.8:
                patience = time.monotonic() + 10 * every_seconds
                while not stages_alive(Path.cwd()) and time.monotonic() < patience:
                    time.sleep(0.05)
                time.sleep(chance.uniform(0, 2))
            else:
                time.sleep(chance.uniform(0, 4) * every_seconds)
            target, moment = TARGETS[len(blows) % len(TARGETS)], time.time()
            blows.append(Blow(target, moment, up.strike(target), time.time()))
            print(f"blow {len(blows)}: {target}, {'in a run' if blows[-1].busy else 'between runs'}, "
                  f"{blows[-1].back - moment:.0f} s to be up, load {load()}", flush=True)  # fmt: skip
            if len(blows) % 10 == 0:
                tell(up.runs(), blows, every_seconds)
            time.sleep(chance.uniform(2, 5) * every_seconds)
        calm = time.time()
        while not [run for run in up.runs() if _succeeded(run) and _when(run["start_time"]) > calm]:
            if time.time() > calm + PATIENCE_SECONDS:
                sys.exit("nothing succeeds any more")
            time.sleep(2)
        tell(up.runs(), blows, every_seconds)
        if wrong():
            sys.exit(f"wrong at the end: {wrong()}")
    finally:
        up.process.terminate()
        up.process.wait(60)


def _ticking(numbers: Iterable[int], every_seconds: int) -> Iterator[int]:
    """Take numbers as time passes, one in ``every_seconds``."""
    begun = time.monotonic()
    for number in numbers:
        if number * every_seconds >= time.monotonic() - begun:
            yield number


def tell(runs: list[dict[str, Any]], blows: list[Blow], every_seconds: int) -> None:
    """Print what became of the ticks, and how many passed after each blow before one succeeded again."""
    due = Counter(round(_when(run["expected_start_time"])) for run in runs)
    lost = [moment for moment in range(min(due), max(due), every_seconds) if moment not in due]
    away = [
        moment
        for moment in lost
        if any(blow.moment < moment < blow.back + SCHEDULER_SECONDS for blow in blows)
    ]
    if doubled := [moment for moment, count in due.items() if count > 1 or moment % every_seconds]:
        sys.exit(f"{len(doubled)} ticks are doubled or between two: {doubled}")
    silent: dict[str, list[int]] = {}
    for blow in blows:
        after = [run for run in runs if _when(run["expected_start_time"]) > blow.moment]
        failed = itertools.takewhile(
            lambda run: not _succeeded(run) and run["state"]["name"] != SKIPPED, after
        )
        silent.setdefault(blow.target, []).append(len(list(failed)))
    print(f"{len(runs)} ticks, none doubled; {len(lost)} not planned, {len(away)} of them while all was down")
    print(f"  {len(blows)} blows, {sum(blow.busy for blow in blows)} in the middle of a run")
    kinds = Counter(run["state"]["name"] for run in runs)
    print("  ended as: " + ", ".join(f"{name} {count}" for name, count in kinds.most_common()))
    said = Counter(
        (run["state"]["message"] or "NOT A WORD")
        for run in runs
        if run["state"]["type"] in ("FAILED", "CRASHED")
    )
    for words, count in said.most_common():
        print(f"    {count} said: {' '.join(words.split())[:300]}")
    stuck = [run["name"] for run in runs[:-2] if run["state"]["type"] in ("RUNNING", "PENDING")]
    print(f"  still open: {len(stuck)} (closed {SILENCE_MINUTES} minutes after they were handed over)")
    for target, counts in silent.items():
        print(f"  {target:16} {len(counts)} times; ticks that failed after it: {counts}", flush=True)


def _succeeded(run: dict[str, Any]) -> bool:
    return run["state"]["name"] in ("Completed", "Cached")


def _when(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
