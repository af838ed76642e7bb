"""What a run costs when nothing changed: ours against the bare tools, whole processes, interleaved.

* ``dvc repro`` of our ``dvc.yaml`` against DVC on six trivial stages (one small input and output each):
  at most 1.15 times as long.
* our flow against an empty Prefect flow of six tasks, both with a running server: at most 1.40 times.

Run it as ``python benchmarks/noop.py [ROUNDS]``. It makes its projects and its server in a temporary
folder; the pipeline is run there once first, with one epoch a training. It exits with status 1 when a
limit is passed, by wall time or by process time (user + system).
"""

import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STAGES = 6
LIMITS = {"dvc repro": 1.15, "flow": 1.40}
SERVER_SECONDS = 300
OUR_FLOW = "from flows.pipeline import pipeline; from flows.runs import start; start(pipeline)"
EMPTY_FLOW = f"""
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

@task(cache_policy=NO_CACHE, persist_result=False)
def step():
    pass

@flow
def empty():
    futures = []
    for number in range({STAGES}):
        named = step.with_options(name=f"step-{{number}}", task_run_name=f"step-{{number}}")
        futures.append(named.submit(wait_for=futures[-1:]))
    for future in futures:
        future.wait()

empty()
"""


def main() -> None:
    """Measure, print the table, and fail if a limit is passed."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory(prefix="noop-") as name:
        folder = Path(name)
        environment = {
            **os.environ,
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PREFECT_HOME": str(folder / "prefect"),
            "DO_NOT_TRACK": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
        }
        ours, bare = copy_project(folder / "ours"), bare_project(folder / "bare")
        commands = {
            ("dvc repro", "ours"): (["dvc", "repro", "-q"], ours),
            ("dvc repro", "bare"): (["dvc", "repro", "-q"], bare),
            ("flow", "ours"): ([sys.executable, "-c", OUR_FLOW], ours),
            ("flow", "bare"): ([sys.executable, "-c", EMPTY_FLOW], bare),
        }
        with prefect_server(environment) as url:
            environment["PREFECT_API_URL"] = url
            for command, project in commands.values():  # the first round does the work, and warms up
                run(command, project, environment)
            times: dict[tuple[str, str], list[tuple[float, float]]] = {key: [] for key in commands}
            for _ in range(rounds):
                for key, (command, project) in commands.items():
                    times[key].append(run(command, project, environment))
    sys.exit(report(times, rounds))


def report(times: dict[tuple[str, str], list[tuple[float, float]]], rounds: int) -> int:
    """Print medians and ratios; return the exit status."""
    print(f"no-op, median of {rounds} rounds, seconds")
    print(f"{'':10} {'clock':8} {'ours':>6} {'bare':>6} {'ratio':>6} {'limit':>6}")
    passed = True
    for tool, limit in LIMITS.items():
        for index, clock in enumerate(("wall", "process")):
            ours, bare = (
                statistics.median(time[index] for time in times[tool, side]) for side in ("ours", "bare")
            )
            passed = passed and ours <= limit * bare
            print(f"{tool:10} {clock:8} {ours:6.2f} {bare:6.2f} {ours / bare:6.2f} {limit:6.2f}")
    return 0 if passed else 1


def run(command: Sequence[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Run a process to its end; return its wall time and its process time in seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def copy_project(folder: Path) -> Path:
    """Copy what the pipeline needs, with the shortest training that there is."""
    for name in ("tasks", "selfsame", "flows"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore", "data/annotations/labels.csv", "data/inbox/.gitkeep"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for section in params.values():
        for key in {"max_epochs", "patience_epochs"} & section.keys():
            section[key] = 1
    yaml.dump(params, folder / "params.yaml")
    return start_project(folder)


def bare_project(folder: Path) -> Path:
    """Make a chain of stages that copy one small file."""
    folder.mkdir()
    stages = {
        f"step{number}": {
            "cmd": f"cp {number}.txt {number + 1}.txt",
            "deps": [f"{number}.txt"],
            "outs": [f"{number + 1}.txt"],
        }
        for number in range(STAGES)
    }
    (folder / "0.txt").write_text("bare\n")
    YAML().dump({"stages": stages}, folder / "dvc.yaml")
    return start_project(folder)


def start_project(folder: Path) -> Path:
    """Make a Git and DVC project of a folder."""
    for command in (["git", "init", "-q"], [str(BIN / "dvc"), "init", "-q"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def free_port() -> int:
    """Return a port that nobody listens on, of those that no client is given before the server takes it."""
    for port in random.Random().sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    sys.exit("no free port")


@contextmanager
def prefect_server(environment: dict[str, str]) -> Iterator[str]:
    """Run a Prefect server on a free loopback port; yield the address of its API."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "flows.server", "--host", "127.0.0.1", "--port", str(port)]
    with Path(environment["PREFECT_HOME"]).with_suffix(".log").open("a+") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            if fault := wait_until_healthy(url, server):
                sys.exit(f"{fault}\n{Path(log.name).read_text()}")
            yield url
        finally:
            server.terminate()
            server.wait()


def wait_until_healthy(url: str, server: "subprocess.Popen[bytes]") -> str:
    """Wait for the server's answer; say why none came."""
    deadline = time.monotonic() + SERVER_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            return f"the Prefect server ended with status {server.returncode}"
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=10):
                return ""
        except OSError:
            time.sleep(0.3)
    return f"no Prefect server at {url} after {SERVER_SECONDS} s"


if __name__ == "__main__":
    main()
