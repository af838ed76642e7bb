"""git, asked in one way by every part of the project.

Paths are taken literally and relative to the current folder. Objects are read as they are, without what
``git replace`` puts in their place. A question takes no lock, so that it can't collide with a git command of
the user's.
"""

import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from selfsame.core.errors import PassingError, SelfsameError

OPTIONS = ("--no-optional-locks", "--literal-pathspecs", "--no-replace-objects")
AT_ONCE = 64  # versions of a file in memory
AUTHOR = ("-c", "user.name=selfsame", "-c", "user.email=selfsame@localhost", "-c", "commit.gpgsign=false")


class Commit(NamedTuple):
    """One commit: its id, its author, when it was made."""

    id: str
    author: str
    when: datetime


class Blob(NamedTuple):
    """What a commit has in the place of a file: its id, and whether it is a symbolic link."""

    id: str
    is_link: bool


class Tag(NamedTuple):
    """One annotated tag: its name, the whole of its message, and of its signature whether it has one.

    ``valid`` tells whether git, with the keys that it is given here, finds the signature good.
    """

    name: str
    message: str
    signed: bool
    valid: bool


def git(*arguments: str, at: Path | None = None, fix: str = "") -> str:
    """Run git, in the folder ``at`` if one is given, and return what it prints.

    Raises:
        SelfsameError: git failed, with its own words and ``fix``; a PassingError if there is no ``fix``,
            since another command may hold a lock.
    """
    done = _run(arguments, at=at)
    if done.returncode == 0:
        return done.stdout.decode(errors="replace")
    command = next((word for word in arguments if re.fullmatch("[a-z][a-z-]*", word)), "")
    words = (done.stderr or done.stdout).decode(errors="replace").strip().removeprefix("fatal: ")
    said = f"git {command}: {words or 'refused'}"
    raise SelfsameError(said, fix) if fix else PassingError(said, "'git status' says more")


def ask(*arguments: str, stdin: bytes | None = None) -> bytes | None:
    """Return what git prints; None if it refuses or isn't there."""
    try:
        done = _run(arguments, stdin=stdin)
    except SelfsameError:
        return None
    return done.stdout if done.returncode == 0 else None


def head() -> str | None:
    """Return the current commit; None without git or a first commit."""
    return _line("rev-parse", "--verify", "--quiet", "HEAD")


