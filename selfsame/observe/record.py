"""The provenance record: one in-toto statement with the SLSA provenance predicate per execution.

A record stands in ``lineage/<stage>/<sha256 of its own bytes>.json``, so that one altered in place no
longer matches its name. It has times in it, hence it is no DVC output: git keeps it.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from selfsame.core.digests import files_under, sha256_file, sha256_json
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec, read_yaml
from selfsame.core.layout import GRAPH_FILE, LINEAGE, PARAMS_FILE
from selfsame.observe.code import imported_packages, project_modules
from selfsame.observe.commit import current_commit, describe_commit
from selfsame.observe.environment import describe_environment, started_by
from selfsame.observe.forms import BUILD_TYPE, BUILDER, PREDICATE_TYPE, STATEMENT_TYPE
from selfsame.observe.hashing import both_digests, sha256_only
from selfsame.observe.notes import take_notes

if TYPE_CHECKING:
    from selfsame.core.params import Section

PREVIOUS = re.compile(rb'"previous": \[([^]]*)\]')


def begin(spec: StageSpec, sections: Mapping[str, "Section"]) -> "Recorder":
    """Digest all that a stage is about to read: input files, code files, parameter sections, commit.

    Args:
        sections: the checked sections that the stage reads, with the defaults of what isn't written.

    Raises:
        SelfsameError: the flow run named in the environment can't be read.
    """
    return Recorder(spec, sections)


class Recorder:
    """Watches one execution of a stage; made by ``begin``, ended by ``finish``."""

    def __init__(self, spec: StageSpec, sections: Mapping[str, "Section"]) -> None:
        self._spec = spec
        self._effective = {name: sections[name].model_dump(mode="json") for name in spec.params}
        self._started = datetime.now(UTC)
        self._seen = _signatures(spec)
        self._started_by = started_by()
        written = read_yaml(PARAMS_FILE)
        self._params = {section: written[section] for section in spec.params}
        self._dependencies = [
            *_descriptors("input", spec.inputs),
            *_descriptors("code", spec.code),
            *(
                {
                    "uri": f"{PARAMS_FILE}#{section}",
                    "digest": {"sha256": sha256_json(values)},
                    "annotations": {"kind": "params"},
                }
                for section, values in self._params.items()
            ),
        ]
        self._commit = current_commit()
        self._settings = {path.as_posix(): sha256_file(path) for path in (GRAPH_FILE, PARAMS_FILE)}
        project_modules()  # what must not run stops here, before any work

    def finish(self) -> Path:
        """Digest the outputs and write the record; return its path.

        Raises:
            SelfsameError: something that the stage reads was changed while it ran, or the record can't be
                written. That stops the stage: an execution without a record would be a gap in the chain
                that nobody could close later.
        """
        self._require_unchanged()
        ran = _digests([item for item in self._dependencies if item["annotations"]["kind"] == "code"])
        modules = _descriptors("module", [str(path) for path in project_modules() if str(path) not in ran])
        files = {**self._settings, **ran, **_digests(modules)}
        dependencies = [*self._dependencies, *modules, describe_commit(self._commit, files)]
        # Written as plain JSON, not through in-toto-attestation's protobuf classes: a Struct makes
        # every integer a float, and 10.0 is not the parameter that was set. The tests parse and
        # validate the result with that package.
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": each["name"], "digest": each["digest"]}
                for each in _descriptors("output", self._spec.outputs)
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": {
                        "stage": self._spec.name,
                        "command": self._spec.cmd,
                        "params": self._params,
                    },
                    "internalParameters": {
                        **describe_environment(),
                        "imported": imported_packages(),
                        "previous": heads(lineage_folder()),
                        "parameters": self._effective,  # with the defaults of what isn't written
                        "startedBy": self._started_by,
                        "cpuSeconds": round(sum(os.times()[:4]), 2),  # and of what it started
                        "notes": take_notes(),
                    },
                    "resolvedDependencies": dependencies,
                },
                "runDetails": {
                    "builder": {"id": BUILDER, "version": {"selfsame": _own_version()}},
                    "metadata": {
                        "invocationId": str(uuid4()),
                        "startedOn": _rfc3339(self._started),
                        "finishedOn": _rfc3339(datetime.now(UTC)),
                    },
                },
            },
        }
        text = json.dumps(statement, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        return _write(lineage_folder() / self._spec.name, text.encode())

    def _require_unchanged(self) -> None:
        """Refuse a result that DVC would book on inputs it wasn't made of.

        DVC looks at inputs and parameters again when the command has ended, and records those. What was
        changed meanwhile would never be read.
        """
        now = _signatures(self._spec)
        read = [item for item in self._dependencies if item["annotations"]["kind"] in ("input", "code")]
        known = _digests(read)
        touched = sorted(name for name in {*now, *self._seen} if now.get(name) != self._seen.get(name))
        changed = [name for name in touched if name not in now or sha256_file(Path(name)) != known.get(name)]
        written = read_yaml(PARAMS_FILE)
        other = [section for section, values in self._params.items() if written.get(section) != values]
        changed += [f"{PARAMS_FILE}: {section}" for section in other]
        if changed:
            raise SelfsameError(
                f"{', '.join(changed)}: changed while stage {self._spec.name} was running",
                "run again; what was made of the former content is not kept",
            )


def heads(lineage: Path) -> list[str]:
    """Return the records that no other one names as before it, by their digests: the next one names them.

    So a record that is taken away later leaves a name behind, also one that was never committed.
    """
    names, named = set(), set()
    for path in lineage.rglob("*.json"):
        names.add(path.stem)
        for listed in PREVIOUS.findall(path.read_bytes()):
            named.update(re.findall(rb"[0-9a-f]{64}", listed))
    return sorted(names - {digest.decode() for digest in named})


def lineage_folder() -> Path:
    """Return the folder that records are written to.

    ``dvc exp run --temp`` and ``--queue`` run stages in a copy of the project that DVC then deletes,
    while the outputs stay in the cache of the project itself: the records belong beside them. DVC
    names that project in ``DVC_ROOT``.
    """
    root = os.environ.get("DVC_ROOT")
    return (Path(root) if root and Path.cwd().is_relative_to(root) else Path()) / LINEAGE


def _digests(descriptors: list[dict[str, Any]]) -> dict[str, str]:
    return {item["name"]: item["digest"]["sha256"] for item in descriptors}


def _descriptors(kind: str, paths: Iterable[str]) -> list[dict[str, Any]]:
    """Describe every file at or below ``paths``, some at a time: hashing releases the interpreter lock.

    DVC knows bytes by their md5, so that an audit can fetch them by it; an input is the output of another
    record, which has it.
    """
    files = [file for path in paths for file in files_under(Path(path))]
    with ThreadPoolExecutor() as pool:
        digests = pool.map(sha256_only if kind == "input" else both_digests, files)
        return [
            {
                "name": file.as_posix(),
                "digest": {"sha256": both.sha256, **({"md5": both.md5} if both.md5 else {})},
                "annotations": {"kind": kind},
            }
            for file, both in zip(files, digests, strict=True)
        ]


def _signatures(spec: StageSpec) -> dict[str, tuple[int, int, int]]:
    """Tell whether files were written to, without reading them: size, time and inode of each by its name."""
    files = [file for path in (*spec.inputs, *spec.code) for file in files_under(Path(path))]
    return {
        file.as_posix(): (status.st_size, status.st_mtime_ns, status.st_ino)
        for file in files
        for status in [file.stat()]
    }


def _write(folder: Path, content: bytes) -> Path:
    path = folder / f"{sha256(content).hexdigest()}.json"
    partial = folder / f".partial-{path.stem}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise SelfsameError(
            f"{path}: the provenance record can't be written: {error.strerror}",
            f"make {folder} writable and run again; without its record the result is not kept",
        ) from None
    return path


def _own_version() -> str:
    try:
        return metadata.version("selfsame")
    except metadata.PackageNotFoundError:
        return "not installed"  # run from a checkout; the code files' digests say which


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
