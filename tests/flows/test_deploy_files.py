"""``deploy/``: units and compose file say what Prefect understands, and what they say works."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
from collections import defaultdict
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.cli._app import _app as app
from prefect.settings import Settings

from flows.up import POOL, WORKER_RUNS
from flows.up import environment as up_environment
from selfsame.core.graph_file import read_yaml
from tests.conftest import BIN, ROOT, Toy
from tests.flows.house import START_SECONDS, ask_with_key
from tests.flows.test_deployments import write_table

DEPLOY = ROOT / "deploy"
HOME = "/srv/selfsame"
NAMES = ("server", "worker")


def read_unit(name: str) -> dict[str, list[str]]:
    """Return a unit's settings; one that is given twice has two values."""
    settings = defaultdict(list)
    for line in (DEPLOY / f"selfsame-{name}.service").read_text().splitlines():
        if line and line[0] not in "[#":
            key, _, value = line.partition("=")
            settings[key].append(value)
    return settings


def unit_commands(name: str) -> list[list[str]]:
    """Return a unit's command lines in the order in which systemd runs them."""
    unit = read_unit(name)
    return [shlex.split(line) for key in ("ExecStartPre", "ExecStart") for line in unit[key]]


def compose_commands(name: str) -> list[list[str]]:
    """Return those of a service, taken out of its shell."""
    words = shlex.split(read_yaml(DEPLOY / "compose.yaml")["services"][name]["command"])
    if words[:2] != ["sh", "-c"]:
        return [words]
    return [shlex.split(line.removeprefix("exec ")) for line in words[2].split(" && ")]


