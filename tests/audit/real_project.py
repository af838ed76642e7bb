"""The real pipeline on a tiny data set, with a past: two results, one of them taken back from the cache."""

import shutil
from pathlib import Path

from project import TINY, Project

THRESHOLDS = (0.6, 0.9)  # of the first result and of the second


def make_real_project(root: Path) -> Project:
    """Run everything, then once more with another threshold, and take the first result back."""
    project = Project.create(root, TINY | {"pseudo_label": {"threshold": THRESHOLDS[0]}})
    project.run("git", "config", "user.name", "Ada")
    project.run("git", "config", "user.email", "ada@example.org")
    # No relative path: for other commits than the current one DVC takes it to start at the root of all.
    project.run("dvc", "remote", "add", "--quiet", "--default", "store", str(root.with_name("store")))
    with (root / ".gitignore").open("a") as ignored:
        ignored.write(".scratch\n")
    commit(project, "sources")
    execute(project, [*project.stages[:2], *project.stages[1:]])  # 'split' twice, on the same inputs
    commit(project, "first")
    project.set("pseudo_label", threshold=THRESHOLDS[1])
    execute(project, ["pseudo_label", "retrain", "evaluate"])
    commit(project, "second")
    project.run("git", "checkout", "-q", "HEAD~1", "--", "dvc.lock", "params.yaml", "reports/metrics.json")
    project.run("dvc", "checkout", "--quiet", "--force")
    commit(project, "first again")
    return project


def commit(project: Project, message: str) -> None:
    project.run("git", "add", "--all")
    project.run("git", "commit", "-qm", message)


def execute(project: Project, stages: list[str], *stored: str) -> None:
    """Run stages by themselves, and let DVC store what they wrote.

    Args:
        stored: the stages that DVC stores; all by default, also those that would have to run.
    """
    for stage in stages:
        project.run("python", "-m", f"tasks.{stage}")
    project.run("dvc", "commit", "--quiet", "--force", *stored)


def copy_project(project: Project, root: Path) -> Project:
    """Copy everything, and give the copy a remote of its own beside it, for its current commit."""
    shutil.copytree(project.root, root, symlinks=True)
    copy = Project(root)
    copy.run("dvc", "remote", "modify", "store", "url", str(root.with_name("store")))
    commit(copy, "a remote of its own")
    return copy
