"""Which commit the code of an execution is, and whether the files at hand are as committed."""

from collections.abc import Sequence
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.git import git, head


def commit_of(paths: Sequence[str]) -> dict[str, Any]:
    """Describe the commit that ``paths`` were taken from, as an in-toto resource descriptor.

    ``dirty`` tells whether one of ``paths`` differs from the commit or is unknown to it (``changed``
    names them, relative to the repository's root). The rest of the workspace doesn't count: ``dvc.lock``
    changes with every stage, so counting it would make every second stage of a clean run look dirty.
    Without git or a commit the descriptor says why in ``absent``: a pipeline may run without one.
    """
    try:
        git("rev-parse", "--is-inside-work-tree")
        commit = head()
        if commit is None:
            return _absent("the repository has no commit yet")
        status = git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths)
    except SelfsameError as error:
        return _absent(error.what)
    changed = sorted(entry[3:] for entry in status.split("\0") if entry)
    return {
        "name": "git",
        "digest": {"gitCommit": commit},
        "annotations": {"kind": "commit", "dirty": bool(changed), "changed": changed},
    }


def _absent(reason: str) -> dict[str, Any]:
    return {"name": "git", "annotations": {"kind": "commit", "absent": reason}}
