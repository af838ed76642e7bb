"""What git says of the source: which commit, and whether the files at hand are as committed."""

import hashlib
import subprocess
from collections.abc import Sequence
from typing import Any


def commit_of(paths: Sequence[str]) -> dict[str, Any]:
    """Describe the commit that ``paths`` were taken from, as an in-toto resource descriptor.

    ``dirty`` tells whether one of ``paths`` differs from the commit or is unknown to it (``changed``
    names them, relative to the repository's root). The rest of the workspace doesn't count: ``dvc.lock``
    changes with every stage, so counting it would make every second stage of a clean run look dirty.
    Without git or a commit the descriptor says why in ``absent``: a pipeline may run without one.
    """
    inside = _git("rev-parse", "--is-inside-work-tree")
    if isinstance(inside, str):
        return _absent(inside)
    head = _git("rev-parse", "--verify", "HEAD")
    if isinstance(head, str):
        return _absent("the repository has no commit yet")
    status = _git("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", *paths)
    if isinstance(status, str):
        return _absent(status)
    changed = sorted(entry[3:].decode(errors="replace") for entry in status.split(b"\0") if entry)
    return {
        "name": "git",
        "digest": {"gitCommit": head.decode().strip()},
        "annotations": {"kind": "commit", "dirty": bool(changed), "changed": changed},
    }


def user_name() -> str | None:
    """Return the name that git would give a commit's author, if one is set."""
    name = _git("config", "user.name")
    return None if isinstance(name, str) else name.decode(errors="replace").strip()


def committed_sha256(commit: str, path: str) -> str | None:
    """Return the sha256 of ``path`` (relative to the current folder) as ``commit`` has it, if it does."""
    content = _git("cat-file", "blob", f"{commit}:./{path}")
    return None if isinstance(content, str) else hashlib.sha256(content).hexdigest()


def _absent(reason: str) -> dict[str, Any]:
    return {"name": "git", "annotations": {"kind": "commit", "absent": reason}}


def _git(*arguments: str) -> bytes | str:
    """Return git's output as bytes, or as text the reason why there is none."""
    # Without its optional locks, a status asked here can't collide with a git command of the user's.
    command = ["git", "--no-optional-locks", "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError:
        return "git is not installed"
    if done.returncode == 0:
        return done.stdout
    return done.stderr.decode(errors="replace").strip().removeprefix("fatal: ") or "git failed"
