"""The model and its past as a CycloneDX 1.6 bill of materials, with a model card."""

from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from selfsame.audit.case import Case
from selfsame.audit.questions import answer_all
from selfsame.audit.records import Record
from selfsame.audit.rows import reads
from selfsame.audit.values import is_regression
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import WEIGHTS

ROLES = ("labeled", "validation", "holdout", "pool", "pseudo_labels")


def bill_of_materials(case: Case) -> dict[str, Any]:
    """Return the bill of the model under audit; the same model gives the same bill.

    Raises:
        SelfsameError: no record tells how the model was made.
    """
    records = case.trace.executions
    if not records:
        raise SelfsameError(f"{case.artifact}: no record tells how it was made", "see 'selfsame audit'")
    digests = case.snapshot.digests(case.artifact)
    weights = next((sha for name, sha in digests.items() if Path(name).name == WEIGHTS), None)
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
    data = [_data(case, record, path) for record, path in _tables(case, records)]
    packages = records[-1].environment["packages"]
    libraries = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
        }
        for name, version in packages.items()
    ]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, ''.join(sorted(digests.values())))}",
        "version": 1,
        "metadata": {"timestamp": records[-1].finished.isoformat(), "component": model},
        "components": [*data, *libraries],
        "dependencies": [
            {"ref": "model", "dependsOn": [entry["bom-ref"] for entry in [*data, *libraries]]},
        ],
    }


def _tables(case: Case, records: list[Record]) -> list[tuple[Record, str]]:
    """Return the tables that the model rests on, each with the execution that wrote it."""
    found = []
    for role in ROLES:
        path = case.snapshot.path_of(role)
        if path is None or not any(reads(record, path) for record in records):
            continue
        makers = [r for r in records if any(n == path or n.startswith(f"{path}/") for n in r.outputs)]
        found += [(maker, path) for maker in makers]
    return found


def _data(case: Case, record: Record, path: str) -> dict[str, Any]:
    manifest = case.snapshot.document("manifest") or {}
    files = {n: digest for n, digest in record.outputs.items() if n == path or n.startswith(f"{path}/")}
    return {
        "type": "data",
        "bom-ref": f"data:{path}",
        "name": path,
        "description": f"Written by stage {record.stage}; source: {manifest.get('origin', 'not recorded')}",
        "components": [
            {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": [_hash(digest)]}
            for name, digest in files.items()
        ],
        "data": [{"type": "dataset", "name": Path(path).stem}],
    }


def _card(case: Case) -> dict[str, Any]:
    model = case.params("model")
    metrics = case.metrics
    champion = metrics.get("champion")
    scores = metrics[champion]["holdout"] if champion else {}
    names = {"accuracy": "accuracy", "macro_f1": "macro F1", "r2": "R2", "mae": "MAE", "rmse": "RMSE"}
    performance = [
        {"type": word, "value": str(scores[name]), "slice": "holdout", **_interval(scores, name)}
        for name, word in names.items()
        if name in scores
    ]
    return {
        "modelParameters": {
            "approach": {"type": "semi-supervised"},
            "task": "regression" if is_regression(case.snapshot) else "classification",
            **({"architectureFamily": model["architecture"]} if "architecture" in model else {}),
            "datasets": [{"ref": f"data:{path}"} for _, path in _tables(case, case.trace.executions)],
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
