"""Server, worker and schedules as ``make up`` starts them, and what the server says of its runs."""

import base64
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Self

import psutil

from tests.conftest import BIN, ROOT

KEY = "operator:secret"
START_SECONDS = 600  # these end a wait for what never comes; on a machine of its own it takes 20 s …
RUN_SECONDS = 300  # … and 10 s


def ask_with_key(api: str, path: str, body: dict[str, Any] | None, key: str) -> Any:
    """Send JSON (or get, without any) and return the answer's."""
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Basic {base64.b64encode(key.encode()).decode()}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{api}/{path}", data, headers)
    # SQLite may be busy for a moment: Prefect's own client tries again too.
    for pause in (0.5, 1, 2, 4, 0):
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code != 503 or not pause:
                raise
            error.close()
            time.sleep(pause)
    raise AssertionError


class House:
    """``flows.up`` in a project's folder, with a key, and its API.

    Args:
        project: where it is started.
        folder: for what the server keeps, and for its log.
        code: where the package ``flows`` is imported from.
    """

    def __init__(self, project: Path, folder: Path, code: Path = ROOT) -> None:
        self.project = project
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.api = f"http://127.0.0.1:{port}/api"
        self.log = folder / "up.log"
        settings = {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_API_AUTH_STRING": KEY,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DVC_SITE_CACHE_DIR": str(folder / "site"),
            "PYTHONPATH": str(code),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [str(BIN / "python"), "-m", "flows.up"],
                cwd=project,
                env=os.environ | settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        try:
            self.wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        family = [] if self.process.poll() is not None else psutil.Process(self.process.pid).children(True)
        self.process.terminate()
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            for process in family:  # of a house that didn't come down by itself
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while "\nup: " not in self.log.read_text():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.3)

    def ask(self, path: str, body: dict[str, Any] | None = None, key: str = KEY) -> Any:
        return ask_with_key(self.api, path, body, key)

    def start(self, deployment: str, **options: Any) -> str:
        """Ask for a run of a deployment; return its id."""
        found = self.ask(f"deployments/name/toy/{deployment}")
        body = {"parameters": {"options": options}, "state": {"type": "SCHEDULED"}}
        run_id = self.ask(f"deployments/{found['id']}/create_flow_run", body)["id"]
        assert isinstance(run_id, str)
        return run_id

    def finish(self, run: str) -> tuple[str, str]:
        """Wait for the end of a run; return its state's name and message."""
        deadline = time.monotonic() + RUN_SECONDS
        while True:
            state = self.ask(f"flow_runs/{run}")["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state["name"], state["message"]
            assert time.monotonic() < deadline, f"{state}\n{self.log.read_text()}"
            time.sleep(0.3)

    def story(self) -> list["Ended"]:
        """Return the runs that have ended, in the order of their starts.

        Without the cancelled ones: they came due while another run was on its way.
        """
        ended = {"any_": ["COMPLETED", "FAILED", "CRASHED"]}
        body = {"flow_runs": {"state": {"type": ended}}, "sort": "START_TIME_ASC", "limit": 200}
        return [
            Ended(
                datetime.fromisoformat(run["start_time"]).timestamp(),
                run["state"]["name"],
                run["state"]["message"],
            )
            for run in self.ask("flow_runs/filter", body)
        ]


class Ended(NamedTuple):
    """A run that has ended: when it began, in seconds since the epoch, and its last state."""

    began: float
    name: str
    message: str
