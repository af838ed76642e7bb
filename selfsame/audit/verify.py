"""Re-hash every byte that the results rest on: workspace, DVC cache, remote, records, and what git tracks.

DVC itself trusts file times and read-only cache objects; here every byte is read. ``dvc.lock`` is held
against the bytes it names, and all that git tracks of the project against the commit.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from selfsame.audit.digesting import digest_files
from selfsame.audit.records import Problem, read_lineage
from selfsame.audit.remote import check_remote
from selfsame.audit.stored import FOLDER, Locked, Store, folder_md5, parse_lock, uncached_paths
from selfsame.audit.tracked import check_tracked
from selfsame.audit.verdict import Report
from selfsame.audit.walk import Walker, gap_problem
from selfsame.core.digests import files_under
from selfsame.core.layout import GRAPH_FILE, LOCK_FILE
from selfsame.observe.hashing import Digests, both_digests, sha256_only


def verify(remote: bool = False, resume: bool = False, uncommitted: bool = False) -> Report:
    """Check the project in the current folder.

    * Workspace: every output that is there has the bytes that ``dvc.lock`` names; in a folder, no file is
      missing and none is extra. An output that isn't there at all is sound if the cache, or the remote
      that is checked too, has all its bytes.
    * Cache: every object that ``dvc.lock`` names has the bytes of its name. An absent object is no
      problem of its own: ``dvc gc`` may rightly have removed it, and metrics with ``cache: false`` never
      have one.
    * Lock: every input that is a stage's output has bytes that are known, as that output or in the cache.
    * Records: each matches its name and is whole. From the outputs every file leads back, digest by
      digest, to a stage without inputs or to a commit.
    * Git: code, parameters, graph, lock file, sources and records that the commit has are as it has them.

    Args:
        remote: read every object of the default remote too; one that is not there is a problem.
        resume: take up an interrupted run (see ``digest_files``).
        uncommitted: let what git tracks differ from the commit, as it does while one works.

    Raises:
        SelfsameError: there is no readable ``dvc.lock``, no such remote, or DVC can't say where its cache is.
    """
    stages = parse_lock(LOCK_FILE.read_bytes() if LOCK_FILE.is_file() else None).values()
    outs = [out for stage in stages for out in stage.outs]
    deps = [dep for stage in stages for dep in stage.deps]
    return _Verification(outs, deps).run(remote, resume, uncommitted)


class _Verification:
    def __init__(self, outs: list[Locked], deps: list[Locked]) -> None:
        self._outs, self._deps = outs, deps
        self._store = Store()
        self._problems: list[Problem] = []
        self._sound: dict[str, str] = {}  # md5 → sha256 of bytes that some place was seen to hold

    def run(self, remote: bool, resume: bool, uncommitted: bool) -> Report:
        listings = {out.path: self._store.listing(out.md5) for out in self._outs}
        files = {out.path: list(files_under(out.path)) for out in self._outs}
        objects = self._objects(listings)
        wanted = {
            path: _wanted_md5(out, path, listings[out.path]) for out in self._outs for path in files[out.path]
        }
        # The cache's copy tells both digests, so that the workspace's needs only the cheaper one. Bytes that
        # are the same file on disk (DVC may link them) are read once.
        twins = {path: objects[md5] for path, md5 in wanted.items() if md5 in objects}
        linked = {path for path, twin in twins.items() if path.samefile(twin)}
        ways = dict.fromkeys(objects.values(), both_digests)
        ways |= {
            path: sha256_only if path in twins else both_digests for path in wanted if path not in linked
        }
        digests = digest_files(ways, resume)
        self._check_objects(objects, digests)
        here = {path: self._found(path, md5, digests, twins, linked) for path, md5 in wanted.items()}
        checked = {"files in the workspace": len(wanted), "cache objects": len(objects)}
        if remote:
            kept = [
                out
                for out in self._outs
                if out.path.as_posix() not in uncached_paths(GRAPH_FILE.read_bytes())
            ]
            found = check_remote(self._store, {out.md5 for out in kept})
            self._sound |= found.sound
            self._problems += found.problems
            listings |= {out.path: found.listings.get(out.md5, listings[out.path]) for out in self._outs}
            checked["remote objects"] = found.count
        sound = self._check_outputs(files, here, listings)
        self._check_inputs(objects)
        return self._check_past(sound, checked, uncommitted)

    def _objects(self, listings: Mapping[Path, dict[str, str] | None]) -> dict[str, Path]:
        """Return where the cache keeps every object that the lock file names, by md5."""
        named = {locked.md5 for locked in [*self._outs, *self._deps]}
        folders = [*listings.values(), *(self._store.listing(dep.md5) for dep in self._deps)]
        named |= {md5 for listing in folders for md5 in (listing or {}).values()}
        return {md5: path for md5 in sorted(named) if (path := self._store.in_cache(md5)).is_file()}

    def _check_objects(self, objects: Mapping[str, Path], digests: Mapping[Path, Digests]) -> None:
        for md5, path in objects.items():
            found = digests[path]
            if found.md5 == md5.removesuffix(FOLDER):
                self._sound[md5] = found.sha256
            else:
                fix = "delete it; 'dvc commit --force' stores the workspace's bytes, 'dvc fetch' a remote's"
                self._problems.append(
                    Problem("cache", path.as_posix(), f"md5 {md5}", f"md5 {found.md5}", fix)
                )

    def _found(
        self,
        path: Path,
        wanted: str | None,
        digests: Mapping[Path, Digests],
        twins: Mapping[Path, Path],
        linked: set[Path],
    ) -> Digests:
        """Return both digests of a workspace file: the md5 by way of a sound twin in the cache."""
        found = digests[twins[path]] if path in linked else digests[path]
        if found.md5 is not None:
            return found
        assert wanted is not None
        return (
            Digests(wanted, found.sha256) if self._sound.get(wanted) == found.sha256 else both_digests(path)
        )

    def _check_outputs(
        self,
        files: Mapping[Path, list[Path]],
        here: Mapping[Path, Digests],
        listings: Mapping[Path, dict[str, str] | None],
    ) -> dict[str, str]:
        """Name what is broken; return path → sha256 of what is sound.

        An altered file is one problem, and not another one for want of a record.
        """
        sound: dict[str, str] = {}
        for out in self._outs:
            present = {path: here[path] for path in files[out.path]}
            kept = _names(out, listings[out.path])
            if not present and kept and all(md5 in self._sound for md5 in kept.values()):
                sound |= {path.as_posix(): self._sound[md5] for path, md5 in kept.items()}
                continue
            broken = list(_broken_files(out, present, listings[out.path]))
            self._problems += broken
            at_fault = {problem.path for problem in broken}
            if out.path.as_posix() not in at_fault:
                good = {path.as_posix(): both.sha256 for path, both in present.items()}
                sound |= {path: sha256 for path, sha256 in good.items() if path not in at_fault}
        return sound

    def _check_inputs(self, objects: Mapping[str, Path]) -> None:
        made = {out.path: out.md5 for out in self._outs}
        for dep in self._deps:
            known = dep.md5 in objects or dep.md5 in self._sound or dep.md5 == made.get(dep.path)
            if dep.path in made and not known:
                expected = f"the {dep.path} that stage {dep.stage} read to be known"
                found = f"md5 {dep.md5}, which no stage has as its output and the cache doesn't hold"
                fix = f"take {LOCK_FILE} back from git, or run 'dvc repro'"
                self._problems.append(Problem("lock", LOCK_FILE.as_posix(), expected, found, fix))

    def _check_past(self, sound: dict[str, str], checked: dict[str, int], uncommitted: bool) -> Report:
        records, broken_records = read_lineage()
        trace = Walker(records).trace(sound)
        self._problems += [*broken_records, *map(gap_problem, trace.gaps.items())]
        checked["records"] = len(records) + len(broken_records)
        checked["executions in the chain"] = len(trace.executions)
        if not uncommitted:
            named = {problem.path for problem in self._problems}
            tracked, problems = check_tracked(
                {dep.path for dep in self._deps} - {out.path for out in self._outs}
            )
            self._problems += [problem for problem in problems if problem.path not in named]
            checked["files as committed"] = tracked
        return Report(self._problems, checked)


def _wanted_md5(out: Locked, path: Path, listing: Mapping[str, str] | None) -> str | None:
    if not out.md5.endswith(FOLDER):
        return out.md5
    return (listing or {}).get(path.relative_to(out.path).as_posix())


def _names(out: Locked, listing: Mapping[str, str] | None) -> dict[Path, str]:
    """Return path → md5 of all files that an output must have, as far as a listing tells them."""
    if not out.md5.endswith(FOLDER):
        return {out.path: out.md5}
    return {out.path / name: md5 for name, md5 in (listing or {}).items()}


def _broken_files(
    out: Locked, here: Mapping[Path, Digests], listing: Mapping[str, str] | None
) -> Iterator[Problem]:
    """Hold the files of one output against ``dvc.lock``; a folder as a whole where no listing tells more."""
    restore = f"'dvc repro {out.stage}' restores it, or makes it anew"
    if here and listing is None and out.md5.endswith(FOLDER):
        found = folder_md5(
            {path.relative_to(out.path).as_posix(): str(both.md5) for path, both in here.items()}
        )
        if found != out.md5:
            yield _broken_file(out.path, f"md5 {out.md5}", f"md5 {found}", f"delete it; {restore}")
        return
    wanted = _names(out, listing)
    if not here:
        yield _broken_file(out.path, f"md5 {out.md5}", "nothing, nor all its bytes elsewhere", restore)
        return
    for path in sorted(wanted.keys() | here.keys()):
        if path not in here:
            yield _broken_file(path, f"md5 {wanted[path]}", "nothing", restore)
        elif path not in wanted:
            yield _broken_file(path, "no such file", f"md5 {here[path].md5}", "delete it")
        elif here[path].md5 != wanted[path]:
            # DVC leaves a file alone whose size and time it knows; a deleted one it restores.
            found = f"md5 {here[path].md5}"
            yield _broken_file(path, f"md5 {wanted[path]}", found, f"delete it; {restore}")


def _broken_file(path: Path, expected: str, found: str, fix: str) -> Problem:
    return Problem("workspace", path.as_posix(), expected, found, fix)
