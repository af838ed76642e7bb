"""Record a run in git: what it used, what it made and how good that is, and nothing else.

Message and tag come from comparing the files at hand with what git has, not from the run that just ended.
So a record that failed is caught up by the next run, even by one that finds nothing to do.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import GRAPH_FILE, LINEAGE, LISTING, LOCK_FILE, PARAMS_FILE
from selfsame.dag.nested import MISSING, differences, leaves
from selfsame.dsse import ENVELOPE, wrap
from selfsame.git import ask, git, read_blob

UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_LOG")
CHAMPION, PROMOTED = "champion", "student"  # the artifact that gets versions, and when: metrics' champion
LOCKED = re.compile(r"\.lock'|cannot lock ref")  # of what git says
METRIC_LINES = 40  # of a commit's message; metrics.json has all


def check_git() -> str:
    """Check that a commit can be made here that belongs to a branch and has an author; return the branch.

    Raises:
        SelfsameError: saying what stands in the way.
    """
    git("rev-parse", "--verify", "HEAD", fix="commit the project once by hand")
    for name in UNFINISHED:
        if Path(git("rev-parse", "--git-path", name).strip()).exists():
            raise SelfsameError(
                f"git is in the middle of something ({name})", "finish or abort it ('git status' says how)"
            )
    if unmerged := git("diff", "--name-only", "--diff-filter=U").split():
        raise SelfsameError(f"git has conflicts in {', '.join(unmerged)}", "resolve them, then git add them")
    branch = git("symbolic-ref", "HEAD", fix="git switch BRANCH: a commit on a detached HEAD is easily lost")
    git("var", "GIT_COMMITTER_IDENT", fix="git config user.name NAME; git config user.email ADDRESS")
    return branch.strip().removeprefix("refs/heads/")


def sign_records(key: Path) -> int:
    """Put every provenance record that has none yet into a signed envelope beside it; return how many.

    Args:
        key: PEM file of an elliptic-curve private key.
    """
    bare = [path for path in sorted(LINEAGE.rglob("*.json")) if not path.with_suffix(ENVELOPE).exists()]
    for path in bare:
        envelope = json.dumps(wrap(path.read_bytes(), key), indent=2) + "\n"
        path.with_suffix(ENVELOPE).write_text(envelope, encoding="utf-8")
    return len(bare)


def record_run(metrics: Sequence[Path], branch: str, key: Path | None = None) -> str:
    """Commit parameters, ``dvc.lock``, listings, records and metrics if they differ; version a champion.

    Other changed or staged files stay as they are, and so does everything if no commit comes about.

    Args:
        metrics: the files that the project declares as metrics.
        branch: the one that the run began on.
        key: PEM file of the private key that signs the records; None leaves them as they are.

    Returns:
        What was done, in words.

    Raises:
        SelfsameError: a hook refuses, or somebody has gone to another branch meanwhile.
        PassingError: another command holds git's lock.
    """
    if (now := check_git()) != branch:
        raise SelfsameError(
            f"the run began on branch {branch}, and {now} is checked out",
            f"git switch {branch}, and run again",
        )
    paths = [str(path) for path in (PARAMS_FILE, LOCK_FILE, LINEAGE, *metrics) if path.exists()]
    known = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", "data").split("\0")
    paths += [path for path in known if path.endswith(LISTING)]
    done = [f"signed {signed} records"] if key and (signed := sign_records(key)) else []
    if git("status", "--porcelain", "--untracked-files=all", "--", *paths):
        message = describe(metrics)
        commit_files(message, paths)
        done.append(f"committed {git('rev-parse', '--short', 'HEAD').strip()}: {message.splitlines()[0]}")
    if tag := _new_version(metrics):
        _change("tag", "--annotate", tag, "--message", f"{CHAMPION}: the {PROMOTED} was promoted")
        done.append(f"tagged {tag}")
    return "; ".join(done) or "nothing new to record"


def commit_files(message: str, paths: Sequence[str]) -> None:
    """Commit files as they are on disk; git is told of new ones, and forgets them if it comes to nothing."""
    new = git("ls-files", "--others", "--exclude-standard", "-z", "--", *paths).split("\0")[:-1]
    if new:
        _change("add", "--intent-to-add", "--", *new)
    try:
        _change("commit", "--quiet", "--only", "--message", message, "--", *paths)
    except SelfsameError:
        if new:
            ask("reset", "--quiet", "--", *new)
        raise


def _change(*arguments: str) -> None:
    """Run a command of git that changes something; only a lock may be gone at the next try."""
    try:
        git(*arguments, fix="mend what git or its hook says; the next run with --commit catches up")
    except SelfsameError as error:
        raise PassingError(error.what, error.fix) if LOCKED.search(error.what) else error from None


def describe(metrics: Sequence[Path]) -> str:
    """Return a commit's message: the stages whose record changed and why, metrics, the data's digests."""
    before, after = _lock(_committed(LOCK_FILE)), _lock(_written(LOCK_FILE))
    changed = [name for name in after if after[name] != before.get(name)]
    lines = [f"Run: {', '.join(changed)}" if changed else "Run: no stage changed", ""]
    for name in changed:
        reasons = list(_reasons(before[name], after[name])) if name in before else ["first run"]
        lines.append(f"{name}: {', '.join(reasons)}")
    for path in metrics:
        if deltas := _metric_deltas(path):
            lines += ["", f"{path}:", *deltas[:METRIC_LINES], *(["  …"] if deltas[METRIC_LINES:] else [])]
    made = {out["path"] for entry in after.values() for out in entry.get("outs", [])}
    sources = [entry for entry in after.values() if not made & {dep["path"] for dep in entry.get("deps", [])}]
    data = [f"  {out['path']} md5 {out['md5']}" for entry in sources for out in entry.get("outs", [])]
    return "\n".join([*lines, "", "data:", *data])


def _reasons(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    """Say in which parameters and dependencies two records of one stage differ."""
    for file, values in after.get("params", {}).items():
        for key, old, new in differences("", before.get("params", {}).get(file, {}), values):
            yield f"{key} {old} → {new}"
    known = {dep["path"]: dep["md5"] for dep in before.get("deps", [])}
    yield from (dep["path"] for dep in after.get("deps", []) if known.get(dep["path"]) != dep["md5"])
    if before.get("cmd") != after.get("cmd"):
        yield "its command"


def _new_version(metrics: Sequence[Path]) -> str | None:
    """Name the next version of the champion, as GTO does, if a student was promoted since the last one."""
    artifact = read_yaml(GRAPH_FILE).get("artifacts", {}).get(CHAMPION)
    if artifact is None or PROMOTED not in [_json(_written(path)).get(CHAMPION) for path in metrics]:
        return None
    tags = git("tag", "--list", f"{CHAMPION}@v*", "--sort=-version:refname").split()
    versions = [found for tag in tags if (found := re.fullmatch(r"(.+@v\d+\.\d+\.)(\d+)", tag))]
    if not versions:
        return f"{CHAMPION}@v0.0.1"
    last = versions[0]
    old, new = (
        {out["path"]: out["md5"] for entry in _lock(text).values() for out in entry.get("outs", [])}
        for text in (_committed(LOCK_FILE, last[0]), _written(LOCK_FILE))
    )
    return None if old.get(artifact["path"]) == new[artifact["path"]] else f"{last[1]}{int(last[2]) + 1}"


def _metric_deltas(path: Path) -> list[str]:
    """Say which single values of a metrics file differ from those in git; lists are left out."""
    old, new = (dict(leaves(_json(text))) for text in (_committed(path), _written(path)))
    return [
        f"  {key} {_short(old.get(key, MISSING))} → {_short(value)}"
        for key, value in new.items()
        if value != old.get(key, MISSING) and not isinstance(value, list)
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _json(text: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(text or "{}")
    return values


def _lock(text: str) -> dict[str, dict[str, Any]]:
    stages: dict[str, dict[str, Any]] = (YAML(typ="safe").load(text) or {}).get("stages", {})
    return stages


def _written(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _committed(path: Path, revision: str = "HEAD") -> str:
    """Return a file as a commit has it; nothing if it doesn't."""
    content = read_blob(revision, path.as_posix())
    return content.decode() if content else ""
