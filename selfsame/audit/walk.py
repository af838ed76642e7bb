"""The way back: from any artifact, by digest, through the records, to the bytes it all began with."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from selfsame.audit.records import Problem, Record
from selfsame.git import committed_sha256s, versions_of

FROM_GIT = "git "  # begins the origin of a file that a commit has
GIVEN = "given"  # the origin of a file that someone put at data.path: the chain begins with its bytes


@dataclass
class Trace:
    """What was found on the way back from some files.

    Attributes:
        executions: every execution in the files' past, the first one first.
        origin: where each file of the past came from: a record's path, the git commit that has it, or
            ``GIVEN``.
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

    Args:
        preferred: paths of records; of executions that made the same bytes, one of these comes first.
    """

    def __init__(self, records: Iterable[Record], preferred: Collection[Path] = ()) -> None:
        self._preferred = preferred
        self._records = list(records)  # oldest first
        self._makers: dict[tuple[str, str], list[int]] = {}
        self._names: dict[str, list[str]] = {}
        self._commits: dict[tuple[str, str, str | None], str | None] = {}  # asked of git once
        for index, record in enumerate(self._records):
            for name, digest in record.outputs.items():
                self._makers.setdefault((name, digest), []).append(index)
                self._names.setdefault(digest, []).append(name)

    def trace(self, files: Mapping[str, str]) -> Trace:
        """Walk back from ``files`` (path → sha256) that executions have written."""
        trace = Trace()
        self._follow(files, None, trace)
        return trace

    def known_name(self, path: str, digest: str) -> str:
        """Return ``path`` if the records know these bytes by it, or not at all; else their latest name."""
        names = self._names.get(digest, [path])
        return path if path in names else names[-1]

    def _follow(self, files: Mapping[str, str], reader: Record | None, trace: Trace) -> None:
        remaining = dict(files)
        while makers := Counter(index for file in remaining.items() for index in self._makers.get(file, ())):
            first = max(
                makers,
                key=lambda index: (makers[index], self._records[index].path in self._preferred, -index),
            )
            record = self._records[first]
            record.require()
            made = remaining.items() & record.outputs.items()
            remaining = {name: digest for name, digest in remaining.items() if (name, digest) not in made}
            trace.origin |= dict.fromkeys(made, record.path.as_posix())
            if record.path not in trace.repeats:
                others = (self._records[index].outputs.items() for index in makers if index != first)
                trace.repeats[record.path] = sum(made <= outputs for outputs in others)
                self._follow(record.inputs, record, trace)
                trace.executions.append(record)
        for name, digest in remaining.items():
            if reader and _was_given(name, reader):
                trace.origin[name, digest] = GIVEN  # git isn't asked, which may not even have it
            elif reader and (commit := self._commit_with(name, digest, reader.git.get("commit"))):
                trace.origin[name, digest] = f"{FROM_GIT}{commit}"
            else:
                trace.gaps[name] = digest

    def _commit_with(self, name: str, digest: str, own: str | None) -> str | None:
        """Return a commit that has a file's bytes: the reader's own, or one after it, as answers do."""
        key = (name, digest, own)
        if key not in self._commits:
            if own and committed_sha256s(own, [name]).get(name) == digest:
                self._commits[key] = own
            else:
                found = (one.id for one, text in versions_of(name) if sha256(text).hexdigest() == digest)
                self._commits[key] = next(found, None)
        return self._commits[key]


def _was_given(name: str, reader: Record) -> bool:
    place = reader.params.get("data", {}).get("path")
    return place is not None and Path(name).is_relative_to(place)


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
