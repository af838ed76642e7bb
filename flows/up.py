"""Server, worker and schedules on one machine, in one terminal: ``make up``, or ``python -m flows.up``.

For trying things out, and for a machine of one's own; ``deploy/`` has what outlives a terminal. Ends on
Ctrl-C or SIGTERM, or when server or worker ends, and leaves no process behind.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, PREFECT_SERVER_API_HOST, PREFECT_SERVER_API_PORT

from selfsame.core.errors import SelfsameError
from selfsame.processes import leader_options

POOL = "selfsame"
START_SECONDS = 300.0  # a server needs 160 s where ten processes share its core
STOP_SECONDS = 15.0  # then whatever still runs is killed
LOOK_SECONDS = 0.5
STOPPING = (signal.SIGINT, signal.SIGTERM)


class Stop(Exception):  # noqa: N818 (it is no error)
    """Somebody asked to stop."""


class Household:
    """The processes of one ``make up``, each the leader of a session: Ctrl-C reaches this process alone."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.members: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        """Start a member that is to run until the end."""
        self.members[name] = subprocess.Popen(
            prefect(*command), env=self.environment, stdin=subprocess.DEVNULL, **leader_options()
        )

    def run(self, *command: str) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            prefect(*command), env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise SelfsameError(f"prefect {' '.join(command)}: {(done.stdout + done.stderr).strip()}")

    def check(self) -> None:
        """Raise if a member has ended."""
        for name, member in self.members.items():
            if member.poll() is not None:
                raise SelfsameError(
                    f"the {name} ended with status {member.returncode}", "its lines are above"
                )

    def stop(self) -> None:
        """Stop the members, the last started first, and kill whatever of them or theirs is left."""
        for number in STOPPING:  # asked again, it would leave them behind
            signal.signal(number, signal.SIG_IGN)
        family = psutil.Process().children(recursive=True)
        for member in reversed(self.members.values()):
            member.terminate()
            try:
                member.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                member.kill()
        for process in {*family, *psutil.Process().children(recursive=True)}:
            if process.is_running():
                process.kill()
        psutil.wait_procs(family, timeout=STOP_SECONDS)


def main() -> None:
    """Start all, and watch until the end."""
    for number in STOPPING:
        signal.signal(number, _stop)
    host, port = PREFECT_SERVER_API_HOST.value(), str(PREFECT_SERVER_API_PORT.value())
    household = Household(environment(host, port))
    try:
        household.start("server", "server", "start", "--host", host, "--port", port)
        _wait_until_healthy(household, f"http://{host}:{port}/api/health")
        household.run("work-pool", "create", POOL, "--type", "process", "--overwrite")
        household.run("--no-prompt", "deploy", "--all")
        household.start("worker", "worker", "start", "--pool", POOL)
        print(f"up: http://{host}:{port}; Ctrl-C stops server and worker", flush=True)
        while True:
            household.check()
            time.sleep(LOOK_SECONDS)
    except Stop:
        print("stopping", flush=True)
    except SelfsameError as error:
        sys.exit(f"error: {error}")
    finally:
        household.stop()


def environment(host: str, port: str) -> dict[str, str]:
    """Return the members' environment: this server, its key, this project, no telemetry."""
    added = {
        "PREFECT_API_URL": f"http://{host}:{port}/api",
        "SELFSAME_HOME": str(Path.cwd()),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    if key := PREFECT_SERVER_API_AUTH_STRING.value():
        added["PREFECT_API_AUTH_STRING"] = key
    return {**os.environ, **added}


def prefect(*arguments: str) -> Sequence[str]:
    """Return a command line of the Prefect that is installed here."""
    return [sys.executable, "-m", "prefect", *arguments]


def _wait_until_healthy(household: Household, address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        household.check()
        try:
            with urllib.request.urlopen(address, timeout=2):
                return
        except OSError:
            time.sleep(LOOK_SECONDS)
    raise SelfsameError(f"{address}: no server after {START_SECONDS:g} s", "its lines are above")


def _stop(*_: object) -> None:
    raise Stop


if __name__ == "__main__":
    main()
