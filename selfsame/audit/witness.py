"""``dvc.lock`` held against the records: which executions made what it says that every stage made."""

from collections.abc import Iterator
from functools import lru_cache
from os.path import normpath
from pathlib import Path

from selfsame.audit.records import Problem, Record
from selfsame.audit.snapshot import Snapshot, is_below
from selfsame.audit.stored import LockedStage, md5_of
from selfsame.core.layout import LOCK_FILE


@lru_cache(maxsize=4)
def witnesses(snapshot: Snapshot) -> dict[str, list[Record]]:
    """Return, by stage, the records that ran what ``dvc.lock`` says: these outputs of these inputs."""
    return {
        name: [
            record
            for record in snapshot.lineage[0]
            if record.stage == name and _agrees(record, stage, snapshot)
        ]
        for name, stage in snapshot.lock.items()
    }


def unwitnessed(snapshot: Snapshot) -> Iterator[Problem]:
    """Name the stages of ``dvc.lock`` that no execution ran as it says, though their outputs are known."""
    for name, records in witnesses(snapshot).items():
        if not records:
            made = [
                record
                for record in snapshot.lineage[0]
                if record.stage == name and _made(record, snapshot.lock[name])
            ]
            if made:
                said = "; ".join(_differences(made[-1], snapshot.lock[name], snapshot))
                yield Problem(
                    "lock",
                    LOCK_FILE.as_posix(),
                    f"what an execution of {name} read and ran, as in {made[-1].path}",
                    said,
                    f"take {LOCK_FILE} back from git, or run 'dvc repro --force {name}'",
                )


def _agrees(record: Record, stage: LockedStage, snapshot: Snapshot) -> bool:
    return _made(record, stage) and not any(_differences(record, stage, snapshot))


def _made(record: Record, stage: LockedStage) -> bool:
    """Tell whether an execution wrote these outputs."""
    return bool(record.md5) and all(record.md5_of(out.path) == out.md5 for out in stage.outs)


def _differences(record: Record, stage: LockedStage, snapshot: Snapshot) -> Iterator[str]:
    """Say in what an execution was another than ``dvc.lock`` has it, as far as the record has md5s."""
    if record.command != stage.cmd:
        yield f"command {stage.cmd}"
    yield from _unnamed(record, stage)
    for section, values in stage.params.items():
        if record.written.get(section) != values:
            yield f"params {section}"
    read = {name: snapshot.md5s.get(digest) for name, digest in record.inputs.items()} | record.code_md5
    unknown = [name for name, md5 in read.items() if md5 is None]
    told = {name: md5 for name, md5 in read.items() if md5 is not None}
    for dep in stage.deps:
        place = dep.path.as_posix()
        known = None if any(is_below(name, place) for name in unknown) else md5_of(dep.path, told)
        if known not in (None, dep.md5):
            yield f"{dep.path} of md5 {dep.md5}"


def _unnamed(record: Record, stage: LockedStage) -> Iterator[str]:
    """Name files that an execution read or ran and ``dvc.lock`` doesn't have among its dependencies."""
    here = Path.cwd()  # of data elsewhere DVC writes the way there
    plain = [dep.path.as_posix() for dep in stage.deps]
    known = [normpath(here / place) for place in plain]
    for name in (*record.inputs, *record.code):
        if any(is_below(name, place) for place in plain):
            continue
        if not any(is_below(normpath(here / name), place) for place in known):
            yield f"no dependency {name}"
