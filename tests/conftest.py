"""What tests of the bridge share: a tiny project of trivial stages, and a Prefect server."""

import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from browser import Browser, open_browser
from forked import BIN, SHARED, bin_folder

from selfsame.processes import kill_group, leader_options, lock, runs

ROOT = Path(__file__).resolve().parent.parent
SERVER_SECONDS = 400  # it takes 10 s where nothing else runs

# One script for all toy stages. It notes its start and end, and obeys its section of params.yaml.
STAGE_SCRIPT = """
import json, os, sys, time
name, output, *inputs = sys.argv[1:]
params = json.load(open("params.yaml"))[name]
def note(what):
    with open("runs.log", "a") as log:
        log.write(f"{what} {name} {os.getpid()}\\n")
note("start")
print(f"hello from {name}", flush=True)
sys.stderr.write(("x" * 79 + "\\n") * params.get("noise_lines", 0))
time.sleep(params.get("sleep", 0))
while "until" in params and not os.path.exists(params["until"]):
    time.sleep(0.05)
if params.get("fail"):
    sys.exit(f"error in stage {name}: told to fail")
with open(output, "w") as file:
    file.write(str(params["value"]) + "".join(open(path).read() for path in inputs))
if name == "join":
    json.dump({"left": {"size": 1.5}, "champion": "join"}, open("metrics.json", "w"))
note("end")
"""
TOY_GRAPH = {  # a diamond: prepare → left, right → join
    "prepare": ["source.txt"],
    "left": ["prepare.txt"],
    "right": ["prepare.txt"],
    "join": ["left.txt", "right.txt"],
}


LONG = ("test_cache_law.py", "test_same_bytes.py", "test_erase.py", "test_states.py", "test_families.py")
LONG += ("test_states_run_again.py", "test_states_own_data.py", "test_regression_project.py")
LONG += ("test_rebuild.py",)
PATIENCE_SECONDS = 60.0  # for a process that was killed: it may first have to leave the kernel


def has_ended(pid: int) -> bool:
    """Wait a little for a process that was told to end; true when it has, even if nobody reaped it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while runs(psutil.Process(pid)):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    except psutil.NoSuchProcess:
        pass
    return True


SERVER = """
import os, sys, threading, time
import psutil
from selfsame.processes import kill_group, runs
owner = psutil.Process(int(sys.argv.pop(1)))
def watch():
    while runs(owner):
        time.sleep(0.5)
    kill_group(os.getpid())
