"""Nested objects, as parameters and metrics are, compared and listed by dotted keys."""

from collections.abc import Iterator, Mapping
from typing import Any

MISSING = "absent"  # how a value that isn't there is shown


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of nested objects with their dotted keys."""
    if not isinstance(value, Mapping):
        yield key, value
        return
    for name, item in value.items():
        yield from leaves(item, f"{key}.{name}" if key else str(name))


def differences(key: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the leaves in which two values of one parameter differ, named by their dotted key."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        if before != after:
            yield key, before, after
        return
    for name in dict.fromkeys([*before, *after]):
        yield from differences(
            f"{key}.{name}" if key else str(name), before.get(name, MISSING), after.get(name, MISSING)
        )


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return key → value before and after, for those that differ."""
    keys = sorted(before.keys() | after.keys())
    pairs = {key: [before.get(key, MISSING), after.get(key, MISSING)] for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
