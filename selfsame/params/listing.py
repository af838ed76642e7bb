"""What ``params.yaml`` comes to, key by key, and the page that explains every key."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from selfsame.core.layout import PARAMS_FILE
from selfsame.core.params import Section
from selfsame.params.check import check_params
from selfsame.params.reading import allowed, shapes_of
from selfsame.params.registry import AROUND, SECTIONS

HEADER = """# Every key of params.yaml

Written by `selfsame schema` from the schemas in `selfsame/params/`, a module for each section. What isn't
written in `params.yaml` has its default; `selfsame params` prints what your file comes to, and where each
value comes from. `selfsame check` tells, before anything runs, what is wrong.

* A section that stages read stays written, if need be as `compute: {}`: DVC asks for it. Those that no
  stage reads may be left out; an edit there reruns nothing.
* Some sections and groups have several shapes, told apart by one key, the tag; the first is the default. A
  key that the chosen shape doesn't have is refused.
* `selfsame run --set KEY=VALUE` takes any key; where it chooses another shape, keys of the former one are
  left out, which it says. `dvc exp run -S KEY=VALUE` changes a key that is written; one that isn't is
  added with `++`, as `-S '++training.label_smoothing=0.1'`, and one that the new shape doesn't have is
  taken away with `~`, as `-S pseudo_label.rule=target_precision -S '~pseudo_label.threshold'`.
"""


@dataclass(frozen=True)
class Value:
    """One key: its dotted name, its value, and where that comes from."""

    key: str
    value: Any
    source: str


def list_params(path: Path = PARAMS_FILE) -> list[Value]:
    """Return every key with its value: written at a line of the file, or a default.

    Raises:
        SelfsameError: naming everything that is wrong with the file.
    """
    written = YAML().load(path.read_text(encoding="utf-8"))
    sections = check_params(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")), path.name)
    return [
        value
        for name, section in sections.items()
        for value in _values(name, section, written.get(name), path)
    ]


def format_params(values: list[Value]) -> str:
    """Return the list as three columns."""
    texts = [(value.key, _text(value.value), value.source) for value in values]
    wide, high = (max(len(text[column]) for text in texts) for column in (0, 1))
    return "\n".join(f"{key:<{wide}}  {value:<{min(high, 40)}}  {source}" for key, value, source in texts)


def explain_params() -> str:
    """Return the page that explains every key: its default, what it can be, and what it does."""
    parts = [HEADER]
    for name, schema in SECTIONS.items():
        parts.append(f"## {name}\n" + "\nRead by no stage.\n" * (name in AROUND))
        parts += _tables(schema)
    return "\n".join(parts)


def _values(name: str, section: Section, written: Any, path: Path) -> Iterator[Value]:
    dumped = section.model_dump()
    for key in type(section).model_fields:
        value, there = getattr(section, key), isinstance(written, dict) and key in written
        if isinstance(value, Section):
            yield from _values(f"{name}.{key}", value, written[key] if there else None, path)
        else:
            line = f"{path}:{written.lc.key(key)[0] + 1}" if there else "default"
            yield Value(f"{name}.{key}", dumped[key], line)


def _tables(schema: Any, prefix: str = "") -> Iterator[str]:
    """Yield a table for every shape, then those of the groups in it."""
    tag, shapes = shapes_of(schema)
    for shape in dict.fromkeys(shapes.values()):
        if tag is not None:
            names = " or ".join(f"`{prefix}{tag}: {name}`" for name in shapes if shapes[name] is shape)
            yield f"{names}: {_sentence(shape.__doc__)}\n"
        rows = [row for key in shape.model_fields if key != tag for row in _row(shape, key, prefix)]
        if rows:
            yield "\n".join(["| key | default | can be | what it does |", "|---|---|---|---|", *rows, ""])
        for key, field in shape.model_fields.items():
            yield from _tables(field, f"{prefix}{key}.") if shapes_of(field)[1] else ()


def _row(shape: type[Section], key: str, prefix: str) -> Iterator[str]:
    field, entry = shape.model_fields[key], shape.model_json_schema()["properties"][key]
    group = bool(shapes_of(field)[1])
    default = "none: it must be written" if field.is_required() else f"`{_text(field.get_default())}`"
    if group:
        tag = shapes_of(field)[0]
        default = f"`{{{tag}: {getattr(field.get_default(), str(tag))}}}`"
    can = "a group of keys, below" if group else allowed(entry).replace("|", "\\|")
    yield f"| `{prefix}{key}` | {default} | {can} | {field.description} |"


def _sentence(doc: str | None) -> str:
    return (doc or "").split("\n\n", maxsplit=1)[0].replace("\n", " ").strip()


def _text(value: Any) -> str:
    match value:
        case None | bool():
            return {None: "null", True: "true", False: "false"}[value]
        case dict():
            return "{" + ", ".join(f"{key}: {_text(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_text, value)) + "]"
    return _text(value.model_dump()) if isinstance(value, Section) else str(value)