threading.Thread(target=watch, daemon=True).start()
from flows.server import collect_in_a_thread
collect_in_a_thread()
from prefect.cli import app
sys.exit(app())
"""


def pytest_configure(config: pytest.Config) -> None:
    """Let what tests start be interrupted: a shell's background job ignores SIGINT, its children too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):  # the first process; pytest-xdist's others inherit the variable
        os.environ[SHARED] = tempfile.mkdtemp(suffix=f"-{os.getpid()}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what the test run has shared; its server ends by itself if this isn't reached."""
    gc.unfreeze()  # what a flow froze, torch's own objects among it, is to end as it always does
    if not hasattr(config, "workerinput"):
        folder = Path(os.environ.pop(SHARED))
        if (pid := folder / "pid").exists():
            kill_group(int(pid.read_text()))
        shutil.rmtree(folder, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: one that begins last is waited for by all other processes."""
    items.sort(key=lambda item: [*LONG, item.path.name].index(item.path.name))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """End with one line on what was skipped; each reason says how to get it."""
    yield
    skipped = terminalreporter.stats.get("skipped", [])
    counts = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    told = "; ".join(f"{count} × {reason}" for reason, count in counts.most_common())
    terminalreporter.write_line(f"skipped: {told or 'nothing'}; slow tests run with: pytest -m slow")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A browser of the test's own."""
    with open_browser(tmp_path) as opened:
        yield opened


@dataclass(frozen=True)
class Toy:
    """A DVC project of four trivial stages in the current folder."""

    folder: Path

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """Read ``params.yaml``."""
        return json.loads((self.folder / "params.yaml").read_text())

    def set(self, stage: str, **values: Any) -> None:
        """Change the parameters of one stage."""
        params = self.params
        params[stage] |= values
        (self.folder / "params.yaml").write_text(json.dumps(params))

    def runs(self) -> list[str]:
        """Return the stages whose command ran to its end since the last call, in order."""
        log = self.folder / "runs.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.split()[1] for line in lines if line.startswith("end")]

    def wait_for_start(self, stage: str) -> int:
        """Wait until a stage's command runs; return its process id."""
        log = self.folder / "runs.log"
        deadline = time.monotonic() + 200  # a flow that starts takes 5 s where nothing else runs
        while time.monotonic() < deadline:
            for line in log.read_text().splitlines() if log.exists() else []:
                what, name, *pid = line.split()
                if (what, name) == ("start", stage) and pid:
                    return int(pid[0])
            time.sleep(0.05)
        raise TimeoutError(f"{stage} did not start")

    def dvc(self, *arguments: str) -> str:
        """Run the ``dvc`` command and return what it prints."""
        return subprocess.run(
            [str(bin_folder() / "dvc"), *arguments],
            cwd=self.folder,
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@pytest.fixture(scope="session")
def fresh_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the toy project once, to be copied; nothing of it has run."""
    folder = tmp_path_factory.mktemp("fresh") / "toy"
    folder.mkdir()
    make_toy(folder)
    return folder


@pytest.fixture(scope="session")
def done_toy(fresh_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the toy project once more, with all its stages up to date."""
    folder = tmp_path_factory.mktemp("done") / "toy"
    shutil.copytree(fresh_toy, folder)
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run([str(bin_folder() / "dvc"), "repro", "-q"], cwd=folder, env=environment, check=True)
    (folder / "runs.log").unlink()
    return folder


@pytest.fixture
def toy(fresh_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Go to a toy project of which nothing has run."""
    return enter_toy(fresh_toy, tmp_path, monkeypatch)


@pytest.fixture
def done(done_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Go to a toy project that is up to date."""
    return enter_toy(done_toy, tmp_path, monkeypatch)


def enter_toy(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Copy a toy project and go there; DVC's notes on files it has hashed are the copy's own."""
    folder = tmp_path / "toy"
    shutil.copytree(template, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(bin_folder() / "python"))  # of the processes in which DVC runs
    return Toy(folder)


@pytest.fixture
def real_python(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the toy's processes be children of this one, to be killed and looked at."""
    monkeypatch.setattr(sys, "executable", str(BIN / Path(sys.executable).name))


def make_toy(folder: Path) -> None:
    """Write the toy project's files."""
    (folder / "stage.py").write_text(STAGE_SCRIPT)
    (folder / "source.txt").write_text("source\n")
    params: dict[str, dict[str, Any]] = {name: {"value": 1} for name in TOY_GRAPH}
    params["operation"] = {"stage_minutes": None, "stage_minutes_of": {}, "retries": 1, "retry_seconds": 0.1}
    (folder / "params.yaml").write_text(json.dumps(params))
    stages: dict[str, dict[str, Any]] = {
        name: {
            "cmd": f"python stage.py {name} {name}.txt {' '.join(inputs)}",
            "deps": ["stage.py", *inputs],
            "params": [name],
            "outs": [f"{name}.txt"],
        }
        for name, inputs in TOY_GRAPH.items()
    }
    stages["join"]["metrics"] = [{"metrics.json": {"cache": False}}]
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run([str(bin_folder() / "dvc"), "init", "-q"], cwd=folder, check=True)
    (folder / ".dvc" / "config").write_text("[core]\nanalytics = false\ncheck_update = false\n")


@pytest.fixture(scope="session")
def server() -> dict[str, str]:
    """Return the environment of the run's one Prefect server, which whoever needs it first starts."""
    folder = Path(os.environ[SHARED])
    with (folder / "lock").open("w") as file:
        lock(file)
        known = folder / "server.json"
        if not known.exists():
            known.write_text(json.dumps(_start_server(folder)))
    environment: dict[str, str] = json.loads(known.read_text())
    return environment


@pytest.fixture
def prefect_api(server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Use the server, here and in what is started from here; return the address of its API."""
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    for name, value in server.items():
        monkeypatch.setenv(name, value)
    url, home = server["PREFECT_API_URL"], Path(server["PREFECT_HOME"])
    with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: home}):
        yield url


def _start_server(folder: Path) -> dict[str, str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    given = {
        "PREFECT_HOME": str(folder),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = [sys.executable, "-c", SERVER, folder.name.rpartition("-")[2], "server", "start"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=os.environ | given | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=subprocess.STDOUT,
            **leader_options(),
        )
    (folder / "pid").write_text(str(process.pid))
    deadline = time.monotonic() + SERVER_SECONDS
    while not _is_healthy(given["PREFECT_API_URL"]):
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"no Prefect server:\n{(folder / 'server.log').read_text()}")
        time.sleep(0.2)
    process.returncode = 0  # nobody waits for its end
    return given


def _is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2):
            return True
    except OSError:
        return False
