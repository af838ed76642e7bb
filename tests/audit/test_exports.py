"""The exports say what the records say, in the words of the standards' published schemas."""

import json
import re
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import resources
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from project import ROOT, Project
from referencing import Registry, Resource

from selfsame.audit.case import Case
from selfsame.audit.chain import audit_chain
from selfsame.audit.croissant import croissant
from selfsame.audit.mlbom import bill_of_materials
from selfsame.audit.openlineage import FACET, events, send_events
from selfsame.audit.page import layout, render_page
from selfsame.audit.questions import answer_all, audit_document
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.technical_file import BY_A_PERSON, technical_file
from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError

CHAMPION = Path("models/champion")
PUBLISHED = [json.loads(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.json")]
SCHEMAS = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in PUBLISHED)


def openlineage_fault(event: dict[str, Any]) -> str | None:
    """Hold an event, and each of its facets, against the schema that it names itself."""
    for part, name in [
        (event, event["schemaURL"]),
        *((each, each["_schemaURL"]) for each in facets_of(event)),
    ]:
        if not name.startswith("urn:selfsame"):
            checked = jsonschema.FormatChecker()
            validator = jsonschema.Draft202012Validator(
                {"$ref": name}, registry=SCHEMAS, format_checker=checked
            )
            if fault := next(validator.iter_errors(part), None):
                return fault.message
    return None


def facets_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    holders = [event["run"], *([event["job"]] if "job" in event else []), *event["inputs"], *event["outputs"]]
    return [facet for holder in holders for facet in holder["facets"].values()]


@pytest.fixture
def case(real: Project) -> Case:
    return Case(Snapshot(), CHAMPION)


def cyclonedx(name: str) -> dict[str, Any]:
    return json.loads(resources.files("cyclonedx.schema._res").joinpath(name).read_text(encoding="utf-8"))


def bom_validator() -> jsonschema.Draft7Validator:
    others = tuple(f"{name}.SNAPSHOT.schema.json" for name in ("spdx", "jsf-0.82", "cryptography-defs"))
    registry = Registry().with_resources(
        [(f"http://cyclonedx.org/schema/{name}", Resource.from_contents(cyclonedx(name))) for name in others]
    )
    schema = cyclonedx("bom-1.7.SNAPSHOT.schema.json")
    return jsonschema.Draft7Validator(schema, registry=registry, format_checker=jsonschema.FormatChecker())


def test_openlineage_events_are_valid_and_tell_the_chain(case: Case) -> None:
    found = events(case)
    for event in found:
        assert openlineage_fault(event) is None
    executions = audit_chain(case)["executions"]
    assert [event["job"]["name"] for event in found[::2]] == [each["stage"] for each in executions]
    assert [event["eventType"] for event in found] == ["START", "COMPLETE"] * len(executions)
    for event, execution in zip(found[1::2], executions, strict=True):
        record = json.loads(Path(execution["record"]).read_bytes())
        metadata = record["predicate"]["runDetails"]["metadata"]
        assert event["run"]["runId"] == metadata["invocationId"]
        versions = {out["name"]: out["facets"]["version"]["datasetVersion"] for out in event["outputs"]}
        assert versions == {s["name"]: f"sha256:{s['digest']['sha256']}" for s in record["subject"]}


def test_openlineage_schema_refuses_what_lacks_a_job(case: Case) -> None:
    event = events(case)[0]
    del event["job"]
    assert "'job' is a required property" in (openlineage_fault(event) or "")


def test_openlineage_names_columns_and_what_each_is_of(case: Case) -> None:
    ends = {event["job"]["name"]: event for event in events(case)[1::2]}
    made = {out["name"]: out["facets"] for event in ends.values() for out in event["outputs"]}
    for name, facets in made.items():
        if name.endswith(".parquet"):
            schema = pq.read_schema(name)
            fields = {field["name"]: field["type"] for field in facets["schema"]["fields"]}
            assert fields == {each.name: str(each.type) for each in schema}
        else:
            assert "schema" not in facets

    def sources(name: str) -> dict[str, list[tuple[str, str, str]]]:
        return {
            column: [
                (one["name"], one["field"], one["transformations"][0]["subtype"])
                for one in known["inputFields"]
            ]
            for column, known in made[name]["columnLineage"]["fields"].items()
        }

    examples, pool = "data/raw/examples/part-00000.parquet", "data/splits/pool/part-00000.parquet"
    labeled = sources("data/splits/labeled.parquet")
    assert set(labeled) == set(pq.read_schema("data/splits/labeled.parquet").names)
    assert labeled["mean_radius"] == [(examples, "mean_radius", "IDENTITY")]
    assert labeled["label"] == [(examples, "label", "TRANSFORMATION")]
    decided = sources("data/pseudo_labels/part-00000.parquet")
    assert decided == {"example_id": [(pool, "example_id", "IDENTITY")]}
    assert all("parent" not in event["run"]["facets"] for event in ends.values())


def test_a_step_of_a_flow_run_names_it(case: Case) -> None:
    run = {"flow_run_id": "0190b6a2-3d6c-7c0e-9d4b-0a1b2c3d4e5f", "flow_run_name": "calm-owl"}
    for record in case.trace.executions:
        record.started_by = record.started_by | {"flowRun": run}
    for event in events(case):
        assert openlineage_fault(event) is None
        assert event["run"]["facets"]["parent"]["run"] == {"runId": run["flow_run_id"]}


def test_machine_labels_have_a_facet_of_their_own(case: Case) -> None:
    facets = [
        (event["job"]["name"], output["facets"][FACET])
        for event in events(case)
        for output in event["outputs"]
        if FACET in output["facets"]
    ]
    ((stage, facet),) = facets
    assert stage == "pseudo_label"
    schema = json.loads((ROOT / "selfsame/audit/machine_labels_facet.json").read_text())
    jsonschema.validate(facet, schema, jsonschema.Draft202012Validator)
    assert facet["gate"]["threshold"] == 0.6
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert (facet["accepted"], facet["rejected"]) == (
        metrics["pool"]["accepted"],
        metrics["pool"]["rejected"],
    )
    assert facet["precision"]["value"] == pytest.approx(metrics["pool"]["precision"], abs=1e-6)


def test_events_go_to_a_server(case: Case) -> None:
    taken: list[dict[str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(json.loads(body))
            self.send_response(201 if self.path == "/api/v1/lineage" else 404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        send_events(events(case), f"{address}/api/v1/lineage")
        assert taken == events(case)
        with pytest.raises(SelfsameError, match=r"event 1 of 12 was not taken: HTTP Error 404"):
            send_events(events(case), f"{address}/elsewhere")
        server.shutdown()
    with pytest.raises(SelfsameError, match="not an http address"):
        send_events(events(case), "file:///etc/passwd")


def test_bill_of_materials_is_valid_and_the_same_twice(case: Case) -> None:
    bill = bill_of_materials(case)
    bom_validator().validate(bill)
    assert bill == bill_of_materials(Case(Snapshot(), CHAMPION))
    model = bill["metadata"]["component"]
    digests = {each["name"]: each["hashes"][0]["content"] for each in model["components"]}
    assert digests == {file["path"]: file["sha256"] for file in audit_chain(case)["files"]}
    references = {each["bom-ref"] for each in bill["components"]}
    named = {each["ref"] for each in model["modelCard"]["modelParameters"]["datasets"]}
    assert "data:pseudo_labels" in named and named <= references
    assert "pkg:pypi/torch" in {reference.partition("@")[0] for reference in references}


def test_every_library_of_a_bill_has_its_hash_and_license(case: Case) -> None:
    """The hash is that of the RECORD that this very environment has; the data have their license too."""
    components = {each["name"]: each for each in bill_of_materials(case)["components"]}
    libraries = [each for each in components.values() if each["type"] == "library"]
    libraries = [each for each in libraries if each["name"] != "selfsame"]  # installed in place, if at all
    assert len(libraries) > 20
    for each in libraries:
        record = distribution(each["name"]).read_text("RECORD")
        assert record is not None
        found = sha256(record.encode()).hexdigest()
        assert each["hashes"] == [{"alg": "SHA-256", "content": found}], each["name"]
    assert components["numpy"]["licenses"] and components["torch"]["licenses"]
    assert all(each.get("licenses") for each in libraries)
    assert "Apache-2.0" in components["torch"]["licenses"][0]["expression"]
    assert components["labeled"]["licenses"] == [{"license": {"id": "CC-BY-4.0"}}]


def test_bill_of_materials_schema_refuses_an_unknown_kind_of_learning(case: Case) -> None:
    bill = bill_of_materials(case)
    bill["metadata"]["component"]["modelCard"]["modelParameters"]["approach"]["type"] = "guessing"
    assert list(bom_validator().iter_errors(bill))


def test_page_is_whole_offline_and_safe(case: Case) -> None:
    audit = audit_chain(case)
    questions = [vars(answer) for answer in answer_all(case)]
    audit["executions"][0]["started_by"]["user"] = "<script>alert(1)</script>"
    page = render_page(audit_document(case, audit, answer_all(case)))
    assert "No scoring by this model is recorded." in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert not [word for word in ("http://", "https://", "src=", "@import") if word in page]
    assert "default-src 'none'" in page
    for execution in audit["executions"]:
        assert execution["record"] in page
        assert all(file["sha256"] in page for file in execution["inputs"] + execution["outputs"])
    for one in questions:
        assert one["question"] in page.replace("&#39;", "'")


def test_graph_has_every_dependency_once_and_runs_to_the_right(case: Case) -> None:
    audit = audit_chain(case)
    graph = layout(audit)
    stages = {node["number"]: node for node in graph["nodes"]}
    edges = {(stages[edge["from"]]["stage"], stages[edge["to"]]["stage"]) for edge in graph["edges"]}
    expected = set()
    for execution in audit["executions"]:
        for file in (file for file in execution["inputs"] if file["origin"].startswith("lineage/")):
            expected.add((Path(file["origin"]).parent.name, execution["stage"]))
    assert edges == expected and len(graph["edges"]) == len(expected)
    assert all(stages[edge["from"]]["x"] < stages[edge["to"]]["x"] for edge in graph["edges"])
    assert len({(node["x"], node["y"]) for node in graph["nodes"]}) == len(stages)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_the_data_are_described_as_croissant_wants_it(case: Case) -> None:
    """Validated by its reference library; files, digests and columns are those of the tables themselves."""
    import mlcroissant

    described = croissant(case)
    found = mlcroissant.Dataset(jsonld=described).metadata
    assert not found.ctx.issues.errors and "url" not in described  # where it was published is not recorded
    files = {each.name: each.sha256 for each in found.distribution}
    tables = [*Path("data/splits").rglob("*.parquet"), *Path("data/pseudo_labels").rglob("*.parquet")]
    roles = ("labeled", "validation", "calibration", "holdout", "pool", "pseudo_labels")
    wanted = [path for path in tables if path.stem in roles or path.parent.name in roles]
    assert files == {path.as_posix(): sha256_file(path) for path in wanted}
    columns = {
        each.id.removeprefix("rows/"): {field.source.extract.column for field in each.fields}
        for each in found.record_sets
    }
    assert columns == {path.as_posix(): set(pq.read_schema(path).names) for path in wanted}


def test_the_technical_file_follows_annex_iv(case: Case) -> None:
    """Its nine parts in order; what stands in it is what the records and the metrics say; gaps are said."""
    text = technical_file(case)
    parts = re.findall(r"^## (\d)\. ", text, re.MULTILINE)
    assert parts == list("123456789")
    points = re.findall(r"^\*\*\(([a-h])\) ", text, re.MULTILINE)
    assert points == [*"abcdefgh", *"abcdefgh"]
    metrics = json.loads(Path("reports/metrics.json").read_bytes())
    assert f"| baseline | holdout | {metrics['baseline']['holdout']['accuracy']:.4f} |" in text
    assert str(case.weights) in text and "| `pseudo_label.threshold` | `0.6` |" in text
    for answer in answer_all(case):
        if answer.number in (1, 2, 3, 4, 5, 7, 8, 10, 11, 13, 14, 15):
            assert answer.answer in text
    assert text.count(BY_A_PERSON) >= 14
    assert "no scoring by this model is recorded" in text
