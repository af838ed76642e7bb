"""The webhook is told of a failure, of drift and of silence, and of nothing else."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from prefect import State, flow
from prefect.client.orchestration import get_client
from prefect.states import Completed, Failed

from flows.notify import FAILURE, SILENCE, main
from flows.runs import SKIPPED

SILENT_FOR = timedelta(seconds=10)  # the shortest that Prefect takes
PATIENCE_SECONDS = 120.0


class Receiver(HTTPServer):
    """A webhook's other end."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.received: list[dict[str, Any]] = []

    def wait_for(self, state: str, since: float = 0) -> dict[str, Any]:
        """Return the first message of a state that came after a moment."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := [one for one in self.received if one["state"] == state and one["at"] > since]):
            assert time.monotonic() < deadline, self.received
            time.sleep(0.1)
        return found[0]


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append(message | {"at": time.monotonic()})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver(prefect_api: str) -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
            with get_client(sync_client=True) as client:
                for name in (FAILURE, SILENCE):
                    for automation in client.read_automations_by_name(name):
                        client.delete_automation(automation.id)


@flow
def ends(name: str) -> State:
    message = "input 'mass_g': PSI 0.31" if name == "Drifted" else None
    return Failed(message="told to fail") if name == "Failed" else Completed(name=name, message=message)


@pytest.mark.slow
def test_failure_and_silence_are_told(receiver: Receiver) -> None:
    address = f"http://127.0.0.1:{receiver.server_port}/"
    main(address, timedelta(hours=30))
    main(address, SILENT_FOR)  # in place of the first
    time.sleep(3)  # the server takes up a new automation in the background
    ends("Failed", return_state=True)
    told = receiver.wait_for("Failed")
    assert told["message"] == "told to fail" and told["page"].startswith("http")
    ends("Drifted", return_state=True)
    assert receiver.wait_for("Drifted")["message"] == "input 'mass_g': PSI 0.31"

    # As long as something succeeds nothing is said; to be skipped is no success.
    receiver.wait_for("Silent")
    begin = time.monotonic()
    while time.monotonic() < begin + 2 * SILENT_FOR.total_seconds():
        ends("Cached", return_state=True)
        time.sleep(1)
    spoken = [one["at"] for one in receiver.received if one["state"] == "Silent"]
    assert not [at for at in spoken if begin + SILENT_FOR.total_seconds() < at], "there were successes"
    since = time.monotonic()
    for _ in range(12):
        ends(SKIPPED, return_state=True)
        time.sleep(1)
    told = receiver.wait_for("Silent", since)
    assert told["run"] is None and told["message"].startswith("no run has succeeded for 0.0027")
    assert sum(one["state"] == "Failed" for one in receiver.received) == 1
