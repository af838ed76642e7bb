"""Tell a webhook when a run fails or finds drift, and when none succeeds: ``python -m flows.notify ADDRESS``.

Makes a block (the address) and two automations (when, and what to send) on the server of
``PREFECT_API_URL``, in place of those that an earlier call made. The receiver is sent a JSON object with the
run's name, state and message, and the address of its page. The second one speaks when no run has succeeded
for ``operation.alert_hours``, whatever the reason: no worker, late, skipped, cancelled or hanging runs. It
says so again after as many hours more.
"""

import json
import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture
from prefect.settings import PREFECT_UI_URL

from selfsame.params.operation import OperationParams
from selfsame.params.reading import load_section

FAILURE, SILENCE = "selfsame-failed", "selfsame-silent"
RUNS = {"prefect.resource.id": "prefect.flow-run.*"}
FAILED = {f"prefect.flow-run.{name}" for name in ("Failed", "Crashed", "TimedOut", "Drifted")}
SUCCEEDED = {"prefect.flow-run.Completed", "prefect.flow-run.Cached"}  # and not Skipped
TOLD_OF_FAILURE = """{
  "run": {{ flow_run.name | tojson }},
  "state": {{ flow_run.state.name | tojson }},
  "message": {{ (flow_run.state.message or "") | tojson }},
  "page": {{ (flow_run | ui_url) | tojson }}
}"""


def main(address: str, silent_for: timedelta) -> None:
    """Write block and automations."""
    block = Webhook(url=address, method="POST").save(FAILURE, overwrite=True)
    silence = {
        "run": None,
        "state": "Silent",
        "message": f"no run has succeeded for {silent_for / timedelta(hours=1):g} hours",
        "page": f"{PREFECT_UI_URL.value()}/runs",
    }
    failed = EventTrigger(posture=Posture.Reactive, expect=FAILED, match=RUNS, threshold=1)
    silent = EventTrigger(
        posture=Posture.Proactive, expect=SUCCEEDED, match=RUNS, threshold=1, within=silent_for
    )
    for name, description, trigger, payload in (
        (FAILURE, "A flow run failed, or found drift.", failed, TOLD_OF_FAILURE),
        (SILENCE, "No flow run has succeeded for a while.", silent, json.dumps(silence)),
    ):
        with get_client(sync_client=True) as client:
            for old in client.read_automations_by_name(name):
                client.delete_automation(old.id)
        call = CallWebhook(block_document_id=block, payload=payload)
        Automation(name=name, description=description, trigger=trigger, actions=[call]).create()


if __name__ == "__main__":
    main(sys.argv[1], timedelta(hours=load_section("operation", OperationParams).alert_hours))
