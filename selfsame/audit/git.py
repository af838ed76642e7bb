"""What git has: the files of a revision, who committed, and whether the files at hand are as committed."""

import subprocess
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from selfsame.core.errors import SelfsameError


class Commit(NamedTuple):
    """One commit: its id, its author, when it was made."""

    id: str
    author: str
    when: datetime


class Tag(NamedTuple):
    """One annotated tag: its name, the whole of its message, whether it carries a signature."""

    name: str
    message: str
    signed: bool


def resolve(revision: str) -> str:
    """Return the commit that a revision names.

    Raises:
        SelfsameError: it names none.
    """
    found = _git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is None:
        raise SelfsameError(f"{revision}: no such revision", "see 'git log --oneline' and 'git tag'")
    return found.decode().strip()


def head() -> str | None:
    """Return the current commit; None without git or a first commit."""
    found = _git("rev-parse", "--verify", "--quiet", "HEAD")
    return found.decode().strip() if found else None


def read_blob(commit: str, path: str) -> bytes | None:
    """Return a file's bytes as a commit has it, if it does; ``path`` is relative to the current folder."""
    return _git("cat-file", "blob", f"{commit}:./{path}")


def committed(commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Return what a commit has at or below ``paths``: path (relative to the current folder) → blob id."""
    listed = _git("ls-tree", "-r", "-z", commit, "--", *paths) or b""
    blobs = {}
    for entry in filter(None, listed.decode().split("\0")):
        description, _, path = entry.partition("\t")
        blobs[path] = description.split()[2]
    return blobs


def blob_ids(paths: list[str]) -> dict[str, str]:
    """Return the blob id of the bytes that each file has now: read anew, whatever git's index remembers."""
    if not paths:
        return {}
    hashed = _git("hash-object", "--stdin-paths", stdin="\n".join(paths).encode())
    return dict(zip(paths, hashed.decode().split(), strict=True)) if hashed else {}


def commits_of(*paths: str, before: str = "HEAD") -> list[Commit]:
    """Return the commits that changed one of ``paths``, the newest first."""
    log = _git("log", "--format=%H%x09%an%x09%cI", before, "--", *paths) or b""
    fields = (line.split("\t") for line in log.decode().splitlines())
    return [Commit(commit, author, datetime.fromisoformat(when)) for commit, author, when in fields]


def release_tags(word: str) -> list[Tag]:
    """Return the annotated tags whose message has ``word`` in it."""
    listed = _git("for-each-ref", "refs/tags", "--format=%(objecttype)%09%(refname:short)") or b""
    found = []
    for line in listed.decode().splitlines():
        kind, _, name = line.partition("\t")
        content = (_git("cat-file", "tag", name) or b"").decode(errors="replace") if kind == "tag" else ""
        if word in content:
            message, _, signature = content.partition("-----BEGIN")
            found.append(Tag(name, message.partition("\n\n")[2].strip(), bool(signature)))
    return found


def create_tag(name: str, message: str) -> None:
    """Make an annotated tag of the current commit.

    Raises:
        SelfsameError: git refuses, for example because there is such a tag.
    """
    done = subprocess.run(
        ["git", "tag", "--annotate", name, "--message", message], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SelfsameError(f"git makes no tag {name}: {done.stderr.strip()}", "choose another name")


def _git(*arguments: str, stdin: bytes | None = None) -> bytes | None:
    """Return what git prints; None if it fails or isn't there."""
    command = ["git", "--no-optional-locks", "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