def resolve(revision: str) -> str:
    """Return the commit that a revision names.

    Raises:
        SelfsameError: it names none.
    """
    found = _line("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if found is None:
        raise SelfsameError(f"{revision}: no such revision", "see 'git log --oneline' and 'git tag'")
    return found


def user_name() -> str | None:
    """Return the name that git would give a commit's author, if one is set."""
    return _line("config", "user.name")


def read_blob(commit: str, path: str) -> bytes | None:
    """Return a file's bytes as a commit has it, if it does; ``path`` is relative to the current folder."""
    return ask("cat-file", "blob", f"{commit}:./{path}")


def read_blobs(names: Iterable[str]) -> Iterator[bytes | None]:
    """Return the bytes of every ``COMMIT:./PATH``, None where there is no such file; git is asked once."""
    wanted = list(names)
    fit = [name for name in wanted if "\n" not in name]
    told = ask("cat-file", "--batch", stdin="".join(f"{name}\n" for name in fit).encode()) if fit else None
    found: dict[str, bytes] = {}
    start = 0
    for name in fit:
        if told is None:
            break
        end = told.index(b"\n", start)
        described = told[start:end].rsplit(b" ", 2)
        start = end + 1
        if described[-1].isdigit():  # else it says that there is no such file
            size = int(described[-1])
            if described[-2] == b"blob":
                found[name] = told[start : start + size]
            start += size + 1
    return map(found.get, wanted)


def committed_sha256s(commit: str, paths: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of the bytes that a commit has of each file that it has."""
    wanted = list(paths)
    contents = read_blobs(f"{commit}:./{path}" for path in wanted)
    held = zip(wanted, contents, strict=True)
    return {path: hashlib.sha256(content).hexdigest() for path, content in held if content is not None}


def versions_of(path: str, before: str = "HEAD") -> Iterator[tuple[Commit, bytes]]:
    """Yield what each commit that changed a file made of it, the newest first; not those that removed it."""
    commits = commits_of(path, before=before)
    for start in range(0, len(commits), AT_ONCE):
        some = commits[start : start + AT_ONCE]
        contents = read_blobs(f"{commit.id}:./{path}" for commit in some)
        yield from ((one, text) for one, text in zip(some, contents, strict=True) if text is not None)


def committed(commit: str, paths: Iterable[str]) -> dict[str, Blob]:
    """Return what a commit has at or below ``paths``, by path relative to the current folder."""
    listed = ask("ls-tree", "-r", "-z", commit, "--", *paths) or b""
    blobs = {}
    for entry in filter(None, listed.decode().split("\0")):
        description, _, path = entry.partition("\t")
        mode, _, blob = description.split()
        blobs[path] = Blob(blob, mode == "120000")
    return blobs


def blob_ids(paths: list[str]) -> dict[str, str]:
    """Return the blob id of the bytes that each file has now: as they are, whatever git's index remembers."""
    if not paths:
        return {}
    hashed = ask("hash-object", "--no-filters", "--stdin-paths", stdin="\n".join(paths).encode())
    return dict(zip(paths, hashed.decode().split(), strict=True)) if hashed else {}


def commits_of(*paths: str, before: str = "HEAD") -> list[Commit]:
    """Return the commits that changed one of ``paths``, the newest first."""
    log = ask("log", "--format=%H%x09%an%x09%cI", before, "--", *paths) or b""
    fields = (line.split("\t") for line in log.decode().splitlines())
    return [Commit(commit, author, datetime.fromisoformat(when)) for commit, author, when in fields]


def untracked(commit: str, folders: Iterable[str]) -> list[str]:
    """Return the files in ``folders`` that a commit doesn't have, also those that git ignores."""
    held = committed(commit, folders)
    listed = ask("ls-files", "--others", "--cached", "-z", "--", *folders) or b""
    return sorted({path for path in listed.decode().split("\0") if path} - held.keys())


def ever(kind: str, path: str) -> dict[str, Commit]:
    """Return every file at or below ``path`` that a commit of the present history added, or deleted.

    Merges count too: each is held against all its parents.

    Args:
        kind: ``A`` or ``D``, as git's ``--diff-filter`` has them.

    Returns:
        Path → the latest such commit.
    """
    options = ["-m", "--no-renames", "--relative", "--name-only", "-z", f"--diff-filter={kind}"]
    log = ask("log", *options, "--format=%x01%H%x09%an%x09%cI", "--", path) or b""
    found: dict[str, Commit] = {}
    for entry in log.decode().split("\x01")[1:]:
        described, *names = entry.replace("\n", "\0").split("\0")
        commit, author, when = described.split("\t")
        for name in filter(None, names):
            found.setdefault(name, Commit(commit, author, datetime.fromisoformat(when)))
    return found


def tags_with(word: str) -> list[Tag]:
    """Return the annotated tags whose message has ``word`` in it."""
    listed = ask("for-each-ref", "refs/tags", "--format=%(objecttype)%09%(refname:short)") or b""
    found = []
    for line in listed.decode().splitlines():
        kind, _, name = line.partition("\t")
        content = (ask("cat-file", "tag", name) or b"").decode(errors="replace") if kind == "tag" else ""
        if word in content:
            message, _, signature = content.partition("-----BEGIN")
            valid = bool(signature) and ask("verify-tag", name) is not None
            found.append(Tag(name, message.partition("\n\n")[2].strip(), bool(signature), valid))
    return found


def _line(*arguments: str) -> str | None:
    found = ask(*arguments)
    return found.decode(errors="replace").strip() if found else None


def _run(
    arguments: tuple[str, ...], at: Path | None = None, stdin: bytes | None = None
) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(
            ["git", *OPTIONS, *arguments], cwd=at, input=stdin, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise SelfsameError("git is not installed", "install git") from None
