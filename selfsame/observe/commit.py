"""Which commit the code of an execution is, and whether the files at hand are as committed."""

from collections.abc import Mapping
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.git import committed_sha256s, git, head


def current_commit() -> str | SelfsameError:
    """Return the current commit, or why there is none: a pipeline may run without one."""
    try:
        git("rev-parse", "--is-inside-work-tree", fix="make a repository: 'git init'")
    except SelfsameError as error:
        return error
    return head() or SelfsameError("the repository has no commit yet", "make one")


def describe_commit(commit: str | SelfsameError, files: Mapping[str, str]) -> dict[str, Any]:
    """Describe the commit that files (path → sha256) were taken from, as an in-toto resource descriptor.

    ``changed`` names those whose bytes the commit doesn't have, ``dirty`` tells whether there are any. The
    bytes decide, not git's index, so that nothing which git was told to overlook is overlooked. The rest of
    the workspace doesn't count: ``dvc.lock`` changes with every stage.
    """
    if isinstance(commit, SelfsameError):
        return {"name": "git", "annotations": {"kind": "commit", "absent": commit.what}}
    held = committed_sha256s(commit, files)
    changed = sorted(name for name, digest in files.items() if held.get(name) != digest)
    return {
        "name": "git",
        "digest": {"gitCommit": commit},
        "annotations": {"kind": "commit", "dirty": bool(changed), "changed": changed},
    }
