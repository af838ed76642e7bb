"""The records as a whole: nothing added to the past, nothing taken from it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from selfsame.audit.attestations import TAKE_BACK
from selfsame.audit.records import Problem, Record
from selfsame.core.layout import LINEAGE
from selfsame.git import ever

CLOCKS = timedelta(minutes=5)  # by which two machines' clocks may differ


def check_history(records: list[Record]) -> Iterator[Problem]:
    """Hold the records against what they say of each other, and against git's log of ``lineage/``.

    Records are only ever added. One that a commit had must be there; one that a later record names as before
    it too, also if no commit ever had it; and none can have ended before one that it names.
    """
    present = {record.path.stem: record for record in records}
    taken = ever("D", LINEAGE.as_posix())
    added = {Path(name).stem for name in ever("A", LINEAGE.as_posix()) if name.endswith(".json")}
    for name, commit in taken.items():
        if Path(name).stem not in present and name.endswith(".json"):
            found = f"nothing since commit {commit.id[:12]} of {commit.author}"
            yield Problem("history", name, "a record that was committed", found, TAKE_BACK.format(name))
    deleted = {Path(name).stem for name in taken}
    for record in records:
        for digest in record.previous:
            before = present.get(digest)
            if before is None and digest not in deleted:
                kind = "history" if digest in added else "chain"
                expected = f"the record of sha256 {digest}, which was the last one before it"
                found = "nothing: it was thrown away before it was committed"
                yield Problem(
                    kind, record.path.as_posix(), expected, found, "take it back, if it is anywhere"
                )
            if before is not None and record.finished + CLOCKS < before.finished:
                expected = f"an end after {before.finished.isoformat()}, that of a record it names"
                found = record.finished.isoformat()
                yield Problem("history", record.path.as_posix(), expected, found, "see who committed it")
    yield from _contradictions(records)


def _contradictions(records: Iterable[Record]) -> Iterator[Problem]:
    """Name executions that made other bytes than one before them that had all in common with them.

    A GPU may do that, and another processor: then it is no contradiction.
    """
    asked: dict[tuple[str, ...], list[Record]] = defaultdict(list)
    for record in records:
        where = record.environment
        if not where["hardware"]["gpus"]:
            machine = {key: where["hardware"].get(key) for key in ("cpu", "cpuCount")}
            parts = (record.inputs, record.code, record.params, where["packages"], where["platform"], machine)
            asked[record.stage, record.command, *map(repr, parts)].append(record)
    for first, *others in asked.values():
        for other in others:
            if other.outputs != first.outputs:
                names = sorted(name for name, _ in other.outputs.items() ^ first.outputs.items())
                expected = f"the same {names[0]} as in {first.path}, made of the same by the same"
                fix = "run the stage again: 'dvc repro --force' tells which of the two is true"
                yield Problem("history", other.path.as_posix(), expected, "other bytes", fix)
