"""What differs between two sets of values."""

from collections.abc import Mapping
from typing import Any

from selfsame.dag.nested import MISSING


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return key → value before and after, for those that differ."""
    keys = sorted(before.keys() | after.keys())
    pairs = {key: [before.get(key, MISSING), after.get(key, MISSING)] for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
