"""A copy of the workspace to run a trial in: the commit, with the changes that are not committed yet."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages
from selfsame.core.layout import SCRATCH
from selfsame.dag.adapter import LOCAL_CONFIG, share_cache
from selfsame.git import git, head

DATA = Path("data")  # where a person puts files that git ignores, beside the stages' outputs
# Read-only links to the cache, where the file system has any: a stage never writes into a file that is there.
CACHE_LINKS = "reflink,hardlink,copy"


def make_scratch(folder: Path) -> Path:
    """Copy the workspace of the current folder to ``folder``; return the project's root there.

    A clone that shares git's objects and DVC's cache, so that it costs little; what git tracks is copied,
    what it doesn't know too, and what it ignores below ``data/`` is linked, except the stages' outputs,
    which DVC takes from its cache.

    Raises:
        SelfsameError: no git repository, or one without a commit.
    """
    top = Path(git("rev-parse", "--show-toplevel").strip())
    commit = require_commit()
    if folder.exists():
        shutil.rmtree(folder)
    git("clone", "--quiet", "--shared", "--no-tags", "--no-checkout", str(top), str(folder))
    git("checkout", "--quiet", "--detach", commit, at=folder)
    root = folder / Path.cwd().relative_to(top)
    changed = git("diff", "--name-only", "--relative", "-z", "HEAD")
    unknown = git("ls-files", "--others", "--exclude-standard", "-z")
    for name in _names(changed + unknown):
        _copy(Path(name), root / name)
    ignored = git("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", str(DATA))
    outputs = [Path(output) for stage in read_stages().values() for output in stage.outputs]
    for file in map(Path, _names(ignored)):
        if not any(file.is_relative_to(output) for output in outputs):
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).symlink_to(file.absolute())
    SCRATCH.mkdir(exist_ok=True)
    (root / SCRATCH).symlink_to(SCRATCH.absolute())  # a training killed half-way goes on from there
    if LOCAL_CONFIG.exists():
        shutil.copy2(LOCAL_CONFIG, root / LOCAL_CONFIG)
    share_cache(root, CACHE_LINKS)
    return root


def require_commit() -> str:
    """Return the current commit, beside which experiments are kept.

    Raises:
        SelfsameError: no git repository, or one without a commit.
    """
    git("rev-parse", "--is-inside-work-tree", fix="experiments are kept in git: 'git init'")
    commit = head()
    if commit is None:
        raise SelfsameError(
            "git has no commit yet, and an experiment is kept beside one",
            "run 'git add --all', then 'git commit --message \"First version\"'",
        )
    return commit


def _names(listed: str) -> Iterator[str]:
    """Split what ``git … -z`` lists; a repository inside it, which ends in a slash, is left out."""
    return (name for name in listed.split("\0") if name and not name.endswith("/"))


def _copy(source: Path, target: Path) -> None:
    """Make ``target`` what ``source`` is: a file, a link, or not there."""
    target.unlink(missing_ok=True)
    if source.is_symlink() or source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
