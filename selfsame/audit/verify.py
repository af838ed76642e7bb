"""Re-hash every byte that the results rest on: workspace, DVC cache, records, and the chain they form.

DVC itself trusts file times and read-only cache objects; here every byte is read. ``dvc.lock`` is held
against the bytes it names. Whether code or ``params.yaml`` have changed since is no matter of ``verify``
but of ``selfsame plan``: such a workspace is stale, and not broken.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from selfsame.audit.records import Problem, read_lineage
from selfsame.audit.stored import (
    FOLDER,
    LOCK_FILE,
    Cache,
    Digests,
    Locked,
    both_digests,
    digest_all,
    folder_md5,
    md5_file,
    read_lock,
)
from selfsame.audit.walk import Walker, gap_problem
from selfsame.core.digests import files_under


@dataclass(frozen=True)
class Report:
    """What ``verify`` found.

    Attributes:
        problems: empty when everything is as it should be.
        checked: what was re-hashed or followed → how many.
    """

    problems: list[Problem]
    checked: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        return {"problems": [asdict(problem) for problem in self.problems], "checked": self.checked}

    def format(self) -> str:
        """Return one line per problem and a last one that sums up."""
        counts = ", ".join(f"{count} {name}" for name, count in self.checked.items())
        verdict = f"problems: {len(self.problems)}" if self.problems else "everything matches"
        return "\n".join([*map(str, self.problems), f"{verdict}; checked {counts}"])


def verify() -> Report:
    """Check the project in the current folder.

    * Workspace: every output of ``dvc.lock`` is there with the bytes it names; in a folder, no file is
      missing and none is extra.
    * Cache: every object that ``dvc.lock`` names has the bytes of its name. An absent object is no
      problem of its own: ``dvc gc`` may rightly have removed it, and metrics with ``cache: false`` never
      have one. If the workspace lacks the bytes as well, that is the problem.
    * Lock: every input that is a stage's output has bytes that are known, as that output or in the cache.
    * Records: each matches its name and is whole. From the outputs in the workspace every file leads
      back, digest by digest, to a stage without inputs or to a commit.

    Raises:
        SelfsameError: there is no readable ``dvc.lock``, or DVC can't say where its cache is.
    """
    outs, deps = read_lock()
    cache = Cache()
    files_of = {out: list(files_under(out.path)) for out in outs}
    files = digest_all(chain.from_iterable(files_of.values()), both_digests)
    named = {locked.md5 for locked in [*outs, *deps]}
    named |= {md5 for folder in named for md5 in (cache.listing(folder) or {}).values()}
    objects = {md5: path for md5 in sorted(named) if (path := cache.path_of(md5)).is_file()}
    digests = digest_all(objects.values(), md5_file)
    altered = {
        md5: digests[path] for md5, path in objects.items() if digests[path] != md5.removesuffix(FOLDER)
    }

    problems = [_altered_object(objects[md5], md5, found) for md5, found in altered.items()]
    problems += _unknown_inputs(outs, deps, objects.keys())
    sound: dict[str, str] = {}  # an altered file is one problem, and not another one for want of a record
    for out in outs:
        here = {path: files[path] for path in files_of[out]}
        broken = list(_broken_files(out, here, cache.listing(out.md5)))
        problems += broken
        at_fault = {problem.path for problem in broken}
        if out.path.as_posix() not in at_fault:
            sound |= {
                path.as_posix(): both.sha256 for path, both in here.items() if path.as_posix() not in at_fault
            }
    records, broken_records = read_lineage()
    trace = Walker(records).trace(sound)
    return Report(
        [*problems, *broken_records, *map(gap_problem, trace.gaps.items())],
        {
            "files in the workspace": len(files),
            "cache objects": len(objects),
            "records": len(records) + len(broken_records),
            "executions in the chain": len(trace.executions),
        },
    )


def _broken_files(
    out: Locked, here: Mapping[Path, Digests], listing: Mapping[str, str] | None
) -> Iterator[Problem]:
    """Hold the files of one output against ``dvc.lock``; a folder as a whole where no listing tells more."""
    restore = f"'dvc repro {out.stage}' restores it, or makes it anew"
    if not out.md5.endswith(FOLDER):
        wanted = {out.path: out.md5}
    elif listing is not None:
        wanted = {out.path / name: md5 for name, md5 in listing.items()}
    else:
        wanted = {path: both.md5 for path, both in here.items()}
        found = folder_md5({path.relative_to(out.path).as_posix(): md5 for path, md5 in wanted.items()})
        if found != out.md5:
            yield _broken_file(out.path, f"md5 {out.md5}", f"md5 {found}", f"delete it; {restore}")
            return
    if wanted and not here:
        yield _broken_file(out.path, f"md5 {out.md5}", "nothing", restore)
        return
    for path in sorted(wanted.keys() | here.keys()):
        if path not in here:
            yield _broken_file(path, f"md5 {wanted[path]}", "nothing", restore)
        elif path not in wanted:
            yield _broken_file(path, "no such file", f"md5 {here[path].md5}", "delete it")
        elif here[path].md5 != wanted[path]:
            found = f"md5 {here[path].md5}"
            # DVC leaves a file alone whose size and time it knows; a deleted one it restores.
            yield _broken_file(path, f"md5 {wanted[path]}", found, f"delete it; {restore}")


def _broken_file(path: Path, expected: str, found: str, fix: str) -> Problem:
    return Problem("workspace", path.as_posix(), expected, found, fix)


def _altered_object(path: Path, md5: str, found: str) -> Problem:
    fix = "delete it; 'dvc commit --force' stores the workspace's bytes again, 'dvc fetch' a remote's"
    return Problem("cache", path.as_posix(), f"md5 {md5}", f"md5 {found}", fix)


def _unknown_inputs(outs: list[Locked], deps: list[Locked], objects: Set[str]) -> Iterator[Problem]:
    made = {out.path: out.md5 for out in outs}
    for dep in deps:
        if dep.path in made and dep.md5 not in objects and dep.md5 != made[dep.path]:
            yield Problem(
                "lock",
                LOCK_FILE.as_posix(),
                f"the {dep.path} that stage {dep.stage} read to be known",
                f"md5 {dep.md5}, which no stage has as its output and the cache doesn't hold",
                f"take {LOCK_FILE} back from git, or run 'dvc repro'",
            )
