"""What a stage's code wants its provenance record to say of this execution, beyond what anyone can see."""

from typing import Any

_notes: dict[str, Any] = {}


def note(**facts: Any) -> None:
    """Have the record of the running stage say ``facts``, values of JSON."""
    _notes.update(facts)


def take_notes() -> dict[str, Any]:
    """Return what was noted since the last call."""
    taken = dict(_notes)
    _notes.clear()
    return taken
