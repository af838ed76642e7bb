"""How often the holdout was read: by which executions, and after which choice."""

from typing import Any

from selfsame.audit.case import Case
from selfsame.audit.records import Record


def holdout_reads(case: Case) -> list[dict[str, Any]]:
    """Return every recorded execution that read the holdout rows by which the model was measured, in order.

    ``choice`` is what the execution had chosen before it opened them, with the digest of that; None if it
    recorded none. ``own`` is the one that measured this model.
    """
    if case.judged is None:
        return []
    rows = case.judged.read.named("holdout", ".parquet").items()
    return [
        {
            "record": record.path.as_posix(),
            "finished": record.finished.isoformat(),
            "choice": _choice(record),
            "own": record.path == case.judged.record.path,
        }
        for record in case.snapshot.lineage[0]
        if rows and rows <= record.inputs.items()
    ]


def _choice(record: Record) -> dict[str, Any] | None:
    return next((note["choice"] for note in record.notes if "choice" in note), None)


def ledger_words(reads: list[dict[str, Any]]) -> str:
    """Say it for a person."""
    if not reads:
        return "No recorded run read the holdout."
    before = [each["own"] for each in reads].index(True)
    own = reads[before]["choice"]
    chosen = (
        f"this one had chosen the {own['champion']} before it opened them (choice {own['sha256'][:12]})"
        if own
        else "when this one made its choice is not recorded"
    )
    others = len({each["choice"]["sha256"] for each in reads if each["choice"]} - {own and own["sha256"]})
    return (
        f"Runs that read the same holdout rows: {len(reads)}, of which {before} before this one and "
        f"{len(reads) - before - 1} after it, with {others} other choices; {chosen}."
    )
