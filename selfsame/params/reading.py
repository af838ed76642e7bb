"""The strict reading of ``params.yaml``: whatever is wrong is named, with what would be right.

A schema is a ``Section``, or an ``Annotated`` union of them that are told apart by one key, the tag. One of
them has a default for it: it is the one that is meant where the tag isn't written.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.core.params import Section

Schemas = Mapping[str, Any]


def load_section(name: str, schema: Any) -> Any:
    """Read one section of ``params.yaml`` alone, checked; the others' modules need not be imported.

    Raises:
        SelfsameError: naming everything that is wrong with it.
    """
    written = read_yaml(PARAMS_FILE)
    return parse(name, schema, written.get(name, {}) if isinstance(written, dict) else written)


def check_sections(
    written: Any, schemas: Schemas, optional: Iterable[str] = (), name: str = PARAMS_FILE.name
) -> dict[str, Section]:
    """Check every section on its own.

    Args:
        written: the content of the file ``name``.
        optional: sections that need not be written.

    Raises:
        SelfsameError: naming every key that is unknown, missing, mistyped or out of range.
    """
    if not isinstance(written, dict):
        raise SelfsameError(f"{name}: expected sections, found {written!r}", "see presets/ for examples")
    sections: dict[str, Section] = {}
    problems = [
        f"{section}: unknown section" + nearest(str(section), schemas)
        for section in written
        if section not in schemas
    ]
    for section, schema in schemas.items():
        if section not in written and section not in optional:
            problems.append(f"{section}: missing section; with all its defaults: '{section}: {{}}'")
            continue
        try:
            value = with_tags(schema, written.get(section, {}))
            sections[section] = TypeAdapter(schema).validate_python(value)
        except ValidationError as error:
            # Of a key that may be one thing or another, pydantic tells of every one that it isn't.
            problems += dict.fromkeys(_problem(section, schema, dict(detail)) for detail in error.errors())
    refuse(problems, name)
    return sections


def parse(section: str, schema: Any, written: Any, name: str = PARAMS_FILE.name) -> Any:
    """Check one section.

    Raises:
        SelfsameError: naming everything that is wrong with it.
    """
    return check_sections({section: written}, {section: schema}, name=name)[section]


def json_schema(schemas: Schemas, optional: Iterable[str] = ()) -> dict[str, Any]:
    """Return the JSON schema of ``params.yaml``, which editors use for completion."""
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    for section, schema in schemas.items():
        properties[section] = TypeAdapter(schema).json_schema(ref_template="#/$defs/{model}")
        definitions.update(properties[section].pop("$defs", {}))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml",
        "type": "object",
        "properties": properties,
        "required": [section for section in properties if section not in optional],
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
    }


def shapes_of(schema: Any) -> tuple[str | None, dict[str, type[Section]]]:
    """Return the tag of a schema and its shapes by the tag's values; one shape without a tag."""
    if isinstance(schema, FieldInfo):
        tag, union = schema.discriminator, schema.annotation
    elif isinstance(schema, type):
        tag, union = None, schema
    else:
        union, *notes = get_args(schema)
        tag = next((note.discriminator for note in notes if isinstance(note, FieldInfo)), None)
    if isinstance(tag, str):
        shapes = get_args(union)
        return tag, {
            value: shape for shape in shapes for value in get_args(shape.model_fields[tag].annotation)
        }
    return None, {"": union} if isinstance(union, type) and issubclass(union, Section) else {}


def refuse(problems: Iterable[str], name: str = PARAMS_FILE.name) -> None:
    """Raise one error that names all problems of the file ``name``, if there are any."""
    if told := [f"{name}: {problem}" for problem in problems]:
        raise SelfsameError(
            "\n".join(told), f"correct {name}; docs/params.md lists every key, presets/ has examples"
        )


