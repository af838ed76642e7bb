"""The audit works wherever the bytes are: workspace, cache, remote, another revision."""

import json
import shutil
from pathlib import Path

import pytest
from project import Project

from selfsame.audit.case import Case
from selfsame.audit.chain import audit_chain
from selfsame.audit.diff import Side, compare, format_diff
from selfsame.audit.questions import answer_all
from selfsame.audit.rows import describe_row
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.taint import trace_taint
from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError

CHAMPION = Path("models/champion")
Asked = tuple[dict, list, dict, dict]


def ask() -> Asked:
    """Ask everything that an auditor may."""
    snapshot = Snapshot()
    chain = audit_chain(Case(snapshot, CHAMPION))
    answers = answer_all(Case(snapshot, CHAMPION))
    row = next(iter(answers[11].evidence["examples"]))
    return chain, answers, describe_row(snapshot, row), trace_taint(snapshot, [row])


def remove_outputs() -> None:
    for folder in ("data/raw", "data/splits", "data/pseudo_labels", "models"):
        shutil.rmtree(folder)
    for path in Path("reports").iterdir():
        if path.name != "metrics.json":
            path.unlink()


@pytest.fixture(scope="module")
def whole(finished_real: Project) -> Asked:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished_real.root)
        return ask()


def test_without_the_workspace_outputs(real_copy: Project, whole: Asked) -> None:
    remove_outputs()
    assert ask()[0]["executions"] == whole[0]["executions"] and ask()[1:] == whole[1:]
    assert not CHAMPION.exists()
    report = verify()
    assert report.problems == [] and report.checked["executions in the chain"] == 6


def test_fresh_clone_with_the_remote_alone(
    real_copy: Project, whole: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for commit in ("HEAD~2", "HEAD"):  # both results, to the remote of today
        real_copy.run("git", "checkout", "-q", commit, "--", "dvc.lock")
        real_copy.run("dvc", "push", "-q")
    clone = Project(tmp_path / "clone")
    real_copy.run("git", "clone", "-q", str(real_copy.root), str(clone.root))
    monkeypatch.chdir(clone.root)
    chain, answers, row, taint = ask()
    assert chain["executions"] == whole[0]["executions"] and chain["verdict"] == "unsigned"
    assert [problem["kind"] for problem in chain["problems"]] == ["signature"]  # and nothing else
    assert [one.answer for one in answers] == [one.answer for one in whole[1]]
    assert (row, taint) == whole[2:]
    assert not CHAMPION.exists()
    report = verify(remote=True)
    assert report.problems == []
    assert report.checked["remote objects"] > 10 and report.checked["executions in the chain"] == 6


def test_nowhere_is_said(real_copy: Project) -> None:
    remove_outputs()
    shutil.rmtree(".dvc/cache")
    with pytest.raises(SelfsameError, match="neither in the workspace, nor in DVC's cache, nor in"):
        audit_chain(Case(Snapshot(), CHAMPION))
    assert {problem.kind for problem in verify().problems} == {"missing"}


def test_remote_must_have_everything(real_copy: Project) -> None:
    real_copy.run("dvc", "push", "-q", "data/splits/scaling.json")
    problems = verify(remote=True).problems
    assert {problem.kind for problem in problems} == {"remote"} and len(problems) > 10
    assert all(problem.found == "nothing" and "dvc push" in problem.fix for problem in problems)
    real_copy.run("dvc", "remote", "default", "--unset")
    with pytest.raises(SelfsameError, match="no default remote"):
        verify(remote=True)


def test_an_earlier_revision(real: Project) -> None:
    then = audit_chain(Case(Snapshot("HEAD~1"), CHAMPION))
    labeling = next(each for each in then["executions"] if each["stage"] == "pseudo_label")
    assert labeling["params"]["pseudo_label"]["threshold"] == 0.9 and then["verdict"] == "unsigned"
    assert [problem["kind"] for problem in then["problems"]] == ["signature"]
    answers = answer_all(Case(Snapshot("HEAD~1"), CHAMPION))
    assert "0.9" in answers[2].answer
    with pytest.raises(SelfsameError, match="no-such-tag: no such revision"):
        Snapshot("no-such-tag")


def test_diff_of_revisions(real: Project) -> None:
    found = compare(Side("HEAD~2"), Side("HEAD~1"))
    assert found["params"] == {"pseudo_label.threshold": [0.6, 0.9]}
    assert found["pseudo_labels"]["newly_rejected"] > 0 and found["pseudo_labels"]["label_flipped"] == 0
    assert not {"data", "code", "environment"} & set(found)
    text = format_diff(found)
    assert "pseudo_label.threshold: 0.6 → 0.9" in text and "data: the same" in text
    same = compare(Side("HEAD~2"), Side("workspace"))
    assert set(same) == {"left", "right"}
    assert json.loads(json.dumps(found)) == found


def test_diff_of_models(real: Project) -> None:
    found = compare(Side("models/baseline"), Side("HEAD:models/student"))
    only = "only behind HEAD:models/student"  # its past has the gate's rows too
    assert found["data"] == {"calibration": only, "pool": only}
    assert "tasks/retrain.py" in found["code"] and "retrain.max_epochs" in found["params"]


def test_diff_counts_changed_rows(real_copy: Project) -> None:
    from real_project import commit, execute

    real_copy.set("split", labels_per_class=8)
    execute(real_copy, real_copy.stages[1:])
    commit(real_copy, "fewer labels")
    found = compare(Side("HEAD~1"), Side("HEAD"))
    assert (found["data"]["labeled"]["removed"], found["data"]["labeled"]["added"]) == (4, 0)
    assert found["data"]["labeled"]["relabeled"] == 0
    assert found["data"]["pool"]["added"] - found["data"]["pool"]["removed"] == 4
    assert found["params"]["split.labels_per_class"] == [10, 8]
