"""Flow runs on the toy project, and what a Prefect server says of them."""

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.flows.toy_flow import toy

FLOW = Path(__file__).parent / "toy_flow.py"
STAGES = {"prepare", "left", "right", "join"}


def run_flow(**options: Any) -> dict[str, Any]:
    """Run the toy flow in this process."""
    state = toy(options, return_state=True)
    run_id = str(state.state_details.flow_run_id)
    return {"id": run_id, "type": state.type.value, "message": state.message}


def start_flow(**options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, str(FLOW), json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=250)
    assert process.returncode == 0, err
    answer = json.loads(out.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def ask(api: str, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{api}/{path}/filter", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert isinstance(answer, list)
    return answer


def task_runs(api: str, flow_run: str, **expected: str) -> dict[str, dict[str, Any]]:
    """Return a flow run's task runs by name, once their states' names are as expected.

    Prefect's client reports states in the background: they may arrive after the flow has ended.
    """
    body = {"flow_runs": {"id": {"any_": [flow_run]}}}
    deadline = time.monotonic() + 120
    while True:
        runs = {run["name"]: run for run in ask(api, "task_runs", body)}
        states = {name: run["state"]["name"] for name, run in runs.items()}
        if states == expected or time.monotonic() > deadline:
            assert states == expected
            return runs
        time.sleep(0.2)
