"""The strict reader of ``params.yaml``.

A section's schema stands in the module that reads it; here is only what all of them share. Every key
must be written out and every key must be known, so that a misspelt one can't be ignored silently.
"""

import difflib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import PARAMS_FILE, read_yaml, stage_names

# Sections that no stage reads: editing one reruns nothing.
SETTINGS = (
    "selfsame.observe.settings",
    "selfsame.operation.settings",
    "selfsame.active.settings",
    "selfsame.trials.settings",
)


class Section(BaseModel):
    """One section of ``params.yaml``; subclasses name its keys, their types and ranges."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


Schemas = Mapping[str, type[Section]]


def all_schemas() -> dict[str, type[Section]]:
    """Collect every section's schema: of the stages that ``dvc.yaml`` names, and of what is around them."""
    schemas: dict[str, type[Section]] = {}
    for module in (*(f"tasks.{stage}" for stage in stage_names()), *SETTINGS):
        schemas.update(import_module(module).PARAMS)
    return schemas


def load_params(schemas: Schemas, path: Path = PARAMS_FILE) -> dict[str, Section]:
    """Read and check the whole of ``params.yaml``."""
    return check_params(read_yaml(path), schemas, path)


def check_params(written: Any, schemas: Schemas, path: Path = PARAMS_FILE) -> dict[str, Section]:
    """Check what is, or would be, written in ``params.yaml``.

    Raises:
        SelfsameError: naming every key that is unknown, missing, mistyped or out of range.
    """
    if not isinstance(written, dict):
        raise SelfsameError(f"{path}: expected sections, found {written!r}", "see presets/ for examples")
    sections: dict[str, Section] = {}
    problems = [
        f"{name}: unknown section" + _nearest(str(name), schemas) for name in written if name not in schemas
    ]
    for name, schema in schemas.items():
        if name not in written:
            problems.append(f"{name}: missing section with the keys {', '.join(schema.model_fields)}")
            continue
        try:
            sections[name] = schema.model_validate(written[name])
        except ValidationError as error:
            # Of a key that may be one thing or another, pydantic tells of every one that it isn't.
            problems += dict.fromkeys(_problem(name, schema, dict(detail)) for detail in error.errors())
    if problems:
        raise SelfsameError(
            "\n".join(f"{path}: {problem}" for problem in problems),
            f"correct {path}; complete examples are in presets/",
        )
    return sections


def json_schema(schemas: Schemas) -> dict[str, Any]:
    """Return the JSON schema of ``params.yaml``, which editors use for completion."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for name, schema in schemas.items():
        properties[name] = schema.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(properties[name].pop("$defs", {}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
    }


def _problem(section: str, schema: type[Section], detail: dict[str, Any]) -> str:
    """Say in one line what is wrong with one key: key, value, what is allowed, nearest name."""
    location = [str(part) for part in detail["loc"]]
    key = ".".join([section, *location])
    if detail["type"] == "extra_forbidden":
        return f"{key} = {detail['input']!r}: unknown key" + _nearest(location[-1], schema.model_fields)
    field = schema.model_fields.get(location[0]) if location else None
    allowed = _allowed(schema, location[0]) if field else ""
    if detail["type"] == "missing":
        return f"{key}: missing{allowed}"
    if len(location) > 1 and _is_choice(schema, detail["loc"]):
        return f"{section}.{location[0]} = {detail['input']!r}: is none of what it can be{allowed}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key} = {detail['input']!r}: {message[0].lower()}{message[1:]}{allowed}"


def _is_choice(schema: type[Section], location: tuple[str | int, ...]) -> bool:
    """Tell whether an error's location is a key and the name of one of several types that it can have."""
    return isinstance(location[1], str) and "anyOf" in schema.model_json_schema()["properties"][location[0]]


def _allowed(schema: type[Section], key: str) -> str:
    """Describe a key's type and range from its JSON schema."""
    entry = schema.model_json_schema()["properties"][key]
    options = entry.get("anyOf", [entry])
    words = []
    for option in options:
        if "enum" in option or "const" in option:
            words.append("one of " + ", ".join(map(str, option.get("enum", [option.get("const")]))))
            continue
        word = option.get("type", "value")
        bounds = [
            f"{sign} {option[bound]}"
            for bound, sign in (
                ("minimum", "≥"),
                ("exclusiveMinimum", ">"),
                ("maximum", "≤"),
                ("exclusiveMaximum", "<"),
            )
            if bound in option
        ]
        words.append(" ".join([word, *([" and ".join(bounds)] if bounds else [])]))
    return f" (allowed: {' or '.join(words)})"


def _nearest(name: str, known: Any) -> str:
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; nearest valid name: {matches[0]}" if matches else f"; valid names: {', '.join(known)}"
