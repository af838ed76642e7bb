"""A merge of two branches with runs: what DVC's cache has is restored, the rest runs, nothing is guessed."""

import json
import subprocess
from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.dag.plan import read_plan
from tests.conftest import ROOT, Toy


def git(*arguments: str, fails: bool = False) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout


def run_on(toy: Toy, branch: str, **changes: int) -> None:
    git("switch", "-qc", branch, "main")
    for stage, value in changes.items():
        toy.set(stage, value=value)
    toy.dvc("repro", "-q")
    git("add", "--force", "dvc.lock", "params.yaml", "metrics.json")
    git("commit", "-qm", branch)


@pytest.mark.parametrize("attributes", [True, False], ids=["as shipped", "without .gitattributes"])
def test_two_branches_with_runs(done: Toy, attributes: bool) -> None:
    Path(".gitignore").write_text("/*.txt\n!/source.txt\n/runs.log\n")
    if attributes:
        Path(".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    git("branch", "-qM", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    base = done.params
    run_on(done, "theirs", left=5)
    run_on(done, "ours", right=6)
    done.runs()
    git("merge", "-q", "theirs", fails=True)
    assert "dvc.lock" in git("diff", "--name-only", "--diff-filter=U")
    base["left"]["value"], base["right"]["value"] = 5, 6  # params.yaml is for a person to resolve
    Path("params.yaml").write_text(json.dumps(base))
    if not attributes:
        with pytest.raises(SelfsameError, match="conflict markers") as caught:
            read_plan()
        assert "git checkout --ours dvc.lock" in caught.value.fix
        git("checkout", "--ours", "dvc.lock")
    said = done.dvc("repro")
    assert done.runs() == ["join"], "left and right have run, each on its branch"
    assert "Stage 'left' is cached" in said
    git("add", "dvc.lock", "params.yaml")
    git("commit", "-qm", "merged")
    assert (done.folder / "join.txt").read_text().startswith("15")
    assert "up to date" in done.dvc("status")
