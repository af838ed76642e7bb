"""Server, worker and schedules on one machine, in one terminal: ``make up``, or ``python -m flows.up``.

For trying things out, and for a machine of one's own; ``deploy/`` has what outlives a terminal. Server and
worker are started again when they end. Ends on Ctrl-C or SIGTERM, and leaves no process behind; killed, it
takes server and worker along.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, PREFECT_SERVER_API_HOST, PREFECT_SERVER_API_PORT

from selfsame.core.errors import SelfsameError
from selfsame.params.operation import OperationParams
from selfsame.params.reading import load_section
from selfsame.processes import leader_options, runs

POOL = "selfsame"
WORKER_RUNS = "8"  # at once: each is a process of 200 MB, waiting ones and paused ones too
START_SECONDS = 300.0  # a server needs 160 s where ten processes share its core
STOP_SECONDS = 15.0  # then whatever still runs is killed
LOOK_SECONDS = 0.5
PAUSES_SECONDS = (2.0, 8.0, 0.0)  # after each try of a command
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0  # before a member that has ended is started again
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stop(Exception):  # noqa: N818 (it is no error)
    """Somebody asked to stop."""


@dataclass
class Member:
    """A process that is to run until the end.

    Attributes:
        pause: seconds before it is started again, each time twice as long.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    pause: float = FIRST_PAUSE_SECONDS

    def start(self) -> None:
        """Start it, leader of a group so that Ctrl-C doesn't reach it, and to end with this process."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "selfsame.processes", *self.command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            **leader_options(),
        )

    def require(self) -> None:
        """Raise if it has ended."""
        if self.process.poll() is not None:
            raise SelfsameError(
                f"the {self.name} ended with status {self.process.returncode}", "its lines are above"
            )

    def keep(self) -> None:
        """Start it again if it has ended."""
        if self.process.poll() is None:
            if time.monotonic() - self.started > LONGEST_PAUSE_SECONDS:
                self.pause = FIRST_PAUSE_SECONDS
            return
        print(
            f"the {self.name} ended with status {self.process.returncode}; again in {self.pause:g} s",
            flush=True,
        )
        time.sleep(self.pause)
        self.pause = min(2 * self.pause, LONGEST_PAUSE_SECONDS)
        self.start()


def main() -> None:
    """Start all, and watch until the end."""
    for number in STOPPING:
        signal.signal(number, _stop)
    host, port = PREFECT_SERVER_API_HOST.value(), str(PREFECT_SERVER_API_PORT.value())
    members: list[Member] = []
    try:
        given = environment(host, port)
        server = Member("server", ["flows.server", "--host", host, "--port", port], given)
        worker = Member(
            "worker", ["prefect", "worker", "start", "--pool", POOL, "--limit", WORKER_RUNS], given
        )
        members.append(server)
        server.start()
        _wait_until_healthy(server, f"http://{host}:{port}/api/health")
        for command in (
            ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
            ["--no-prompt", "deploy", "--all"],
        ):
            _run(command, given)
        members.append(worker)
        worker.start()
        print(f"up: http://{host}:{port}; Ctrl-C stops server and worker", flush=True)
        while True:
            for member in members:
                member.keep()
            time.sleep(LOOK_SECONDS)
    except Stop:
        print("stopping", flush=True)
    except SelfsameError as error:
        sys.exit(f"error: {error}")
    finally:
        _stop_all(members)


def environment(host: str, port: str) -> dict[str, str]:
    """Return the members' environment: this server, its key, this project, old runs removed, no telemetry."""
    added = {
        "PREFECT_API_URL": f"http://{host}:{port}/api",
        "SELFSAME_HOME": str(Path.cwd()),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_TIMEOUT": "60",  # SQLite's default of 10 s is short beside other work
        # Prefect marks late runs in transactions that lock SQLite; no flow or alert here asks for the mark.
        "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(
            round(load_section("operation", OperationParams).keep_runs_days * 86400)
        ),
    }
    if key := PREFECT_SERVER_API_AUTH_STRING.value():
        added["PREFECT_API_AUTH_STRING"] = key
    return {**os.environ, **added}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a command of Prefect's; a server that has just started may be too busy for it at first."""
    for pause in PAUSES_SECONDS:
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode == 0:
            return
        time.sleep(pause)
    raise SelfsameError(f"prefect {' '.join(command)}: {(done.stdout + done.stderr).strip()}")


def _wait_until_healthy(server: Member, address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        server.require()
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(LOOK_SECONDS)
    raise SelfsameError(f"{address}: no server after {START_SECONDS:g} s", "its lines are above")


def _stop_all(members: Sequence[Member]) -> None:
    """Stop the members, the last started first, and kill whatever of them or theirs is left."""
    for number in STOPPING:  # asked again, it would leave them behind
        signal.signal(number, signal.SIG_IGN)
    family = psutil.Process().children(recursive=True)
    for member in reversed(members):
        member.process.terminate()
        try:
            member.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            member.process.kill()
    for process in {*family, *psutil.Process().children(recursive=True)}:
        if runs(process):
            process.kill()
    psutil.wait_procs(family, timeout=STOP_SECONDS)


def _stop(*_: object) -> None:
    raise Stop


if __name__ == "__main__":
    main()
