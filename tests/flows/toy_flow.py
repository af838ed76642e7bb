"""The pipeline's flow on whatever project is in the current folder: without our own parameters' check.

Takes ``run_graph``'s options as JSON; prints the flow run's id, state type and message as JSON.
"""

import json
import sys
from typing import Any

from prefect import flow
from prefect.states import State

from flows.pipeline import run_graph
from flows.request import RunRequest
from flows.runs import guarded


def no_check() -> None:
    """Accept any parameters."""


@flow(name="toy")
def toy(options: dict[str, Any]) -> State:
    """Run the graph."""
    return guarded(lambda: run_graph(no_check, RunRequest(**options)))


if __name__ == "__main__":
    state = toy(json.loads(sys.argv[1]), return_state=True)
    run_id = str(state.state_details.flow_run_id)
    print(json.dumps({"id": run_id, "type": state.type.value, "message": state.message}))
