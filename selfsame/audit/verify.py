"""Whether a project is what it says it is: every byte, every record, every commit that it rests on."""

from collections.abc import Iterator
from pathlib import Path

from selfsame.audit.anchors import loose_code
from selfsame.audit.attestations import check_attestations, read_attestations, unsigned_records
from selfsame.audit.case import walker_of
from selfsame.audit.history import check_history
from selfsame.audit.outputs import OutputCheck
from selfsame.audit.receipts import returned
from selfsame.audit.records import Problem
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stale import stale
from selfsame.audit.stored import named_md5s
from selfsame.audit.timestamps import unstamped
from selfsame.audit.tracked import check_tracked
from selfsame.audit.verdict import Report
from selfsame.audit.walk import gap_problem
from selfsame.audit.witness import unwitnessed
from selfsame.core.layout import GRAPH_FILE, LOCK_FILE
from selfsame.git import versions_of


def verify(
    remote: bool = False,
    resume: bool = False,
    uncommitted: bool = False,
    key: Path | None = None,
    tsa: Path | None = None,
) -> Report:
    """Check the project in the current folder, all that "What `verify` checks" in docs/auditor.md lists.

    An object that the cache doesn't have is no problem of its own: ``dvc gc`` may rightly have removed it.

    Args:
        remote: read every object of the default remote too; one that is not there is a problem.
        resume: take up an interrupted run (see ``digest_files``).
        key: the public key that must have signed the attestations and the records of the chain.
        tsa: certificates of the authorities that must have stamped the records of the chain.
        uncommitted: let what git tracks differ from the commit, as it does while one works.

    Raises:
        SelfsameError: there is no readable ``dvc.lock``, no such remote, or DVC can't say where its cache is.
    """
    snapshot = Snapshot(whole=True)
    outs, deps = list(snapshot.outs.values()), [dep for stage in snapshot.lock.values() for dep in stage.deps]
    records, broken = snapshot.lineage
    named = (
        {dep.md5 for dep in deps} | _named_ever() | {md5 for record in records for md5 in record.md5.values()}
    )
    found = OutputCheck(outs, named).run(remote, resume)
    trace = walker_of(snapshot).trace(found.sound)
    problems = [*found.problems, *_unlocked(snapshot), *broken, *map(gap_problem, trace.gaps.items())]
    problems += [*unwitnessed(snapshot), *check_history(records), *stale(snapshot)]
    problems += [*check_attestations(key), *returned(snapshot)]
    problems += unsigned_records(trace.executions, key) if key else []
    problems += unstamped(trace.executions, records, tsa) if tsa else []
    checked = found.checked | {
        "records": len(records) + len(broken),
        "executions in the chain": len(trace.executions),
        **({"attestations": attested} if (attested := len(read_attestations()[0])) else {}),
    }
    if not uncommitted:
        problems += loose_code(trace.executions, snapshot.commit)
        at_fault = {problem.path for problem in [*found.problems, *broken]}
        made = {out.path for out in outs}
        tracked, changed = check_tracked({dep.path for dep in deps} - made)
        problems += [problem for problem in changed if problem.path not in at_fault]
        checked["files as committed"] = tracked
    return Report(problems, checked)


def _named_ever() -> set[str]:
    """Return every md5 that a ``dvc.lock`` of the history names, also one that DVC couldn't read."""
    return {md5 for _, content in versions_of(LOCK_FILE.as_posix()) for md5 in named_md5s(content)}


def _unlocked(snapshot: Snapshot) -> Iterator[Problem]:
    """Name outputs that are there and of which ``dvc.lock`` knows nothing, and stages that it alone knows."""
    for name in snapshot.lock.keys() - snapshot.stages.keys():
        found = f"stage {name}, which {GRAPH_FILE} doesn't have"
        fix = f"delete its entry: 'dvc remove {name}' would have"
        yield Problem("stale", LOCK_FILE.as_posix(), f"the stages of {GRAPH_FILE} alone", found, fix)
    for spec in snapshot.stages.values():
        for path in spec.outputs:
            if path not in snapshot.outs and Path(path).exists():
                expected = f"an entry of stage {spec.name} in {LOCK_FILE}"
                yield Problem("chain", path, expected, "none", f"'dvc repro {spec.name}' makes both")
