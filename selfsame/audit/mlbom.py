"""The model and its past as a CycloneDX 1.7 bill of materials, with a model card."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from selfsame.audit.case import NOT_RECORDED, Case
from selfsame.audit.execution import Execution
from selfsame.audit.licenses import license_of, spdx_id
from selfsame.audit.questions import answer_all
from selfsame.audit.records import Record
from selfsame.audit.target import target_of
from selfsame.core.errors import SelfsameError

EXPRESSION = re.compile(r"[\w.+()-]+( (AND|OR|WITH) [\w.+()-]+)+")
TABLES = ("labeled", "validation", "holdout", "pool", "pseudo_labels")


def bill_of_materials(case: Case) -> dict[str, Any]:
    """Return the bill of the model under audit; the same model gives the same bill.

    Raises:
        SelfsameError: no record tells how the model was made.
    """
    records = case.trace.executions
    if not records:
        raise SelfsameError(f"{case.artifact}: no record tells how it was made", "see 'selfsame audit'")
    digests, weights = case.digests, case.weights
    model = {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": case.artifact.as_posix(),
        "version": (weights or next(iter(digests.values())))[:12],
        **({"hashes": [_hash(weights)]} if weights else {}),
        "modelCard": _card(case),
        "components": [
            {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [_hash(digest)]}
            for name, digest in digests.items()
        ],
    }
    data = [_data(case, execution, stem) for stem, execution in _tables(case)]
    libraries = [_library(*each) for each in _packages(records)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, ''.join(sorted(digests.values())))}",
        "version": 1,
        "metadata": {"timestamp": records[-1].finished.isoformat(), "component": model},
        "components": [*data, *libraries],
        "dependencies": [
            {"ref": "model", "dependsOn": [entry["bom-ref"] for entry in [*data, *libraries]]},
        ],
    }


def _tables(case: Case) -> list[tuple[str, Execution]]:
    """Return the tables that the model rests on, each with the execution that wrote it."""
    return [
        (stem, execution)
        for stem in TABLES
        if any(each.read.has_table(stem) for each in case.executions)
        for execution in case.executions
        if execution.wrote.has_table(stem)
    ]


def _data(case: Case, execution: Execution, stem: str) -> dict[str, Any]:
    manifest = case.held("manifest").document("manifest") or {}
    origin, files = manifest.get("origin", NOT_RECORDED), execution.wrote.named(stem, ".parquet")
    return {
        "type": "data",
        "bom-ref": f"data:{stem}",
        "name": stem,
        "description": f"Written by stage {execution.record.stage}; source: {origin}",
        **licensed(license_of(manifest)),
        "components": [
            {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [_hash(digest)]}
            for name, digest in files.items()
        ],
        "data": [{"type": "dataset", "name": stem}],
    }


def _packages(records: list[Record]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return name, version and what else is recorded of every package that an execution imported.

    Older records say only what was installed.
    """
    found: dict[str, Any] = {}
    for record in records:
        installed = record.environment["packages"]
        imported = record.environment.get("imported") or {name: {} for name in installed}
        found |= {(name, installed[name]): known for name, known in imported.items()}
    return [(*package, found[package]) for package in sorted(found)]


def _library(name: str, version: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return a package; its hash is that of its RECORD, which lists all its files with their digests."""
    return {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        **({"hashes": [_hash(known["record"])]} if known.get("record") else {}),
        **licensed(known.get("license")),
    }


def licensed(name: str | None) -> dict[str, Any]:
    """Return a component's license: by its SPDX id or expression, else by name; nothing if none is known."""
    if not name:
        return {}
    if EXPRESSION.fullmatch(name):
        return {"licenses": [{"expression": name}]}
    known = spdx_id(name)
    return {"licenses": [{"license": {"id": known} if known else {"name": name}}]}


def _card(case: Case) -> dict[str, Any]:
    model = case.params("model")
    scores = case.metrics[case.side]["holdout"] if case.side else {}
    names = {"accuracy": "accuracy", "macro_f1": "macro F1", "r2": "R2", "mae": "MAE", "rmse": "RMSE"}
    performance = [
        {"type": word, "value": str(scores[name]), "slice": "holdout", **_interval(scores, name)}
        for name, word in names.items()
        if name in scores
    ]
    training = case.training
    learned = training is not None and training.method != "supervised"
    family = case.metrics["reference"]["name"] if case.side == "reference" else model.get("architecture")
    return {
        "modelParameters": {
            "approach": {"type": "semi-supervised" if learned else "supervised"},
            "task": target_of(case).kind,
            **({"architectureFamily": family} if family else {}),
            "datasets": [{"ref": f"data:{stem}"} for stem, _ in _tables(case)],
        },
        **({"quantitativeAnalysis": {"performanceMetrics": performance}} if scores else {}),
        "properties": [
            {"name": f"selfsame:question:{one.number}", "value": f"{one.question} {one.answer}"}
            for one in answer_all(case)
        ],
    }


def _interval(scores: dict[str, Any], name: str) -> dict[str, Any]:
    if f"{name}_low" not in scores:
        return {}
    bounds = {"lowerBound": str(scores[f"{name}_low"]), "upperBound": str(scores[f"{name}_high"])}
    return {"confidenceInterval": bounds}


def _hash(sha256: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": sha256}
