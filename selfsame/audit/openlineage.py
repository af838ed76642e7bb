"""The chain as OpenLineage events, with a facet of our own for labels that a machine made.

The events are views of the records: the same run ids, times and digests, and nothing else.
"""

import json
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from selfsame.audit.case import Case
from selfsame.audit.execution import Execution
from selfsame.audit.target import target_of
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ID
from selfsame.observe.forms import BUILDER

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
FACET = "selfsame_machineLabels"
FACET_SCHEMA = "urn:selfsame:machine-labels-facet:v1"
NAMESPACE = "selfsame"
EXAMPLES, POOL = "examples", "pool"
CHANGED = {"label": "TRANSFORMATION"}  # columns that are more than a copy
TIMEOUT_SECONDS = 30.0


def events(case: Case) -> list[dict[str, Any]]:
    """Return a START and a COMPLETE event for every execution behind the model, in order."""
    found = []
    for execution in case.executions:
        record = execution.record
        inputs, outputs = (
            [_dataset(case, *file) for file in files.items()] for files in (record.inputs, record.outputs)
        )
        for output in outputs:
            output["facets"] |= _column_lineage(output, inputs)
        labels = execution.wrote.named("pseudo_labels", ".parquet")
        facet = _machine_labels(execution, case) if labels else {}
        for output in outputs:
            if output["name"] in labels:
                output["facets"][FACET] = facet
        base = {
            "producer": BUILDER,
            "schemaURL": SPEC,
            "run": {"runId": record.invocation, "facets": _parent(record.started_by["flowRun"])},
            "job": {"namespace": NAMESPACE, "name": record.stage, "facets": {"jobType": _job_type()}},
            "inputs": inputs,
        }
        started = {"eventType": "START", "eventTime": record.started.isoformat(), "outputs": []}
        ended = {"eventType": "COMPLETE", "eventTime": record.finished.isoformat(), "outputs": outputs}
        found += [base | started, base | ended]
    return found


def _dataset(case: Case, name: str, digest: str) -> dict[str, Any]:
    version = _published("1-0-1", "DatasetVersionDatasetFacet") | {"datasetVersion": f"sha256:{digest}"}
    facets = {"version": version}
    if name.endswith(".parquet"):
        with suppress(SelfsameError):  # its bytes are nowhere any more: then nothing is said of its columns
            schema = pq.read_schema(case.snapshot.place(name, digest))
            fields = [{"name": each.name, "type": str(each.type)} for each in schema]
            facets["schema"] = _published("1-2-0", "SchemaDatasetFacet") | {"fields": fields}
    return {"namespace": NAMESPACE, "name": name, "facets": facets}


def _column_lineage(output: dict[str, Any], inputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Say of which columns those of a table of rows are: all of the examples, or else of the pool.

    A column is that of the same name, but a label, which an answer may have replaced and the pool hides.
    """
    columns = _columns(output)
    if ID not in columns:
        return {}
    tables = [each for each in inputs if ID in _columns(each)]
    rows = [each for each in tables if _is_of(each, EXAMPLES)] or [
        each for each in tables if _is_of(each, POOL)
    ]
    same = [each for each in rows if Path(each["name"]).name == Path(output["name"]).name]  # the same part
    fields = {
        name: {
            "inputFields": [
                {"namespace": NAMESPACE, "name": each["name"], "field": name}
                | {"transformations": [{"type": "DIRECT", "subtype": CHANGED.get(name, "IDENTITY")}]}
                for each in same or rows
                if name in _columns(each)
            ]
        }
        for name in columns
    }
    known = {name: lineage for name, lineage in fields.items() if lineage["inputFields"]}
    return (
        {"columnLineage": _published("1-2-0", "ColumnLineageDatasetFacet") | {"fields": known}}
        if known
        else {}
    )


def _columns(table: dict[str, Any]) -> list[str]:
    return [field["name"] for field in table["facets"].get("schema", {"fields": []})["fields"]]


def _is_of(table: dict[str, Any], stem: str) -> bool:
    return stem in (Path(table["name"]).stem, Path(table["name"]).parent.name)


def _parent(flow_run: dict[str, str] | None) -> dict[str, Any]:
    """Name the flow run that an execution was part of, if it was."""
    if not flow_run:
        return {}
    run, job = {"runId": flow_run["flow_run_id"]}, {"namespace": NAMESPACE, "name": "pipeline"}
    return {"parent": _published("1-2-0", "ParentRunFacet") | {"run": run, "job": job}}


def _job_type() -> dict[str, Any]:
    kind = {"processingType": "BATCH", "integration": "SELFSAME", "jobType": "STAGE"}
    return _published("2-0-4", "JobTypeJobFacet") | kind


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


def _published(version: str, name: str) -> dict[str, Any]:
    return _facet(f"{FACETS}/{version}/{name}.json#/$defs/{name}")


def _facet(schema: str) -> dict[str, Any]:
    return {"_producer": BUILDER, "_schemaURL": schema}


def send_events(found: list[dict[str, Any]], address: str) -> int:
    """Send the events to a server of OpenLineage's HTTP interface, such as Marquez; return their number.

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
    return len(found)
