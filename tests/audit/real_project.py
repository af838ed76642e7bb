"""The real pipeline on a tiny data set, with a past: two results, one of them taken back from the cache."""

import multiprocessing
import os
import shutil
import sys
from importlib import import_module
from pathlib import Path

from project import CODE, FOREIGN, PRELOADED, TINY, Project

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
    """Run stages in one process that has torch and DVC already, and let DVC store what they wrote.

    Args:
        stored: the stages that DVC stores; all by default, also those that would have to run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, "dvc.repo"])
    environment = project.environment()
    process = context.Process(target=_run_stages, args=(project.root, stages, stored or (None,), environment))
    process.start()
    process.join()
    assert process.exitcode == 0


def _run_stages(
    root: Path, stages: list[str], stored: tuple[str | None, ...], environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    os.chdir(root)
    sys.path.insert(0, str(root))
    for name in FOREIGN:
        os.environ.pop(name, None)
    for name in [name for name in sys.modules if name.split(".")[0] in CODE]:
        del sys.modules[name]  # the tests' own copy
    from selfsame.runner import run_stage

    for stage in stages:
        module = import_module(f"tasks.{stage}")
        run_stage(stage, module.main)
    from dvc.repo import Repo

    with Repo() as repo:
        for name in stored:
            repo.commit(target=name, force=True)


def copy_project(project: Project, root: Path) -> Project:
    """Copy everything, and give the copy a remote of its own beside it, for its current commit."""
    shutil.copytree(project.root, root, symlinks=True)
    copy = Project(root)
    copy.run("dvc", "remote", "modify", "store", "url", str(root.with_name("store")))
    commit(copy, "a remote of its own")
    return copy
