"""A long life, made short: what grows, and what a schedule does while everything around it is killed."""

import itertools
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML
from small import ROOT, STAGES, commit, read_params, shell, write_params, wrong

FLOW = [sys.executable, "flow.py"]
EVERY_SECONDS = 15
TARGETS = ("flow", "worker", "server", "worker and flow", "make up", "all at once")
PATIENCE_SECONDS = 300
SKIPPED, SILENCE_MINUTES = "Skipped", 10  # as flows.runs has them


def life(times: int, chance: random.Random) -> None:
    """Run ``times`` no-ops and a fifth as many edits; state what grows."""

    def size(*names: str) -> float:
        files = (file for name in names for file in Path(name).rglob("*") if file.is_file())
        return sum(file.stat().st_size for file in files) / 1e6

    def measure() -> dict[str, float]:
        return {
            "cache": size(".dvc/cache"),
            "lineage": size("lineage"),
            "scratch": size(".scratch", ".dvc/tmp"),
            "database": size(os.environ["PREFECT_HOME"]),
        }

    shell(*FLOW)
    before, seconds = measure(), []
    for _ in range(times):
        began = time.monotonic()
        run = shell(*FLOW)
        seconds.append(time.monotonic() - began)
        if run.returncode:
            sys.exit(f"{run.returncode} {run.stdout} {run.stderr}")
    between = measure()
    edits = max(1, times // 5)
    for number in range(edits):
        values = read_params()
        values[chance.choice(list(STAGES))] = number
        write_params(values)
        run = shell(*FLOW)
        if run.returncode or wrong():
            sys.exit(f"edit {number}: {run.returncode} {wrong()} {run.stdout} {run.stderr}")
    after = measure()
    tenth = max(1, times // 10)
    first, last = statistics.median(seconds[:tenth]), statistics.median(seconds[-tenth:])
    print(f"{times} no-ops: first tenth {first:.2f} s, last tenth {last:.2f} s; then {edits} edits")
    print(f"  {'MB':10} {'at first':>10} {'no-ops':>10} {'edits':>10}")
    for name in before:
        print(f"  {name:10} {before[name]:10.2f} {between[name]:10.2f} {after[name]:10.2f}")
    commit()
    freed = shell(sys.executable, "-m", "selfsame.cli", "gc", "--delete")
    print(f"  gc: {freed.stdout.splitlines()[0]}; cache then {size('.dvc/cache'):.2f} MB")


class Up:
    """``make up``, started again whenever it was killed."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        os.environ |= {"PREFECT_SERVER_API_PORT": str(self.port), "PREFECT_WORKER_QUERY_SECONDS": "2"}
        table = YAML(typ="safe").load(ROOT / "prefect.yaml")
        own = {"entrypoint": "flow.py:small", "schedules": [{"interval": EVERY_SECONDS}], "parameters": {}}
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

    def strike(self, target: str) -> None:
        """Kill something at once; what ``make up`` doesn't keep is started again here, as systemd would."""
        top = psutil.Process(self.process.pid)
        chosen = [top] if target in ("make up", "all at once") else []
        for one in top.children(recursive=True):
            words = " ".join(one.cmdline())
            kind = "server" if " server start" in words else "worker" if " worker start" in words else "flow"
            if kind in target or target == "all at once":
                chosen.append(one)
        for one in chosen:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        if top in chosen:
            self.process.wait()
            self.start()

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


def ticks(times: int, chance: random.Random) -> None:
    """Let a schedule run, change something now and then, and kill something every few ticks."""
    up = Up()
    strikes: list[tuple[str, float]] = []
    end = time.time() + times * EVERY_SECONDS
    try:
        while time.time() < end:
            values = read_params()
            values[chance.choice(list(STAGES))] = chance.randrange(1000)
            write_params(values)
            time.sleep(chance.uniform(1, 4) * EVERY_SECONDS)
            target = TARGETS[len(strikes) % len(TARGETS)]
            up.strike(target)
            strikes.append((target, time.time()))
        calm = time.time()
        while not [run for run in up.runs() if _succeeded(run) and _when(run["start_time"]) > calm]:
            if time.time() > calm + PATIENCE_SECONDS:
                sys.exit("nothing succeeds any more")
            time.sleep(2)
        tell(up.runs(), strikes)
    finally:
        up.process.terminate()
        up.process.wait(60)


def tell(runs: list[dict[str, Any]], strikes: list[tuple[str, float]]) -> None:
    """Print what became of the ticks, and how many passed after each blow before one succeeded again."""
    due = [_when(run["expected_start_time"]) for run in runs]
    gaps = [round((after - before) / EVERY_SECONDS) for before, after in itertools.pairwise(due)]
    if doubled := gaps.count(0):
        sys.exit(f"{doubled} ticks are doubled")
    silent: dict[str, list[int]] = {}
    for target, moment in strikes:
        after = [run for run in runs if _when(run["expected_start_time"]) > moment]
        lost = itertools.takewhile(lambda run: not _succeeded(run) and run["state"]["name"] != SKIPPED, after)
        silent.setdefault(target, []).append(len(list(lost)))
    kinds = Counter(run["state"]["name"] for run in runs)
    stuck = [run["name"] for run in runs[:-2] if run["state"]["type"] in ("RUNNING", "PENDING")]
    print(f"{len(runs)} ticks, {sum(gap - 1 for gap in gaps)} lost, none doubled; {len(strikes)} blows")
    print("  ended as: " + ", ".join(f"{name} {count}" for name, count in kinds.most_common()))
    print(f"  still open: {len(stuck)} (closed {SILENCE_MINUTES} minutes after they were handed over)")
    for target, counts in silent.items():
        print(f"  {target:16} {len(counts)} times; ticks that failed after it: {counts}")
    if wrong():
        sys.exit(f"wrong at the end: {wrong()}")


def _succeeded(run: dict[str, Any]) -> bool:
    return run["state"]["name"] in ("Completed", "Cached")


def _when(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
