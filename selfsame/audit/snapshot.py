"""The project at one moment: the working folder, or a git revision, with the bytes wherever they are kept."""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsame.audit.records import Problem, Record, parse_lineage
from selfsame.audit.stored import FOLDER, Locked, Store, parse_lock, parse_yaml
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE, LOCK_FILE, PARAMS_FILE
from selfsame.git import committed, head, read_blob, resolve

if TYPE_CHECKING:
    import pyarrow.dataset as ds


class Snapshot:
    """What a project is at a revision; without one, what its working folder holds.

    The bytes of an output are looked for in the workspace (only without a revision), in DVC's cache and
    in its remote, so that an audit works in a fresh clone too.

    Args:
        revision: anything that git takes for a commit.

    Raises:
        SelfsameError: there is no such revision.
    """

    def __init__(self, revision: str | None = None) -> None:
        self.revision = revision
        self.commit = head() if revision is None else resolve(revision)
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
        files = {path: path.read_bytes() for path in LINEAGE.rglob("*.json")}
        if self.revision is not None and self.commit is not None:
            for name in committed(self.commit, [LINEAGE.as_posix()]):
                if Path(name) not in files and (content := read_blob(self.commit, name)) is not None:
                    files[Path(name)] = content
        return parse_lineage(files)

    @cached_property
    def outs(self) -> dict[str, Locked]:
        """Every output that ``dvc.lock`` names, by its path.

        Raises:
            SelfsameError: there is no readable ``dvc.lock``.
        """
        outs, _ = parse_lock(self.read(LOCK_FILE.as_posix()))
        return {out.path.as_posix(): out for out in outs}

    @cached_property
    def params(self) -> dict[str, Any]:
        """The whole of ``params.yaml`` as it stands there, unchecked."""
        content = self.read(PARAMS_FILE.as_posix())
        return parse_yaml(content) if content else {}

    def path_of(self, stem: str) -> str | None:
        """Return the output of that stem (``data/splits/pool`` is ``pool``), if there is one."""
        return next((path for path in self.outs if Path(path).stem == stem), None)

    def files(self, path: Path) -> dict[str, Path]:
        """Return the files at or below ``path``: name in the project → where its bytes are.

        Raises:
            SelfsameError: there is no such artifact, or its bytes are nowhere.
        """
        name = _in_project(path)
        outs = [] if Path(name).is_absolute() else self._outs_at(name)
        places = {file: place for out in outs for file, place in self._kept(out) if _is_below(file, name)}
        if not outs and self.revision is None and path.exists():
            places = {_in_project(file): file for file in files_under(path)}
        if not places:
            raise SelfsameError(
                f"{path}: no such artifact in {self}",
                f"name a file or folder that is an output in {LOCK_FILE}",
            )
        return places

    def _outs_at(self, name: str) -> list[Locked]:
        if not Path(LOCK_FILE).exists() and self.revision is None:
            return []  # files can be followed by their digests alone
        return [out for place, out in self.outs.items() if _is_below(place, name) or _is_below(name, place)]

    def _kept(self, out: Locked) -> list[tuple[str, Path]]:
        """Return an output's files with their places: workspace, git, cache or remote."""
        name = out.path.as_posix()
        if self.revision is None and out.path.exists():
            return [(file.as_posix(), file) for file in files_under(out.path)]
        if out.md5.endswith(FOLDER):
            listing = self._store.fetch_listing(out.md5)
            return [(f"{name}/{file}", self._store.fetch(md5)) for file, md5 in listing.items()]
        content = read_blob(self.commit, name) if self.commit else None
        return [(name, self._store.fetch(out.md5, content))]

    def digests(self, path: Path) -> dict[str, str]:
        """Return the sha256 of every file at or below ``path``, by its name in the project."""
        return {name: sha256_file(place) for name, place in self.files(path).items()}

    def parts(self, stem: str) -> list[Path] | None:
        """Return where the parts of a table are, in their order; None if no stage writes such a table."""
        path = self.path_of(stem)
        if path is None:
            return None
        places = self.files(Path(path))
        return [places[name] for name in sorted(places) if name.endswith(".parquet")]

    def table(self, stem: str) -> "ds.Dataset | None":
        """Open the table of that stem, if a stage writes one."""
        import pyarrow.dataset as ds

        parts = self.parts(stem)
        return ds.dataset([part.as_posix() for part in parts], format="parquet") if parts else None

    def document(self, stem: str) -> Any:
        """Read the JSON output of that stem; None if no stage writes one."""
        path = self.path_of(stem)
        if path is None:
            return None
        (place,) = self.files(Path(path)).values()
        return json.loads(place.read_bytes())


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _in_project(path: Path) -> str:
    """Name a file as the records do, relative to the project's root; outside of it by its whole path."""
    absolute, root = path.absolute(), Path.cwd()
    return (absolute.relative_to(root) if absolute.is_relative_to(root) else absolute).as_posix()
