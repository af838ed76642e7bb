"""The way back: from any artifact, by digest, through the records, to the bytes it all began with."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from selfsame.audit.records import Problem, Record, read_lineage
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.observe.git import committed_sha256

FROM_GIT = "git "  # begins the origin of a file that a commit has
SHOWN_FILES = 8  # of one folder, in text
SHORT = 12  # hex digits of a digest in text; JSON has all of them


@dataclass
class Trace:
    """What was found on the way back from some files.

    Attributes:
        executions: every execution in the files' past, the first one first.
        origin: where each file of the past came from: a record's path, or the git commit that has it.
        repeats: for every execution, by its record's path, how many later ones made the same bytes.
        gaps: files that neither a record nor git accounts for, as path → sha256.
    """

    executions: list[Record] = field(default_factory=list)
    origin: dict[tuple[str, str], str] = field(default_factory=dict)
    repeats: dict[Path, int] = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)


class Walker:
    """Follows digests through the records.

    Several executions may have made the same bytes (a repeat, or a stage whose code changed without
    effect, while DVC restores either from its cache): the past of a file is the earliest of them, where
    the bytes were first computed. The files that one reader took are looked up together, because the
    outputs of an execution belong together: taken one by one, a small file that many executions have in
    common would lead to the wrong one.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = list(records)  # oldest first
        self._makers: dict[tuple[str, str], list[int]] = {}
        self._names: dict[str, list[str]] = {}
        for index, record in enumerate(self._records):
            for name, digest in record.outputs.items():
                self._makers.setdefault((name, digest), []).append(index)
                self._names.setdefault(digest, []).append(name)

    def trace(self, files: Mapping[str, str]) -> Trace:
        """Walk back from ``files`` (path → sha256) that executions have written."""
        trace = Trace()
        self._follow(files, None, trace)
        return trace

    def known_name(self, path: str, sha256: str) -> str:
        """Return ``path`` if the records know these bytes by it, or not at all; else their first name."""
        names = self._names.get(sha256, [path])
        return path if path in names else names[0]

    def _follow(self, files: Mapping[str, str], reader: Record | None, trace: Trace) -> None:
        remaining = dict(files)
        while makers := Counter(index for file in remaining.items() for index in self._makers.get(file, ())):
            first = max(makers, key=lambda index: (makers[index], -index))
            record = self._records[first]
            made = remaining.items() & record.outputs.items()
            remaining = {name: digest for name, digest in remaining.items() if (name, digest) not in made}
            trace.origin |= dict.fromkeys(made, record.path.as_posix())
            if record.path not in trace.repeats:
                others = (self._records[index].outputs.items() for index in makers if index != first)
                trace.repeats[record.path] = sum(made <= outputs for outputs in others)
                self._follow(record.inputs, record, trace)
                trace.executions.append(record)
        for name, digest in remaining.items():
            commit = reader.git.get("commit") if reader else None
            if commit and committed_sha256(commit, name) == digest:
                trace.origin[name, digest] = f"{FROM_GIT}{commit}"
            else:
                trace.gaps[name] = digest


def audit_chain(path: Path) -> dict[str, Any]:
    """Return the whole past of a file or folder of this project, as values that JSON can hold.

    Raises:
        SelfsameError: there is nothing at ``path``.
    """
    digests = {_in_project(file): sha256_file(file) for file in files_under(path)}
    if not digests:
        raise SelfsameError(f"{path}: no such artifact", "name a file or folder; 'dvc checkout' restores one")
    records, problems = read_lineage()
    walker = Walker(records)
    # A copy that was handed out has the past of the bytes that it is a copy of. In the project a file must
    # be known by its own name, or a lost record would hide behind whatever has the same bytes.
    known = {
        name: walker.known_name(name, digest) if Path(name).is_absolute() else name
        for name, digest in digests.items()
    }
    trace = walker.trace({known[name]: digest for name, digest in digests.items()})
    return {
        "artifact": path.as_posix(),
        "files": [
            {
                "path": name,
                "sha256": digest,
                "known_as": known[name],
                "origin": trace.origin.get((known[name], digest)),
            }
            for name, digest in digests.items()
        ],
        "problems": [asdict(problem) for problem in [*problems, *map(gap_problem, trace.gaps.items())]],
        "executions": [_execution(record, trace) for record in trace.executions],
    }


def gap_problem(gap: tuple[str, str]) -> Problem:
    """Say that nothing tells where a file (path, sha256) came from."""
    path, digest = gap
    return Problem(
        "chain",
        path,
        "a record of the execution that made it, or a commit that has it",
        f"no record of sha256 {digest}",
        "run its stage again with 'dvc repro --force', or commit it if it is a source",
    )


def format_chain(chain: dict[str, Any]) -> str:
    """Return the chain as text for a person: problems first, then every execution in order."""
    executions, problems = chain["executions"], chain["problems"]
    lines = [f"{chain['artifact']} (files: {len(chain['files'])}, executions behind them: {len(executions)})"]
    if problems:
        lines += [f"problems: {len(problems)}", *(f"  {Problem(**problem)}" for problem in problems)]
    else:
        lines.append("no gaps: every file leads back to the first stage or to a commit")
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


def _execution(record: Record, trace: Trace) -> dict[str, Any]:
    return {
        "stage": record.stage,
        "record": record.path.as_posix(),
        "repeats": trace.repeats[record.path],
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


def _files(digests: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"path": name, "sha256": digest} for name, digest in digests.items()]


def _in_project(path: Path) -> str:
    """Name a file as the records do, relative to the project's root; outside of it by its whole path."""
    absolute, root = path.absolute(), Path.cwd()
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()


def _short(sha256: str) -> str:
    return sha256[:SHORT]


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in values.items())


def _origin_words(origin: str | None) -> str:
    if origin is None:
        return "no record"
    if origin.startswith(FROM_GIT):
        return f"from commit {_short(origin.removeprefix(FROM_GIT))}"
    record = Path(origin)
    return f"from {record.parent.name}, record {_short(record.stem)}"


def _git_words(git: dict[str, Any]) -> str:
    if "absent" in git:
        return f"none: {git['absent']}"
    changed = f"but changed: {' '.join(git['changed'])}" if git["dirty"] else "as committed"
    return f"{_short(git['commit'])}, {changed}"
