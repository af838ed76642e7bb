"""One provenance record, read and checked: what every part of the audit stands on."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from selfsame.audit.stored import md5_of
from selfsame.core.errors import SelfsameError
from selfsame.observe.forms import BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE

KINDS = ("input", "code", "params", "module", "commit")
MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
# What stands before a record's outputs, inputs and start, and behind them, as a recorder writes it.
OUTPUTS = b'  "subject": ', b',\n  "predicateType": "'
INPUTS = b'\n      "resolvedDependencies": [', b'"kind": "input"'  # they are the first dependencies
STARTED = b'\n        "startedOn": "', b'"'


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


class Record:
    """What one provenance record says of one execution of a stage.

    Of thousands a command needs few, so only what leads to them is read at once: path, stage, start, outputs
    and inputs. The rest is read when it is first asked for.

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

    def __init__(self, path: Path, load: Callable[[], bytes], skimmed: dict[str, Any] | None) -> None:
        self.path, self.stage, self._load = path, path.parent.name, load
        self._md5s: dict[Path, str | None] = {}
        vars(self).update(skimmed or {})
        if skimmed is None:
            self.read()

    def __getattr__(self, name: str) -> Any:
        if name not in Record.__annotations__ or "_load" not in vars(self):
            raise AttributeError(name)
        self.require()
        return vars(self)[name]

    def require(self) -> None:
        """Read all of it, before anything is said that rests on it.

        Raises:
            SelfsameError: it is not what its name, or what leads to it, says.
        """
        try:
            self.read()
        except (*MALFORMED, OSError) as error:
            problem = malformed(self.path, error)
            raise SelfsameError(str(problem), problem.fix) from None

    def md5_of(self, path: Path) -> str | None:
        """Return by which md5 DVC knows what it wrote at a path, as ``stored.md5_of`` does."""
        if path not in self._md5s:
            self._md5s[path] = md5_of(path, self.md5)
        return self._md5s[path]

    def read(self) -> None:
        """Read all of it.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: its bytes are not those of its name, it lacks
                something, or says one thing twice.
        """
        if "_load" in vars(self):
            content = self._load()
            require_own_name(self.path, content)
            vars(self).update(_agreeing(vars(self), _parse(self.path, json.loads(content))))
            del self._load


def require_own_name(path: Path, content: bytes) -> None:
    """Raise a ValueError unless a record's bytes are those that it is named by."""
    if (digest := sha256(content).hexdigest()) != path.stem:
        raise ValueError(f"sha256 {digest}")


def skim(content: bytes) -> dict[str, Any] | None:
    """Return what leads to a record, cut from its text; None if no recorder has written it so."""
    try:
        last = content.rfind(INPUTS[1])
        inputs = (
            content[content.index(INPUTS[0]) + len(INPUTS[0]) : last] + INPUTS[1] + b"}}" if last > 0 else b""
        )
        start = content.rindex(STARTED[0]) + len(STARTED[0])
        outputs = content.index(OUTPUTS[0]) + len(OUTPUTS[0])
        written = json.loads(content[outputs : content.index(OUTPUTS[1], outputs)])
        return {
            "started": datetime.fromisoformat(content[start : content.index(STARTED[1], start)].decode()),
            "outputs": _digests(written),
            "md5": _digests(written, "md5"),
            "inputs": _digests(json.loads(b"[%s]" % inputs)),
        }
    except MALFORMED:
        return None


def _parse(path: Path, statement: dict[str, Any]) -> dict[str, Any]:
    """Read a statement whole, so that one that lacks anything fails here and not in the audit."""
    definition = statement["predicate"]["buildDefinition"]
    types = (statement["_type"], statement["predicateType"], definition["buildType"])
    if types != (STATEMENT_TYPE, PREDICATE_TYPE, BUILD_TYPE):
        raise ValueError(f"a statement of the types {', '.join(map(str, types))}")
    external, metadata = definition["externalParameters"], statement["predicate"]["runDetails"]["metadata"]
    if external["stage"] != path.parent.name:
        raise ValueError(f"a record of stage {external['stage']}")
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for dependency in definition["resolvedDependencies"]:
        by_kind[dependency["annotations"]["kind"]].append(dependency)
    (commit,) = by_kind["commit"]
    git = {key: value for key, value in commit["annotations"].items() if key != "kind"}
    if "digest" in commit:
        git = {"commit": commit["digest"]["gitCommit"], **git}
    internal = definition["internalParameters"]
    return {
        "invocation": metadata["invocationId"],
        "command": external["command"],
        "params": internal.get("parameters", external["params"]),
        "written": external["params"],
        "started": datetime.fromisoformat(metadata["startedOn"]),
        "finished": datetime.fromisoformat(metadata["finishedOn"]),
        "started_by": internal["startedBy"],
        "git": git,
        "environment": {key: internal[key] for key in ("python", "platform", "hardware", "packages")}
        | {"imported": internal.get("imported", {})},
        "inputs": _digests(by_kind["input"]),
        "code": _digests(by_kind["code"]),
        "outputs": _digests(statement["subject"]),
        "md5": _digests(statement["subject"], "md5"),
        "modules": _digests(by_kind["module"]),
        "previous": tuple(internal.get("previous", ())),
        "notes": tuple(internal.get("notes", ())),
        "code_md5": _digests(by_kind["code"], "md5"),
    }


def _agreeing(skimmed: Mapping[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """Refuse a record that says one thing where it is skimmed, and another where it is read."""
    if twice := [key for key in whole if key in skimmed and whole[key] != skimmed[key]]:
        index = ".scratch/audit/records.json"  # lineage.INDEX, which is built of these
        raise ValueError(f"{', '.join(twice)} said twice: in it, or in {index}, which may be deleted")
    return whole


def _digests(descriptors: list[dict[str, Any]], kind: str = "sha256") -> dict[str, str]:
    return {
        each["name"]: each["digest"][kind]
        for each in descriptors
        if kind == "sha256" or kind in each["digest"]
    }


def malformed(path: Path, error: Exception) -> Problem:
    """Say that a record lacks what each has."""
    return broken(path, "a whole record of its stage", f"{type(error).__name__}: {error}")


def broken(path: Path, expected: str, found: str) -> Problem:
    """Say that a record is none that can be trusted."""
    fix = "take it back from git ('git restore'), or run its stage again with 'dvc repro --force'"
    return Problem("record", path.as_posix(), expected, found, fix)
