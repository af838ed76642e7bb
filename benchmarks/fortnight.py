"""A fortnight of scheduled runs, made short: 200 ticks against a real Prefect server, with changes and kills.

Before each tick something may change upstream: new content, the same content written again, a parameter
changed or set back. Some ticks are killed (SIGKILL of the flow's process) at a random moment, and the next
one follows at once. After every tick it is checked, by a model that knows nothing of DVC, that

* exactly those stages ran whose inputs had never been computed before, each once (a stage that a killed
  tick had finished, but perhaps not recorded, may run once more);
* every output is what its inputs make it;
* the server has one run for the tick, whose state says what happened.

Run it as ``PYTHONPATH=. python benchmarks/fortnight.py [TICKS] [SEED]``. It exits with status 1 at the first
difference.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noop import BIN, prefect_server

GRAPH = {  # a diamond, as prepare → left, right → join
    "prepare": ["source.txt"],
    "left": ["prepare.txt"],
    "right": ["prepare.txt"],
    "join": ["left.txt", "right.txt"],
}
STAGE = """
import hashlib, json, os, sys, time
name, *inputs = sys.argv[1:]
value = json.load(open("params.yaml"))[name]["value"]
def note(what):
    with open("runs.log", "a") as log:
        log.write(f"{what} {name}\\n")
note("start")
text = f"{value} " + " ".join(open(path).read() for path in inputs)
time.sleep(0.3)
with open(f"{name}.txt", "w") as file:
    file.write(hashlib.sha256(text.encode()).hexdigest())
note("end")
"""
KILLED_SHARE, LONGEST_LIFE_SECONDS = 0.2, 8.0


@dataclass
class Model:
    """What must be so, worked out from the inputs alone.

    Attributes:
        sure: stages with inputs that were computed, and recorded.
        perhaps: those that a killed tick finished; whether DVC recorded them can't be known.
    """

    sure: set[tuple[str, str]] = field(default_factory=set)
    perhaps: set[tuple[str, str]] = field(default_factory=set)

    def outputs(self) -> dict[str, tuple[str, str]]:
        """Return each stage's inputs, as one text, and the output that they make."""
        params = json.loads(Path("params.yaml").read_text())
        files = {"source.txt": Path("source.txt").read_text()}
        made = {}
        for name, inputs in GRAPH.items():
            text = f"{params[name]['value']} " + " ".join(files[path] for path in inputs)
            files[f"{name}.txt"] = hashlib.sha256(text.encode()).hexdigest()
            made[name] = (text, files[f"{name}.txt"])
        return made

    def check(self, ran: Counter[str]) -> None:
        """Compare with what a tick that came to its end did."""
        for name, (text, output) in self.outputs().items():
            inputs = (name, text)
            allowed = {0} if inputs in self.sure else {0, 1} if inputs in self.perhaps else {1}
            if ran[name] not in allowed:
                raise SystemExit(f"{name} ran {ran[name]} times, not {allowed}")
            if Path(f"{name}.txt").read_text() != output:
                raise SystemExit(f"{name}.txt is not what its inputs make it")
            self.sure.add(inputs)

    def note_killed(self, ended: Counter[str]) -> None:
        """Keep in mind what a killed tick finished."""
        self.perhaps |= {(name, text) for name, (text, _) in self.outputs().items() if ended[name]}


def change(chance: random.Random, past: dict[str, list[int]], tick: int) -> str:
    """Change something upstream, or nothing; return what."""
    kind = chance.choices(
        ["nothing", "new content", "same content", "parameter", "set back"], [40, 20, 10, 20, 10]
    )[0]
    source, file = Path("source.txt"), Path("params.yaml")
    if kind == "new content":
        source.write_text(f"content {tick}\n")
    elif kind == "same content":
        source.write_text(source.read_text())
    elif kind in ("parameter", "set back"):
        name = chance.choice(list(GRAPH))
        params = json.loads(file.read_text())
        params[name]["value"] = tick if kind == "parameter" else chance.choice(past[name])
        past[name].append(params[name]["value"])
        file.write_text(json.dumps(params))
    return kind


