"""Where a project has moved on since its outputs were made: what it would make now, and what it did make."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from selfsame.audit.records import Problem
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.stored import Locked, LockedStage
from selfsame.core.graph_file import StageSpec
from selfsame.core.layout import GRAPH_FILE, LOCK_FILE, PARAMS_FILE
from selfsame.dag.nested import changes, leaves

FIX = "run 'dvc repro', or set it back"


def stale(snapshot: Snapshot, *stages: str) -> list[Problem]:
    """Say, in the order of ``dvc.yaml``, in what stages and all that they rest on are behind.

    Args:
        stages: all of them by default.
    """
    specs, lock = snapshot.stages, snapshot.lock
    made = {out.path: out for stage in lock.values() for out in stage.outs}
    wanted = _upstream(stages or tuple(lock), lock, made)
    return [
        problem
        for name in specs
        if name in wanted and name in lock
        for problem in _behind(name, specs[name], lock[name], made, snapshot)
    ]


def _upstream(
    stages: tuple[str, ...], lock: Mapping[str, LockedStage], made: Mapping[Path, Locked]
) -> set[str]:
    wanted: set[str] = set()
    waiting = [name for name in stages if name in lock]
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting += [made[dep.path].stage for dep in lock[name].deps if dep.path in made]
    return wanted


def _behind(
    name: str, spec: StageSpec, stage: LockedStage, made: Mapping[Path, Locked], snapshot: Snapshot
) -> Iterator[Problem]:
    def problem(path: str, then: Any, now: Any) -> Problem:
        return Problem("stale", path, f"{then}, with which {name} ran", str(now), FIX)

    if spec.cmd != stage.cmd:
        yield problem(GRAPH_FILE.as_posix(), f"the command '{stage.cmd}'", f"'{spec.cmd}'")
    for kind, ran, wanted in (
        ("dependencies", stage.deps, {*spec.code, *spec.inputs}),
        ("outputs", stage.outs, {*spec.outputs}),
    ):
        paths = {each.path.as_posix() for each in ran}
        if paths != wanted:
            less, more = (" ".join(sorted(each)) or "none" for each in (paths - wanted, wanted - paths))
            yield problem(GRAPH_FILE.as_posix(), f"the {kind} {less}", f"{more} instead")
    written = {section: snapshot.params.get(section) for section in spec.params}
    for key, (then, written_now) in changes(dict(leaves(stage.params)), dict(leaves(written))).items():
        yield problem(PARAMS_FILE.as_posix(), f"{key} = {then}", written_now)
    for dep in stage.deps:
        now = made[dep.path] if dep.path in made else snapshot.source(dep.path)
        if now is None:
            if snapshot.revision is None:
                yield problem(dep.path.as_posix(), f"md5 {dep.md5}", "nothing")
        elif now.md5 != dep.md5:
            yield problem(dep.path.as_posix(), f"md5 {dep.md5}", f"md5 {now.md5}")
        elif (now.size, now.files) != (dep.size, dep.files):
            expected, found = (f"{each.size} bytes, files: {each.files}" for each in (now, dep))
            fix = f"take {LOCK_FILE} back from git, or run 'dvc repro --force {name}'"
            yield Problem("lock", LOCK_FILE.as_posix(), f"{expected}, as {dep.path} has", found, fix)
