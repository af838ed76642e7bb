"""The chain as a document: every file and every execution behind an artifact, as JSON and as text."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from selfsame.audit.anchors import loose_code, unsigned
from selfsame.audit.case import Case
from selfsame.audit.records import Problem, Record
from selfsame.audit.verdict import verdict_line, verdict_on
from selfsame.audit.walk import FROM_GIT, GIVEN, Trace, gap_problem

SHOWN_FILES = 8  # of one folder, in text
SHORT = 12  # hex digits of a digest in text; JSON has all of them


def audit_chain(case: Case) -> dict[str, Any]:
    """Return the whole past of a file or folder of this project, as values that JSON can hold.

    Raises:
        SelfsameError: there is nothing of that name.
    """
    records, problems = case.snapshot.lineage
    trace = case.trace
    loose = loose_code(trace.executions, case.snapshot.commit)
    gaps = map(gap_problem, trace.gaps.items())
    found = [*problems, *gaps, *case.stale, *loose, *unsigned(case.weights)]
    return {
        "verdict": verdict_on(found),
        "artifact": case.artifact.as_posix(),
        "revision": case.snapshot.revision,
        "commit": case.snapshot.commit,
        "files": [
            {
                "path": name,
                "sha256": digest,
                "known_as": case.known[name],
                "origin": trace.origin.get((case.known[name], digest)),
            }
            for name, digest in case.digests.items()
        ],
        "problems": [asdict(problem) for problem in found],
        "executions": [_execution(record, trace, records) for record in trace.executions],
    }


def format_verdict(chain: dict[str, Any]) -> str:
    """Return the first lines of an audit: the verdict, and what it rests on."""
    problems = [f"  {Problem(**problem)}" for problem in chain["problems"]]
    return "\n".join([verdict_line(chain["verdict"]), *problems])


def format_chain(chain: dict[str, Any]) -> str:
    """Return every execution in order as text for a person."""
    executions = chain["executions"]
    lines = [f"{chain['artifact']} (files: {len(chain['files'])}, executions behind them: {len(executions)})"]
    lines += _file_lines("  ", chain["files"])
    for number, execution in enumerate(executions, start=1):
        lines += ["", f"{number}. {execution['stage']}", *_execution_lines(execution)]
    return "\n".join(lines)


def _execution_lines(execution: dict[str, Any]) -> Iterator[str]:
    who, environment = execution["started_by"], execution["environment"]
    started = execution["started"].replace("T", " ").partition(".")[0]
    by = f"{who['user']} ({who['gitUser'] or 'no git user'})"
    yield f"   when      {started} UTC, {execution['seconds']:.1f} s, by {by}"
    if who["experiment"]:
        yield f"   within    DVC experiment {who['experiment']}"
    if who["flowRun"]:
        yield f"   within    flow run {_values(who['flowRun'])}"
    yield f"   command   {execution['command']}"
    yield f"   git       {_git_words(execution['git'])}"
    torch = environment["packages"].get("torch", "none")
    hardware = [environment["hardware"]["cpu"], *environment["hardware"]["gpus"]]
    yield f"   where     Python {environment['python']}, torch {torch}, {', '.join(hardware)}"
    for section, values in execution["params"].items():
        yield f"   params    {section}: {_values(values)}"
    folders = dict.fromkeys(Path(file["path"]).parent.as_posix() for file in execution["code"])
    yield f"   code      {len(execution['code'])} files in {', '.join(folders)}"
    yield from _file_lines("   input     ", execution["inputs"])
    if not execution["inputs"]:
        yield "   input     none: here the data enters"
    yield from _file_lines("   output    ", execution["outputs"])
    again = f"; {execution['repeats']} later ones made the same" if execution["repeats"] else ""
    if execution["restored"]:
        again += "; restored from DVC's cache since"
    yield f"   record    {execution['record']}{again}"


def _file_lines(margin: str, files: list[dict[str, Any]]) -> Iterator[str]:
    """Show each file's digest, path and what is known of its past; of a folder's many only the first."""
    for folder, held in groupby(files, key=lambda file: Path(file["path"]).parent.as_posix()):
        group = list(held)
        for file in group[:SHOWN_FILES]:
            words = ""
            if file.get("known_as", file["path"]) != file["path"]:
                words += f"   same bytes as {file['known_as']}"
            if "origin" in file:
                words += f"   {_origin_words(file['origin'])}"
            yield f"{margin}{_short(file['sha256'])}  {file['path']}{words}"
        if len(group) > SHOWN_FILES:
            yield f"{margin}and {len(group) - SHOWN_FILES} more in {folder} (--json lists all)"


def _execution(record: Record, trace: Trace, records: list[Record]) -> dict[str, Any]:
    return {
        "stage": record.stage,
        "record": record.path.as_posix(),
        "repeats": trace.repeats[record.path],
        "restored": was_restored(record, records),
        "started": record.started.isoformat(),
        "finished": record.finished.isoformat(),
        "seconds": (record.finished - record.started).total_seconds(),
        "started_by": record.started_by,
        "command": record.command,
        "git": record.git,
        "params": record.params,
        "inputs": [
            {"path": name, "sha256": digest, "origin": trace.origin.get((name, digest))}
            for name, digest in record.inputs.items()
        ],
        "code": _files(record.code),
        "outputs": _files(record.outputs),
        "environment": record.environment,
    }


def was_restored(record: Record, records: list[Record]) -> bool:
    """Tell whether the stage made something else later, so that these bytes came back from DVC's cache."""
    return any(
        other.stage == record.stage and other.started > record.started and other.outputs != record.outputs
        for other in records
    )


def _files(digests: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"path": name, "sha256": digest} for name, digest in digests.items()]


def _short(sha256: str) -> str:
    return sha256[:SHORT]


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())


def _origin_words(origin: str | None) -> str:
    if origin is None:
        return "no record"
    if origin.startswith(FROM_GIT):
        return f"from commit {_short(origin.removeprefix(FROM_GIT))}"
    if origin == GIVEN:
        return "given at data.path"
    record = Path(origin)
    return f"from {record.parent.name}, record {_short(record.stem)}"


def _git_words(git: dict[str, Any]) -> str:
    if "absent" in git:
        return f"none: {git['absent']}"
    changed = (
        f"but with other content of {' '.join(git['changed'])}" if git["dirty"] else "which has this code"
    )
    return f"{_short(git['commit'])}, {changed}"
