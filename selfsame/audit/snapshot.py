"""The project at one moment: the working folder, or a git revision, with the bytes wherever they are kept."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from hashlib import md5, sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from selfsame.audit.held import Held, Table
from selfsame.audit.lineage import find_lineage, in_order, parse_lineage, read_lineage
from selfsame.audit.records import Problem, Record
from selfsame.audit.stored import (
    FOLDER,
    Locked,
    LockedStage,
    Store,
    folder_md5,
    md5_of,
    parse_lock,
    parse_yaml,
)
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec, read_stages
from selfsame.core.layout import GRAPH_FILE, LINEAGE, LOCK_FILE, PARAMS_FILE
from selfsame.git import committed, head, read_blob, read_blobs, resolve, versions_of
from selfsame.observe.hashing import both_digests

HERE, MD5 = "here:", "md5:"  # begin a digest that isn't a sha256: the workspace's bytes, or those of an md5


class Snapshot:
    """What a project is at a revision; without one, what its working folder holds.

    The bytes of an output are looked for in the workspace (only without a revision), in DVC's cache and
    in its remote, so that an audit works in a fresh clone too.

    Args:
        revision: anything that git takes for a commit.
        whole: read every record whole (see ``parse_lineage``), not only what is needed of it.
        here: the workspace's, whose records, which are known by their content, needn't be read again.

    Raises:
        SelfsameError: there is no such revision.
    """

    def __init__(
        self, revision: str | None = None, whole: bool = False, here: "Snapshot | None" = None
    ) -> None:
        self.revision, self._whole, self._here = revision, whole, here
        self.commit = head() if revision is None else resolve(revision)
        self.tables: dict[tuple[tuple[str, str], ...], Table] = {}  # opened, by the files they are of
        self.places: dict[tuple[str, str], int] = {}  # role and example id → position in the present table
        self._store = Store()

    def __str__(self) -> str:
        return self.revision or "the workspace"

    def read(self, path: str) -> bytes | None:
        """Return the bytes of a file that git tracks; None where there is none."""
        if self.revision is None or self.commit is None:
            return Path(path).read_bytes() if Path(path).is_file() else None
        return read_blob(self.commit, path)

    @cached_property
    def lineage(self) -> tuple[list[Record], list[Problem]]:
        """All records, oldest first, with those that can't be trusted.

        A record is named by its content, so one that only the working folder has does a revision no harm.
        """
        if self._here:
            records, problems = self._here.lineage
        else:
            records, problems = read_lineage() if self._whole else find_lineage()
        if self.revision is None or self.commit is None:
            return records, problems
        present = {record.path for record in records} | {Path(problem.path) for problem in problems}
        held = committed(self.commit, [LINEAGE.as_posix()])
        names = [name for name in held if name.endswith(".json") and Path(name) not in present]
        contents = read_blobs(f"{self.commit}:./{name}" for name in names)
        files = {Path(name): content for name, content in zip(names, contents, strict=True) if content}
        more, wrong = parse_lineage(files, self._whole)
        return in_order([*records, *more]), [*problems, *wrong]

    @cached_property
    def lock(self) -> Mapping[str, LockedStage]:
        """What ``dvc.lock`` says of every stage.

        Raises:
            SelfsameError: there is no readable ``dvc.lock``.
        """
        return parse_lock(self.read(LOCK_FILE.as_posix()))

    @cached_property
    def outs(self) -> dict[str, Locked]:
        """Every output that ``dvc.lock`` names, by its path; raises as ``lock`` does."""
        return {out.path.as_posix(): out for stage in self.lock.values() for out in stage.outs}

    @cached_property
    def params(self) -> dict[str, Any]:
        """The whole of ``params.yaml`` as it stands there, unchecked."""
        content = self.read(PARAMS_FILE.as_posix())
        fix = f"take it back from git: 'git restore {PARAMS_FILE}'"
        try:
            sections = (parse_yaml(content) if content else None) or {}
        except ValueError as error:
            raise SelfsameError(f"{PARAMS_FILE}: not valid YAML: {error}", fix) from None
        known = isinstance(sections, dict) and all(isinstance(each or {}, dict) for each in sections.values())
        if not known:
            raise SelfsameError(f"{PARAMS_FILE}: no sections with keys in them", fix)
        return {name: section or {} for name, section in sections.items()}

    @cached_property
    def stages(self) -> dict[str, StageSpec]:
        """What ``dvc.yaml`` says of every stage, with the parameters that stand for paths."""
        if self.revision is None:
            return read_stages()
        with TemporaryDirectory() as folder:
            for path in (GRAPH_FILE, PARAMS_FILE):
                (Path(folder) / path).write_bytes(self.read(path.as_posix()) or b"{}")
            return read_stages(Path(folder) / GRAPH_FILE)

    def source(self, path: Path) -> Locked | None:
        """Return how DVC would know a source as it is now: code, or data that no stage makes.

        None where only the revision's own machine had it, and where it is gone.
        """
        if self.revision is None or self.commit is None:
            files = [file for file in files_under(path) if not _is_ignored(file)]
            sizes = [file.stat().st_size for file in files]
            digests = {file.as_posix(): str(both_digests(file).md5) for file in files}
        else:
            names = [] if path.is_absolute() else committed(self.commit, [path.as_posix()])
            contents = {name: self.read(name) or b"" for name in names if not _is_ignored(Path(name))}
            sizes = [len(content) for content in contents.values()]
            digests = {name: md5(text, usedforsecurity=False).hexdigest() for name, text in contents.items()}
        if not digests and not path.is_dir():
            return None
        known = md5_of(path, digests) or folder_md5({})
        return Locked("", path, known, sum(sizes), len(digests) if known.endswith(FOLDER) else None)

    @cached_property
    def current(self) -> Held:
        """All outputs as they stand, whichever execution they are of."""
        return Held(self, {name: digest for out in self.outs.values() for name, digest in self._now(out)})

    def held(self, digests: Mapping[str, str]) -> Held:
        """Return files by name and sha256, to read the tables and documents among them."""
        return Held(self, digests)

    def files(self, path: Path) -> dict[str, Path]:
        """Return the files at or below ``path``: name in the project → where its bytes are.

        Raises:
            SelfsameError: there is no such artifact, or its bytes are nowhere.
        """
        name = in_project(path)
        outs = [] if Path(name).is_absolute() else self._outs_at(name)
        found = (file for out in outs for file in self._now(out) if is_below(file[0], name))
        places = {file: self.place(file, digest) for file, digest in found}
        if not outs and self.revision is None and path.exists():
            places = {in_project(file): file for file in files_under(path)}
        if not places:
            raise SelfsameError(
                f"{path}: no such artifact in {self}",
                f"name a file or folder that is an output in {LOCK_FILE}",
            )
        return places

    def digests(self, path: Path) -> dict[str, str]:
        """Return the sha256 of every file at or below ``path``, by its name in the project."""
        return {name: sha256_file(place) for name, place in self.files(path).items()}

    def recorded(self, out: Locked) -> dict[str, str]:
        """Return the sha256 of every file of an output as a record of its stage has them, without reading it.

        Empty if no record is of these bytes; older records, which have no md5, must be held against them.
        """
        ours = [record for record in self.lineage[0] if record.stage == out.stage]
        place = out.path.as_posix()
        for record in ours:
            if record.md5_of(out.path) == out.md5:
                return {name: digest for name, digest in record.outputs.items() if is_below(name, place)}
        return self.digests(out.path) if any(not record.md5 for record in ours) else {}

    def place(self, name: str, digest: str) -> Path:
        """Return a file with the bytes that an execution read or wrote under ``name``.

        The cache's objects are taken at their names; ``verify`` is what reads them. Any other place is
        believed only if its bytes have the digest.

        Args:
            digest: a sha256; or an md5 after ``md5:``; or ``here:``, for whatever the workspace has.

        Raises:
            SelfsameError: the bytes are nowhere.
        """
        if digest == HERE:
            return Path(name)
        if digest.startswith(MD5):
            md5 = digest.removeprefix(MD5)
            return self._store.at_hand(md5) or self._store.fetch(md5, self.read(name))
        stored = self.md5s.get(digest)
        if stored is not None and (place := self._store.at_hand(stored)):
            return place
        if Path(name).is_file() and sha256_file(Path(name)) == digest:
            return Path(name)
        for content in self._in_git(name):
            if sha256(content).hexdigest() == digest:
                return self._store.keep(digest, content)
        named = stored or self._locked_md5(name)
        if named is not None:
            place = self._store.fetch(named)
            if stored is not None or sha256_file(place) == digest:
                return place
        raise SelfsameError(
            f"{name}: the bytes of sha256 {digest} are neither in the workspace, nor in git, nor where DVC "
            "keeps its objects",
            "'dvc push' them from where they were made; 'dvc gc' may have removed them for good",
        )

    @cached_property
    def md5s(self) -> dict[str, str]:
        """Sha256 → md5 of every file that a record says was written."""
        records, _ = self.lineage
        return {each.outputs[name]: known for each in records for name, known in each.md5.items()}

    def _in_git(self, name: str) -> Iterator[bytes]:
        if not Path(name).is_absolute():
            yield from (content for _, content in versions_of(name, before=self.commit or "HEAD"))

    def _locked_md5(self, name: str) -> str | None:
        for out in self.outs.values() if self.read(LOCK_FILE.as_posix()) else ():
            if is_below(name, out.path.as_posix()):
                digest = dict(self._now(out, workspace=False)).get(name, "")
                return digest.removeprefix(MD5) or None
        return None

    def _outs_at(self, name: str) -> list[Locked]:
        if not Path(LOCK_FILE).exists() and self.revision is None:
            return []  # files can be followed by their digests alone
        return [out for place, out in self.outs.items() if is_below(place, name) or is_below(name, place)]

    def _now(self, out: Locked, workspace: bool = True) -> list[tuple[str, str]]:
        """Return an output's files, and by what digest each is to be placed."""
        name = out.path.as_posix()
        if workspace and self.revision is None and out.path.exists():
            return [(file.as_posix(), HERE) for file in files_under(out.path)]
        if out.md5.endswith(FOLDER):
            listing = self._store.fetch_listing(out.md5)
            return [(f"{name}/{file}", f"{MD5}{known}") for file, known in listing.items()]
        return [(name, f"{MD5}{out.md5}")]


def _is_ignored(file: Path) -> bool:
    """Tell whether ``.dvcignore`` keeps a file out of what DVC knows."""
    return file.suffix == ".pyc" or file.name.startswith(".partial-") or "__pycache__" in file.parts


def is_below(path: str, folder: str) -> bool:
    """Tell whether a path is ``folder`` or in it."""
    return path == folder or path.startswith(f"{folder}/")


def in_project(path: Path) -> str:
    """Name a file as the records do, relative to the project's root; outside of it by its whole path."""
    absolute, root = path.absolute(), Path.cwd()
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()
