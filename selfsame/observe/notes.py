"""What a stage's code wants its provenance record to say of this execution, beyond what anyone can see."""

from typing import Any

_notes: list[dict[str, Any]] = []


def note(**facts: Any) -> None:
    """Have the record of the running stage say ``facts``, values of JSON that belong together."""
    _notes.append(facts)


def take_notes() -> list[dict[str, Any]]:
    """Return what was noted since the last call."""
    taken = list(_notes)
    _notes.clear()
    return taken
