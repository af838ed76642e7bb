"""The data behind a model in Croissant's words: files with their digests, and the columns of the tables."""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.audit.case import NOT_RECORDED, Case
from selfsame.audit.execution import ROLES
from selfsame.audit.licenses import license_of, spdx_id
from selfsame.core.errors import SelfsameError

OWN = (  # Croissant's own words that stand for what they say
    "citeAs column equivalentProperty extract field fileObject fileProperty fileSet format includes "
    "isLiveDataset jsonPath key md5 parentField path recordSet references regex repeated replace "
    "samplingRate separator source subField transform"
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in OWN.split()},
}
FIELDS = 2000  # a table of more columns names the first of them


def croissant(case: Case) -> dict[str, Any]:
    """Describe the tables of roles behind the model under audit, Croissant 1.0.

    Raises:
        SelfsameError: no table is behind it.
    """
    manifest = case.held("manifest").document("manifest") or {}
    terms = license_of(manifest)
    known = spdx_id(terms or "")
    files: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for role in (*ROLES, "pseudo_labels"):
        held = case.held(role)
        parts = held.parts(role) if held.has_table(role) else None
        if not parts:
            continue
        schema = pq.read_schema(parts[0])
        for name, digest in held.named(role, ".parquet").items():
            files.append(
                {
                    "@type": "cr:FileObject",
                    "@id": name,
                    "name": name,
                    "contentUrl": name,
                    "encodingFormat": "application/x-parquet",
                    "sha256": digest,
                }
            )
            records.append(_record_set(role, name, schema))
    if not files:
        raise SelfsameError(f"{case.artifact}: no table is behind it", "see 'selfsame audit'")
    named = {(file["name"], file["sha256"]) for file in files}
    made = [each.finished for each in case.trace.executions if named & each.outputs.items()]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": manifest.get("source", NOT_RECORDED),
        "description": manifest.get("description") or manifest.get("origin", NOT_RECORDED),
        **({"url": manifest["source_url"]} if manifest.get("source_url") else {}),
        "license": f"https://spdx.org/licenses/{known}" if known else terms or NOT_RECORDED,
        "dateCreated": f"{max(made):%Y-%m-%d}",  # when it was published, if it was, is not recorded
        "version": "1.0.0",
        "distribution": files,
        "recordSet": records,
    }


def _record_set(role: str, file: str, schema: pa.Schema) -> dict[str, Any]:
    """Describe a table's columns; of several parts each is a set of its own, named after its file."""
    return {
        "@type": "cr:RecordSet",
        "@id": f"rows/{file}",
        "name": f"rows of {file}",
        "description": f"Role {role}.",
        "field": [_field(file, place, field) for place, field in enumerate(list(schema)[:FIELDS])],
    }


def _field(file: str, place: int, field: pa.Field) -> dict[str, Any]:
    kind, repeated = field.type, False
    while pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind):
        kind, repeated = kind.value_type, True
    names = (
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
    )
    return {
        "@type": "cr:Field",
        "@id": f"rows/{file}/{place}",  # an id has no spaces
        "name": field.name,
        "dataType": next((name for fits, name in names if fits(kind)), "sc:Text"),
        **({"repeated": True} if repeated else {}),
        "source": {"fileObject": {"@id": file}, "extract": {"column": field.name}},
    }