def start_tick(tick: int) -> int:
    """Fork a process that runs the flow: one import of Prefect and DVC for all ticks. Return its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        with Path("flow.log").open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            status = int(not run_tick(tick))
    finally:
        os._exit(status)


def run_tick(tick: int) -> bool:
    from prefect import State, flow

    from flows.pipeline import run_graph
    from flows.request import RunRequest

    @flow(name="fortnight", flow_run_name=f"tick-{tick}")
    def fortnight() -> State:
        return run_graph(lambda: None, RunRequest())

    return fortnight(return_state=True).is_completed()


def read_log() -> tuple[Counter[str], Counter[str]]:
    """Return how often each stage started and ended since the last call."""
    log = Path("runs.log")
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    log.unlink(missing_ok=True)
    return tuple(Counter(name for what, name in lines if what == which) for which in ("start", "end"))


def flow_runs(api: str) -> list[dict[str, Any]]:
    """Ask the server for all runs."""
    runs: list[dict[str, Any]] = []
    while True:
        body = json.dumps({"limit": 200, "offset": len(runs)}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{api}/flow_runs/filter", body, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            page = json.load(response)
        runs += page
        if len(page) < 200:
            return runs


def make_project(folder: Path) -> None:
    """Write the project's files and go there."""
    folder.mkdir()
    os.chdir(folder)
    Path("stage.py").write_text(STAGE)
    Path("source.txt").write_text("content\n")
    params: dict[str, dict[str, Any]] = {name: {"value": 0} for name in GRAPH}
    params["operation"] = {"stage_minutes": None, "stage_minutes_of": {}, "retries": 0, "retry_seconds": 1}
    Path("params.yaml").write_text(json.dumps(params))
    stages = {
        name: {
            "cmd": f"python stage.py {name} {' '.join(inputs)}",
            "deps": ["stage.py", *inputs],
            "params": [name],
            "outs": [f"{name}.txt"],
        }
        for name, inputs in GRAPH.items()
    }
    Path("dvc.yaml").write_text(json.dumps({"stages": stages}))
    for command in (["git", "init", "-q"], [str(BIN / "dvc"), "init", "-q"]):
        subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    """Run the ticks and print the table."""
    ticks = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory(prefix="fortnight-") as name:
        folder = Path(name)
        os.environ |= {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PREFECT_HOME": str(folder / "prefect"),
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        with prefect_server(dict(os.environ)) as url:
            os.environ["PREFECT_API_URL"] = url
            make_project(folder / "project")
            try:
                simulate(ticks, random.Random(seed), url)
            except SystemExit:
                shutil.copy("flow.log", tempfile.gettempdir())
                raise


def simulate(ticks: int, chance: random.Random, api: str) -> None:
    """Run and check every tick."""
    import flows.pipeline  # noqa: F401 (before the first fork, and after the server's address is known)

    model, past = Model(), {name: [0] for name in GRAPH}
    seconds: dict[str, list[float]] = {"nothing to do": [], "something to do": []}
    kinds: Counter[str] = Counter()
    stages: Counter[str] = Counter()
    killed: set[int] = set()
    for tick in range(ticks):
        kinds[change(chance, past, tick)] += 1
        life = chance.uniform(0.2, LONGEST_LIFE_SECONDS) if chance.random() < KILLED_SHARE else None
        began = time.monotonic()
        pid = start_tick(tick)
        if life is not None:
            time.sleep(life)
            os.kill(pid, signal.SIGKILL)  # it may have ended already
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status):
            killed.add(tick)
            time.sleep(0.5)  # its stage hears of it and ends
            model.note_killed(read_log()[1])
            continue
        if status:
            raise SystemExit(f"tick {tick} failed")
        started, ended = read_log()
        if started != ended:
            raise SystemExit(f"tick {tick}: started {started}, ended {ended}")
        model.check(ended)
        stages.update(ran=ended.total(), spared=len(GRAPH) - ended.total())
        seconds["something to do" if ended else "nothing to do"].append(time.monotonic() - began)
    check_server(flow_runs(api), ticks, killed)
    report(ticks, kinds, stages, killed, seconds)


def check_server(runs: list[dict[str, Any]], ticks: int, killed: set[int]) -> None:
    """Check that each tick has one run, completed unless it was killed (early enough: none at all)."""
    names = Counter(run["name"] for run in runs)
    if doubled := [name for name, count in names.items() if count > 1]:
        raise SystemExit(f"doubled: {doubled}")
    completed = {run["name"] for run in runs if run["state"]["type"] == "COMPLETED"}
    if missing := {f"tick-{tick}" for tick in range(ticks) if tick not in killed} - completed:
        raise SystemExit(f"lost: {missing}")


def report(
    ticks: int, kinds: Counter[str], stages: Counter[str], killed: set[int], seconds: dict[str, list[float]]
) -> None:
    """Print what happened."""
    print(f"{ticks} ticks, none lost, none doubled, every stage ran exactly when it had to")
    print("before a tick: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    print(f"killed: {len(killed)}; of the others' stages ran {stages['ran']}, spared {stages['spared']}")
    for name, times in seconds.items():
        print(f"{name}: {len(times)} ticks, median {statistics.median(times):.1f} s")


if __name__ == "__main__":
    main()
