"""Tell a webhook when a run fails: ``python -m flows.notify ADDRESS``; run it again to change it.

Makes a block (the address) and an automation (when, and what to send) on the server of ``PREFECT_API_URL``.
The receiver is sent a JSON object with the run's name, state and message, and the address of its page.
"""

import sys

from prefect.automations import Automation
from prefect.blocks.webhook import Webhook
from prefect.client.orchestration import get_client
from prefect.events.actions import CallWebhook
from prefect.events.schemas.automations import EventTrigger, Posture

NAME = "selfsame-failed"
PAYLOAD = """{
  "run": {{ flow_run.name | tojson }},
  "state": {{ flow_run.state.name | tojson }},
  "message": {{ (flow_run.state.message or "") | tojson }},
  "page": {{ (flow_run | ui_url) | tojson }}
}"""
FAILED = {"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"}


def main() -> None:
    """Write both, in place of those of the same name."""
    block = Webhook(url=sys.argv[1], method="POST").save(NAME, overwrite=True)
    with get_client(sync_client=True) as client:
        for old in client.read_automations_by_name(NAME):
            client.delete_automation(old.id)
    Automation(
        name=NAME,
        description="A flow run failed.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            expect=FAILED,
            match={"prefect.resource.id": "prefect.flow-run.*"},
            threshold=1,
        ),
        actions=[CallWebhook(block_document_id=block, payload=PAYLOAD)],
    ).create()


if __name__ == "__main__":
    main()
