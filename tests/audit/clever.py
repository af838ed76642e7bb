"""What the tests of clever changes share: a project with two results, and how a change is judged."""

import re
from collections.abc import Callable
from pathlib import Path

from toy_project import Project

from selfsame.audit.verify import verify

Change = Callable[[Project], tuple[str, str]]  # returns the verdict, and what a problem must name


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text, path
    Path(path).write_text(text.replace(old, new))


def lock_of(project: Project, revision: str) -> str:
    return project.run("git", "show", f"{revision}:dvc.lock") + "\n"


def section(lock: str, stage: str) -> str:
    found = re.search(rf"^  {stage}:\n(?:   .*\n)+", lock, re.MULTILINE)
    assert found
    return found[0]


def judge(project: Project, change: Change) -> None:
    """Make a change and have it named, with the right verdict."""
    verdict, named = change(project)
    report = verify()
    assert any(named in f"{problem.path} {problem.found}" for problem in report.problems), report.problems
    assert report.verdict == verdict, report.problems