def environment() -> dict[str, str]:
    lines = (DEPLOY / "env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_are_prefects(name: str) -> None:
    for words in unit_commands(name):
        path = Path(words[0])
        assert path.parent == Path(HOME, ".venv/bin") and (BIN / path.name).is_file()
        given = [word for word in words[1:] if word != "--no-prompt"]  # which no single command has
        if given[:2] == ["-m", "flows.server"]:
            given[:2] = ["server", "start"]  # as it does itself
        app.parse_args(given, exit_on_error=False, print_error=False)
    said = [[Path(first).name, *rest] for first, *rest in unit_commands(name)]
    listens = re.compile("--host|--port|[0-9.]+")
    assert [[word for word in words if not listens.fullmatch(word)] for words in said] == [
        [word for word in words if not listens.fullmatch(word)] for words in compose_commands(name)
    ]


def test_the_pool_is_that_of_the_table() -> None:
    pools = {entry["work_pool"]["name"] for entry in read_yaml(ROOT / "prefect.yaml")["deployments"]}
    (create, _, start) = unit_commands("worker")
    assert pools == {POOL, create[3], start[start.index("--pool") + 1]} == {POOL}
    assert start[-2:] == ["--limit", WORKER_RUNS]


def test_the_servers_settings_are_those_of_make_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    up = up_environment("127.0.0.1", "4200")
    given = environment()
    names = {name for name in given if name.startswith("PREFECT_SERVER_") and "AUTH" not in name}
    assert {name: given[name] for name in names} == {name: up[name] for name in names}
    assert len(names) == 5


def test_no_run_is_marked_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many late runs, each marked in a transaction that reads first, locked SQLite for everybody else."""
    monkeypatch.chdir(ROOT)
    for name, value in up_environment("127.0.0.1", "4200").items():
        monkeypatch.setenv(name, value)
    assert not Settings().server.services.late_runs.enabled


def test_a_key_is_asked_for_and_nothing_is_reported() -> None:
    given = environment()
    assert given["PREFECT_SERVER_API_AUTH_STRING"] == given["PREFECT_API_AUTH_STRING"] != ""
    assert given["DO_NOT_TRACK"] == "1" and given["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    for name in NAMES:
        assert read_unit(name)["EnvironmentFile"] == ["/etc/selfsame.env"]  # without a "-": it must be there
        assert read_yaml(DEPLOY / "compose.yaml")["services"][name]["env_file"] == ".env"


def test_the_server_is_reached_on_this_machine_alone() -> None:
    (command,) = unit_commands("server")
    assert command[command.index("--host") + 1] == "127.0.0.1"
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    assert services["server"]["ports"] == ["127.0.0.1:4200:4200"] and "ports" not in services["worker"]


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze: apt-get install systemd"
)
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """It looks for the commands and for other units too, so they are named as they are here."""
    for name in NAMES:
        text = (DEPLOY / f"selfsame-{name}.service").read_text().replace(f"{HOME}/.venv/bin", str(BIN))
        (tmp_path / f"selfsame-{name}.service").write_text(text)
        (tmp_path / f"selfsame-{name}.service").chmod(0o644)  # it warns of files that anybody may write
    units = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "selfsame-server.service").write_text(text.replace("Restart=", "Restarts="))
    spoilt = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert "Restarts" in spoilt.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_units_command_lines_one_after_the_other(toy: Toy, tmp_path: Path) -> None:
    write_table(toy.folder)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    unit = read_unit("server")
    given = dict(line.split("=", 1) for line in unit["Environment"]) | environment()
    here = {name: value.replace("4200", port).replace(HOME, str(toy.folder)) for name, value in given.items()}
    here |= {"PATH": f"{BIN}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    here["PREFECT_HOME"] = str(tmp_path / "state")
    here["DVC_SITE_CACHE_DIR"] = str(tmp_path / "site")
    api = here["PREFECT_API_URL"]

    def ask(path: str, body: dict[str, Any] | None = None, key: str = here["PREFECT_API_AUTH_STRING"]) -> Any:
        return ask_with_key(api, path, body, key)

    def local(words: list[str]) -> list[str]:
        first, *rest = words
        return [str(BIN / Path(first).name), *(port if word == "4200" else word for word in rest)]

    def listens() -> bool:
        try:
            return bool(ask("health", key=""))
        except OSError:
            return False

    started: list[subprocess.Popen[bytes]] = []
    log = tmp_path / "log"
    try:
        with log.open("w") as file:
            (command,) = unit_commands("server")
            options: dict[str, Any] = {
                "cwd": toy.folder,
                "env": here,
                "stdout": file,
                "stderr": subprocess.STDOUT,
            }
            started.append(subprocess.Popen(local(command), **options))
            deadline = time.monotonic() + START_SECONDS
            while not listens():
                assert started[0].poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.5)
            *before, command = unit_commands("worker")
            for words in before:
                subprocess.run(local(words), check=True, **options)
            started.append(subprocess.Popen(local(command), **options))

        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            ask("deployments/filter", {}, key="")
        refused.value.close()
        assert {entry["name"] for entry in ask("deployments/filter", {})} == {"nightly", "other"}
        assert ask("admin/settings")["server"]["analytics_enabled"] is False
        server = psutil.Process(started[0].pid)
        sockets = [
            one
            for process in (server, *server.children(recursive=True))
            for one in process.net_connections("inet")
            if one.status == psutil.CONN_LISTEN
        ]
        assert {one.laddr.port for one in sockets} == {int(port)}
        assert {one.laddr.ip for one in sockets} == {"127.0.0.1"}

        deployment = ask("deployments/name/toy/other")["id"]
        run = ask(f"deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"]
        deadline = time.monotonic() + START_SECONDS
        while (state := ask(f"flow_runs/{run}")["state"])["type"] not in ("COMPLETED", "FAILED", "CRASHED"):
            assert time.monotonic() < deadline, f"{state}\n{log.read_text()}"
            time.sleep(1)
        assert state["name"] == "Completed", state
        assert sorted(toy.runs()) == ["join", "left", "prepare", "right"]

        for process in reversed(started):  # as systemd stops them
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        # The server ends by the signal itself when it has cleaned up: systemd takes that for a clean end.
        assert {process.returncode for process in started} <= {0, -signal.SIGTERM}
    finally:
        for process in started:
            process.kill()
            process.wait()
