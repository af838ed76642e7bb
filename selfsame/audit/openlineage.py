"""The chain as OpenLineage events, with a facet of our own for labels that a machine made.

The events are views of the records: the same run ids, times and digests, and nothing else.
"""

import json
import urllib.error
import urllib.request
from typing import Any

from selfsame.audit.case import Case
from selfsame.audit.execution import Execution
from selfsame.audit.target import target_of
from selfsame.core.errors import SelfsameError
from selfsame.observe.forms import BUILDER

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
FACET = "selfsame_machineLabels"
FACET_SCHEMA = "urn:selfsame:machine-labels-facet:v1"
NAMESPACE = "selfsame"
TIMEOUT_SECONDS = 30.0


def events(case: Case) -> list[dict[str, Any]]:
    """Return a START and a COMPLETE event for every execution behind the model, in order."""
    found = []
    for execution in case.executions:
        record = execution.record
        outputs = [_dataset(name, digest) for name, digest in record.outputs.items()]
        labels = execution.wrote.named("pseudo_labels", ".parquet")
        facet = _machine_labels(execution, case) if labels else {}
        for output in outputs:
            if output["name"] in labels:
                output["facets"][FACET] = facet
        base = {
            "producer": BUILDER,
            "schemaURL": SPEC,
            "run": {"runId": record.invocation, "facets": {}},
            "job": {"namespace": NAMESPACE, "name": record.stage, "facets": {"jobType": _job_type()}},
            "inputs": [_dataset(name, digest) for name, digest in record.inputs.items()],
        }
        started = {"eventType": "START", "eventTime": record.started.isoformat(), "outputs": []}
        ended = {"eventType": "COMPLETE", "eventTime": record.finished.isoformat(), "outputs": outputs}
        found += [base | started, base | ended]
    return found


def _dataset(name: str, digest: str) -> dict[str, Any]:
    version = _facet(f"{FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet")
    return {
        "namespace": NAMESPACE,
        "name": name,
        "facets": {"version": version | {"datasetVersion": f"sha256:{digest}"}},
    }


def _job_type() -> dict[str, Any]:
    kind = {"processingType": "BATCH", "integration": "SELFSAME", "jobType": "STAGE"}
    return _facet(f"{FACETS}/2-0-3/JobTypeJobFacet.json#/$defs/JobTypeJobFacet") | kind


def _machine_labels(execution: Execution, case: Case) -> dict[str, Any]:
    counts = target_of(case).decisions(execution.wrote.table("pseudo_labels"))
    precision = target_of(case).precision(execution.wrote)
    return _facet(FACET_SCHEMA) | {
        "teachers": [f"sha256:{digest}" for digest in execution.teachers],
        "gate": execution.record.params.get("pseudo_label", {}),
        "accepted": sum(counts["accepted"].values()),
        "rejected": sum(counts["rejected"].values()),
        "acceptedPerClass": counts["accepted"],
        "precision": precision["overall"] if precision else None,
        "learned": case.training.rows_taught() if case.training else 0,
    }


def _facet(schema: str) -> dict[str, Any]:
    return {"_producer": BUILDER, "_schemaURL": schema}


def send_events(found: list[dict[str, Any]], address: str) -> None:
    """Send the events to a server of OpenLineage's HTTP interface, such as Marquez.

    Args:
        address: of its lineage endpoint, for example ``http://localhost:5000/api/v1/lineage``.

    Raises:
        SelfsameError: the server can't be reached, or refuses an event.
    """
    if not address.startswith(("http://", "https://")):
        raise SelfsameError(f"{address}: not an http address", "write it with http:// or https://")
    for number, event in enumerate(found, start=1):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(address, json.dumps(event).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                pass
        except (urllib.error.URLError, OSError) as error:
            raise SelfsameError(
                f"{address}: event {number} of {len(found)} was not taken: {error}",
                "check the address and the server; sending all of them again does no harm",
            ) from None
