"""The records of ``lineage/``, read and checked: what every part of the audit stands on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfsame.core.layout import LINEAGE
from selfsame.observe.record import BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it should be.

    Attributes:
        kind: where it is broken: ``workspace``, ``cache``, ``remote``, ``lock``, ``record``, ``chain``,
            ``git`` or ``release``.
        path: the file, folder or address; in the project relative to its root.
        expected: what it should be, in words or as a digest.
        found: what it is.
        fix: what to do about it.
    """

    kind: str
    path: str
    expected: str
    found: str
    fix: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.path}: expected {self.expected}, found {self.found}; {self.fix}"


@dataclass(frozen=True)
class Record:
    """What one provenance record says of one execution of a stage.

    Attributes:
        path: of the record, relative to the project's root.
        invocation: a UUID of this execution alone.
        params: the sections of ``params.yaml`` that it read, with the defaults of what wasn't written.
        written: the same as they were written.
        git: ``commit``, ``dirty``, ``changed``; or ``absent`` with the reason.
        environment: interpreter, platform, hardware, packages.
        inputs, code, outputs: path and sha256 of every file read, run, written.
        modules: path and sha256 of every other file of the project that it imported.
        previous: digests of the records that were the last ones before it.
        notes: what the stage's code said of itself.
        md5, code_md5: of every file written and run, by which DVC knows it; none in older records.
    """

    path: Path
    invocation: str
    stage: str
    command: str
    params: dict[str, Any]
    written: dict[str, Any]
    started: datetime
    finished: datetime
    started_by: dict[str, Any]
    git: dict[str, Any]
    environment: dict[str, Any]
    inputs: dict[str, str]
    code: dict[str, str]
    outputs: dict[str, str]
    md5: dict[str, str]
    code_md5: dict[str, str]
    modules: dict[str, str]
    previous: tuple[str, ...]
    notes: tuple[dict[str, Any], ...]


def read_lineage(folder: Path = LINEAGE) -> tuple[list[Record], list[Problem]]:
    """Read every record of a folder as ``parse_lineage`` does."""
    return parse_lineage({path: path.read_bytes() for path in folder.rglob("*.json")})


def parse_lineage(files: Mapping[Path, bytes]) -> tuple[list[Record], list[Problem]]:
    """Read every record, oldest first, and name those that can't be trusted.

    A file whose bytes don't match its name, or that is no record, is a problem and never evidence.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    for path, content in sorted(files.items()):
        digest = sha256(content).hexdigest()
        if digest != path.stem:
            problems.append(_broken(path, f"sha256 {path.stem}", f"sha256 {digest}"))
            continue
        try:
            records.append(_parse(path, json.loads(content)))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(_broken(path, "a whole record of its stage", f"{type(error).__name__}: {error}"))
    return sorted(records, key=lambda record: (record.started, record.path)), problems


def _parse(path: Path, statement: dict[str, Any]) -> Record:
    """Read a statement whole, so that one that lacks anything fails here and not in the audit."""
    definition = statement["predicate"]["buildDefinition"]
    types = (statement["_type"], statement["predicateType"], definition["buildType"])
    if types != (STATEMENT_TYPE, PREDICATE_TYPE, BUILD_TYPE):
        raise ValueError(f"a statement of the types {', '.join(map(str, types))}")
    external, metadata = definition["externalParameters"], statement["predicate"]["runDetails"]["metadata"]
    if external["stage"] != path.parent.name:
        raise ValueError(f"a record of stage {external['stage']}")
    by_kind: dict[str, list[dict[str, Any]]] = {
        "input": [],
        "code": [],
        "params": [],
        "module": [],
        "commit": [],
    }
    for dependency in definition["resolvedDependencies"]:
        by_kind[dependency["annotations"]["kind"]].append(dependency)
    (commit,) = by_kind["commit"]
    git = {key: value for key, value in commit["annotations"].items() if key != "kind"}
    if "digest" in commit:
        git = {"commit": commit["digest"]["gitCommit"], **git}
    internal = definition["internalParameters"]
    return Record(
        path=path,
        invocation=metadata["invocationId"],
        stage=external["stage"],
        command=external["command"],
        params=internal.get("parameters", external["params"]),
        written=external["params"],
        started=datetime.fromisoformat(metadata["startedOn"]),
        finished=datetime.fromisoformat(metadata["finishedOn"]),
        started_by=internal["startedBy"],
        git=git,
        environment={key: internal[key] for key in ("python", "platform", "hardware", "packages")}
        | {"imported": internal.get("imported", {})},
        inputs=_digests(by_kind["input"]),
        code=_digests(by_kind["code"]),
        outputs=_digests(statement["subject"]),
        md5=_digests(statement["subject"], "md5"),
        modules=_digests(by_kind["module"]),
        previous=tuple(internal.get("previous", ())),
        notes=tuple(internal.get("notes", ())),
        code_md5=_digests(by_kind["code"], "md5"),
    )


def _digests(descriptors: list[dict[str, Any]], kind: str = "sha256") -> dict[str, str]:
    return {
        each["name"]: each["digest"][kind]
        for each in descriptors
        if kind == "sha256" or kind in each["digest"]
    }


def _broken(path: Path, expected: str, found: str) -> Problem:
    fix = "take it back from git ('git restore'), or run its stage again with 'dvc repro --force'"
    return Problem("record", path.as_posix(), expected, found, fix)
