"""Dotted keys of ``params.yaml`` with other values: of experiments, trials, repeats and searches."""

from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from selfsame.core.errors import SelfsameError
from selfsame.params.reading import shapes_of
from selfsame.params.registry import SECTIONS

Overrides = Mapping[str, Any]  # dotted keys, as pseudo_label.threshold, with their values


def with_overrides(params: Any, overrides: Overrides, said: list[str] | None = None) -> Any:
    """Return ``params``, changed in place, with each dotted key's value replaced.

    Where that makes another shape of a section, as ``retrain.method`` does, what is written for the former
    one and means nothing for the new one is left out.

    Args:
        said: gets a line for every key that is left out.

    Raises:
        SelfsameError: a key leads into something that has no keys. An unknown key is written as it is:
            the check of the whole names it.
    """
    for key, value in overrides.items():
        *path, last = key.split(".")
        place = params
        for part in path:
            place = place.setdefault(part, {}) if isinstance(place, dict) else None
        if not isinstance(place, dict):
            raise SelfsameError(
                f"override {key} = {value!r}: {'.'.join(path)} has no keys", "see params.yaml"
            )
        place[last] = value
        for name in _meaningless(path, last, place):
            full = ".".join([*path, name])
            if full not in overrides:
                del place[name]
                if said is not None:
                    said.append(f"{full} is left out: it means nothing with {last} = {value}")
    return params


def _meaningless(path: Sequence[str], tag: str, place: Mapping[str, Any]) -> list[str]:
    """Return the keys at a place that its shape doesn't have, if ``tag`` has chosen a shape there."""
    schema = SECTIONS.get(path[0]) if path else None
    for part in path[1:]:
        fields = [shape.model_fields for shape in shapes_of(schema)[1].values()]
        schema = next((each[part] for each in fields if part in each), None)
    found, shapes = shapes_of(schema) if schema is not None else (None, {})
    shape = shapes.get(str(place[tag])) if found == tag else None
    others = {key for other in shapes.values() for key in other.model_fields}
    return [key for key in place if key in others and key not in shape.model_fields] if shape else []


def parse_overrides(settings: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` as a command line gives it; the value as ``params.yaml`` would have it.

    Raises:
        SelfsameError: a setting without a ``=``, or a value that is no YAML.
    """
    overrides = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        try:
            overrides[key.strip()] = YAML(typ="safe", pure=True).load(text)
        except YAMLError:
            equals = ""
        if not equals:
            raise SelfsameError(
                f"{setting!r}: not a setting", "write key=value, as pseudo_label.threshold=0.9"
            )
    return overrides


def value_at(sections: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return what checked sections have at a dotted key: written there, or by default."""
    value = sections[path[0]]
    for part in path[1:]:
        value = getattr(value, part)
    return value
