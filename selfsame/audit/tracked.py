"""What git tracks of the project, held against the commit byte by byte."""

import sys
from collections.abc import Iterable, Iterator
from os.path import normpath
from pathlib import Path

from selfsame.audit.records import Problem
from selfsame.core.graph_file import CODE_ROOTS
from selfsame.core.layout import ATTESTATIONS, GRAPH_FILE, LINEAGE, LOCK_FILE, PARAMS_FILE
from selfsame.git import blob_ids, committed, head, untracked

CODE = (*CODE_ROOTS, "flows")
LINK = "a symbolic link"
ALWAYS = (
    GRAPH_FILE,
    PARAMS_FILE,
    LOCK_FILE,
    LINEAGE,
    ATTESTATIONS,
    Path(".dvc/config"),
    Path(".dvcignore"),
    *map(Path, CODE),
)


def check_tracked(sources: Iterable[Path]) -> tuple[int, list[Problem]]:
    """Compare graph, parameters, lock file, records, all code and ``sources`` with the commit.

    Of sources only what the commit has is compared: those that lie outside of the repository have no commit.
    git's own notes on file times are not trusted: every byte is read, as it is. Of code and records
    that the commit doesn't have each file is named, also one that git was told to ignore, and each file in
    the root that hides a library.

    Returns:
        How many files are as committed, and those that aren't.
    """
    commit = head()
    if commit is None:
        return 0, []
    here = Path.cwd()  # where a path stands counts, not where a link in its place leads to
    inside = [path for path in sources if Path(normpath(here / path)).is_relative_to(here)]
    own = committed(commit, [path.as_posix() for path in ALWAYS])  # of these a link has no commit's bytes
    expected = committed(commit, [path.as_posix() for path in inside]) | own
    files = [path for path in expected if Path(path).is_file() and not Path(path).is_symlink()]
    found = blob_ids(files) | {path: LINK for path in expected if Path(path).is_symlink()}
    fix = "'git restore' it; or commit it, if the change was meant"
    problems = [
        Problem("git", path, f"blob {blob.id} of commit {commit[:12]}", _words(found.get(path)), fix)
        for path, blob in expected.items()
        if found.get(path) != (LINK if blob.is_link and path not in own else blob.id)
    ]
    problems += _unknown(commit)
    return len(expected) - len(problems), problems


def _unknown(commit: str) -> Iterator[Problem]:
    """Name code, records, and a lock file, that the commit doesn't have."""
    places = [path.as_posix() for path in ALWAYS if path.exists()]
    places += [path.name for path in Path().iterdir() if _hides_a_library(path)]
    for path in untracked(commit, places) if places else []:
        if "__pycache__" not in Path(path).parts and Path(path).exists():
            yield Problem(
                "git", path, "a file that a commit has", "one that none has", "commit it, or delete it"
            )


def _hides_a_library(path: Path) -> bool:
    """Tell whether an import of a library would find this entry of the project's root first."""
    is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
    if not is_module or path.name in CODE:
        return False
    elsewhere = [Path(place) for place in sys.path if place and Path(place).resolve() != Path.cwd().resolve()]
    return path.stem in sys.stdlib_module_names or any(
        (place / path.stem).is_dir() or (place / f"{path.stem}.py").is_file() for place in elsewhere
    )


def _words(blob: str | None) -> str:
    if blob is None:
        return "nothing"
    return blob if " " in blob else f"blob {blob}"
