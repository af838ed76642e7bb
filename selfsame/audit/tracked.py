"""What git tracks of the project, held against the commit byte by byte."""

from collections.abc import Iterable
from pathlib import Path

from selfsame.audit.records import Problem
from selfsame.core.layout import GRAPH_FILE, LINEAGE, LOCK_FILE, PARAMS_FILE
from selfsame.git import blob_ids, committed, head

ALWAYS = (GRAPH_FILE, PARAMS_FILE, LOCK_FILE, LINEAGE, Path(".dvc/config"))


def check_tracked(sources: Iterable[Path]) -> tuple[int, list[Problem]]:
    """Compare graph, parameters, lock file, records and ``sources`` (code, source data) with the commit.

    Only what the commit has is compared: before the first commit of a file nothing says how it should be,
    and source data that lie outside of the repository have no commit.
    git's own notes on file times are not trusted: every byte is read.

    Returns:
        How many files are as committed, and those that aren't.
    """
    commit = head()
    if commit is None:
        return 0, []
    inside = [path for path in sources if path.resolve().is_relative_to(Path.cwd().resolve())]
    expected = committed(commit, [path.as_posix() for path in [*ALWAYS, *inside]])
    found = blob_ids([path for path in expected if Path(path).is_file()])
    fix = "'git restore' it; or commit it, if the change was meant"
    problems = [
        Problem("git", path, f"blob {blob} of commit {commit[:12]}", _words(found.get(path)), fix)
        for path, blob in expected.items()
        if found.get(path) != blob
    ]
    return len(expected) - len(problems), problems


def _words(blob: str | None) -> str:
    return f"blob {blob}" if blob else "nothing"
