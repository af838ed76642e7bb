"""What differs between two sets of values."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = "absent"


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested objects with their dotted keys."""
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, item in value.items():
        yield from leaves(item, f"{key}.{name}" if key else str(name))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return key → value before and after, for those that differ."""
    keys = sorted(before.keys() | after.keys())
    pairs = {key: [before.get(key, ABSENT), after.get(key, ABSENT)] for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