def with_tags(schema: Any, written: Any) -> Any:
    """Return what is written, with each tag that isn't, here or in a group of keys, at its default."""
    tag, shapes = shapes_of(schema)
    if not shapes or not isinstance(written, dict):
        return written
    found = written
    if tag is not None:
        defaults = [shape.model_fields[tag].get_default() for shape in shapes.values()]
        found = {tag: next(value for value in defaults if isinstance(value, str)), **written}
    named = found.get(tag) if tag else ""
    shape = shapes.get(named) if isinstance(named, str) else None
    fields = shape.model_fields if shape else {}
    return {key: with_tags(fields[key], value) if key in fields else value for key, value in found.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or else all of them."""
    names = list(known)
    matches = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; nearest valid name: {matches[0]}" if matches else f"; valid names: {', '.join(names)}"


def _problem(section: str, schema: Any, detail: dict[str, Any]) -> str:
    """Say in one line what is wrong with one key: key, value, what is allowed, nearest name."""
    keys, shape, rest, tagged = _walk(schema, list(detail["loc"]))
    key, value, kind = ".".join([section, *keys, *map(str, rest[:1])]), detail["input"], detail["type"]
    if kind.startswith("union_tag"):
        tag, shapes = shapes_of(shape.model_fields[rest[0]] if shape and rest else schema)
        if isinstance(value, dict) and tag in value:
            return f"{key}.{tag} = {value[tag]!r}: unknown{nearest(str(value[tag]), shapes)}"
        return f"{key}.{tag}: missing (allowed: one of {', '.join(shapes)})"
    if not isinstance(value, dict) and kind.startswith("model_"):
        return f"{key} = {value!r}: is a group of keys, which may be empty: {{}}"
    if not rest or shape is None:
        return f"{key} = {value!r}: {_words(detail)}"
    last = str(rest[0])
    if kind == "extra_forbidden":
        return f"{key} = {value!r}: " + (tagged(last) or f"unknown key{nearest(last, shape.model_fields)}")
    if last not in shape.model_fields:
        return f"{key} = {value!r}: {_words(detail)}"
    entry = shape.model_json_schema()["properties"][last]
    told = f" (allowed: {allowed(entry)})"
    if kind == "missing":
        return f"{key}: missing{told}"
    if len(rest) > 1 and isinstance(rest[1], str) and "anyOf" in entry:
        return f"{key} = {value!r}: is none of what it can be{told}"
    if len(rest) > 1 and entry.get("type") in ("object", "array"):
        return f"{'.'.join([key, *map(str, rest[1:])])} = {value!r}: {_words(detail)}"
    return f"{key} = {value!r}: {_words(detail)}{told}"


def _walk(
    place: Any, location: list[Any]
) -> tuple[list[str], type[Section] | None, list[Any], Callable[[str], str]]:
    """Follow an error's location through groups of keys.

    Returns:
        The keys passed, the shape that was reached, what is left of the location, and what says of a key that
        this shape doesn't have to which other shapes it belongs.
    """
    keys: list[str] = []
    while True:
        tag, shapes = shapes_of(place)
        value = "" if tag is None else str(location.pop(0)) if location and location[0] in shapes else None
        if value is None:
            return keys, None, location, str
        shape = shapes[value]

        def tagged(key: str, tag: str | None = tag, value: str = value, shapes: Any = shapes) -> str:
            others = [name for name, other in shapes.items() if key in other.model_fields]
            return f"means nothing with {tag} = {value}; it belongs to {', '.join(others)}" if others else ""

        inner = shape.model_fields.get(str(location[0])) if len(location) > 1 else None
        if inner is None or not shapes_of(inner)[1]:
            return keys, shape, location, tagged
        keys.append(location.pop(0))
        place = inner


def _words(detail: dict[str, Any]) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def allowed(entry: dict[str, Any]) -> str:
    """Describe a key's type and range from its JSON schema."""
    words = []
    for option in entry.get("anyOf", [entry]):
        if "enum" in option or "const" in option:
            words.append("one of " + ", ".join(map(str, option.get("enum", [option.get("const")]))))
            continue
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
        words.append(" ".join([option.get("type", "value"), *([" and ".join(bounds)] if bounds else [])]))
    return " or ".join(words)
