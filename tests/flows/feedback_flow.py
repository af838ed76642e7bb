"""The feedback flow on a pipeline that takes no time; prints the flow run's id, state type and message.

The closer the learning rate is to 0.01, the better the model; the trial numbered in the first argument
fails. The second argument, if any, has the loop applied at its end.
"""

import json
import sys
from typing import Any

from flows import feedback as flow_module
from selfsame.core.errors import SelfsameError
from selfsame.dag.experiments import Trial
from selfsame.trials import study

FAILS = int(sys.argv[1])
calls: list[Any] = []


def run_experiment(overrides: dict[str, Any], name: str, log: Any, targets: Any = ()) -> Trial:
    """Stand for the pipeline."""
    calls.append(targets)
    log(f"a stage of {name}")
    if len(calls) - 1 == FAILS:
        raise SelfsameError("the loss became nan")
    accuracy = 1 - abs(overrides.get("training.learning_rate", 0.02) - 0.01)
    metrics: dict[str, Any] = {"models/student/validation.json": {"accuracy": accuracy}}
    if not targets:
        student = {"holdout": {"accuracy": 0.75}}
        metrics["reports/metrics.json"] = {"student": student, "champion": "student", "pool": {}}
    return Trial(name, overrides, metrics, {}, 1.0)


study.run_experiment = run_experiment
flow_module.apply_experiment = lambda name: calls.append(name)
state = flow_module.feedback(apply=True, return_state=True)
print(
    json.dumps(
        {
            "id": str(state.state_details.flow_run_id),
            "type": state.type.value,
            "message": state.message,
            "calls": calls,
        }
    )
)
