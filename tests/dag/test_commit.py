"""Recording a run in git. The files of a run are written by hand here: git is what is tested."""

import json
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from project import ROOT
from ruamel.yaml import YAML

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.dag.commit import check_git, record_run

METRICS = [Path("metrics.json")]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def write_run(threshold: float, accuracy: float, champion: str = "baseline") -> None:
    """Write what a run leaves: a lock file, a record, metrics."""
    dump_lock(threshold, model=f"md5-of-{threshold}")
    Path("lineage/train").mkdir(parents=True, exist_ok=True)
    Path(f"lineage/train/{threshold}.json").write_text("{}\n")
    METRICS[0].write_text(json.dumps({"champion": champion, "student": {"accuracy": accuracy, "rows": [1]}}))
    Path("params.yaml").write_text(f"train:\n  threshold: {threshold}\n")


def dump_lock(threshold: float, model: str) -> None:
    stages: dict[str, Any] = {
        "fetch": {"cmd": "fetch", "outs": [{"path": "raw", "md5": "md5-of-raw"}]},
        "train": {
            "cmd": "train",
            "deps": [{"path": "raw", "md5": "md5-of-raw"}],
            "params": {"params.yaml": {"train": {"threshold": threshold}}},
            "outs": [{"path": "models/champion", "md5": model}],
        },
    }
    YAML().dump({"schema": "2.0", "stages": stages}, Path("dvc.lock"))


@pytest.fixture(autouse=True)
def _repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git("init", "-q", "-b", "main")
    git("config", "user.name", "operator")
    git("config", "user.email", "operator@example.org")
    Path("dvc.yaml").write_text("artifacts:\n  champion:\n    path: models/champion\n")
    Path("code.py").write_text("1\n")
    git("add", ".")
    git("commit", "-qm", "the project")


def test_a_run_is_recorded_with_what_changed() -> None:
    write_run(0.8, 0.95)
    assert record_run(METRICS, "main").startswith("committed ")
    assert git("show", "--stat", "--format=", "--name-only").split() == [
        "dvc.lock",
        "lineage/train/0.8.json",
        "metrics.json",
        "params.yaml",
    ]
    write_run(0.9, 0.9625)
    record_run(METRICS, "main")
    assert git("log", "-1", "--format=%B").strip() == (
        "Run: train\n\n"
        "train: train.threshold 0.8 → 0.9\n\n"
        "metrics.json:\n  student.accuracy 0.95 → 0.9625\n\n"
        "data:\n  raw md5 md5-of-raw"
    )
    assert record_run(METRICS, "main") == "nothing new to record"
    assert git("status", "--porcelain") == ""


def test_what_a_store_had_is_recorded_with_the_run() -> None:
    Path(".gitignore").write_text((ROOT / ".gitignore").read_text())
    git("add", ".")
    git("commit", "-qm", "what is ignored")
    Path("data/inbox").mkdir(parents=True)
    for name in ("pool.listing", "pool.csv", "inbox/labeled.csv", "inbox/pool.listing"):
        Path("data", name).write_text("# objects of s3://mine/pool/\n")
    write_run(0.8, 0.95)
    record_run(METRICS, "main")
    assert git("ls-files", "data").split() == ["data/inbox/pool.listing", "data/pool.listing"]
    Path("data/pool.listing").unlink()
    record_run(METRICS, "main")
    assert git("ls-files", "data").split() == ["data/inbox/pool.listing"]
    Path(".gitignore").write_text("*.listing\n")
    Path("data/other.listing").write_text("# objects of s3://mine/pool/\n")
    write_run(0.9, 0.95)
    record_run(METRICS, "main")
    assert git("ls-files", "data").split() == ["data/inbox/pool.listing"], "git ignores the other"


def test_what_the_user_changed_is_left_alone() -> None:
    Path("code.py").write_text("2\n")
    Path("staged.py").write_text("3\n")
    Path("unknown.py").write_text("4\n")
    git("add", "staged.py")
    write_run(0.8, 0.95)
    record_run(METRICS, "main")
    assert git("status", "--porcelain").splitlines() == [" M code.py", "A  staged.py", "?? unknown.py"]


def test_a_promoted_champion_gets_the_next_version() -> None:
    write_run(0.8, 0.95, "baseline")
    record_run(METRICS, "main")
    assert git("tag") == ""
    write_run(0.9, 0.96, "student")
    assert "tagged champion@v0.0.1" in record_run(METRICS, "main")
    write_run(0.9, 0.97, "student")  # the same model: only the metrics differ
    assert "tagged" not in record_run(METRICS, "main")
    for number in range(2, 12):
        write_run(number, 0.97, "student")
        record_run(METRICS, "main")
    assert git("cat-file", "-t", "champion@v0.0.11") == "tag\n"
    assert len(git("tag").split()) == 11


def test_a_tag_that_was_missed_is_made_later() -> None:
    write_run(0.9, 0.96, "student")
    record_run(METRICS, "main")
    git("tag", "-d", "champion@v0.0.1")
    assert record_run(METRICS, "main") == "tagged champion@v0.0.1"


def test_a_held_lock_may_pass_and_the_next_run_catches_up() -> None:
    write_run(0.8, 0.95)
    lock = Path(".git/index.lock")
    lock.touch()
    with pytest.raises(PassingError, match=r"index\.lock"):
        record_run(METRICS, "main")
    lock.unlink()
    assert record_run(METRICS, "main").startswith("committed ")


def test_where_no_commit_belongs_none_is_made() -> None:
    assert check_git() == "main"
    git("checkout", "-q", "--detach")
    with pytest.raises(SelfsameError, match="symbolic-ref"):
        check_git()
    git("checkout", "-q", "main")
    git("switch", "-qc", "other")
    Path("code.py").write_text("theirs\n")
    git("commit", "-qam", "theirs")
    git("switch", "-q", "main")
    Path("code.py").write_text("ours\n")
    git("commit", "-qam", "ours")
    subprocess.run(["git", "merge", "-q", "other"], capture_output=True, check=False)
    with pytest.raises(SelfsameError, match="MERGE_HEAD"):
        check_git()


def test_outside_a_repository_and_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("config", "user.useConfigOnly", "true")
    git("config", "--unset", "user.email")
    monkeypatch.setenv("EMAIL", "")
    with pytest.raises(SelfsameError, match="git var"):
        check_git()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path / "bare")
    with pytest.raises(SelfsameError, match="not a git repository"):
        check_git()


def test_a_hook_that_refuses_is_heard_at_once_and_nothing_is_left_staged() -> None:
    hook = Path(".git/hooks/pre-commit")
    hook.write_text("#!/bin/sh\necho the spelling is wrong >&2\nexit 1\n")
    hook.chmod(0o755)
    Path("staged.py").write_text("3\n")
    git("add", "staged.py")
    write_run(0.8, 0.95)
    before = git("status", "--porcelain", "--untracked-files=all")
    with pytest.raises(SelfsameError, match="git commit: the spelling is wrong") as caught:
        record_run(METRICS, "main")
    assert not isinstance(caught.value, PassingError), "it would refuse again"
    assert git("status", "--porcelain", "--untracked-files=all") == before
    assert git("log", "--format=%s") == "the project\n"
    hook.unlink()
    assert record_run(METRICS, "main").startswith("committed ")


def test_another_branch_gets_no_commit() -> None:
    write_run(0.8, 0.95)
    git("switch", "-qc", "other")
    with pytest.raises(SelfsameError, match="began on branch main, and other is checked out"):
        record_run(METRICS, "main")
    assert git("log", "--format=%s") == "the project\n"


def test_conflicts_without_a_merge_are_named() -> None:
    Path("code.py").write_text("ours\n")
    git("stash")
    Path("code.py").write_text("theirs\n")
    git("commit", "-qam", "theirs")
    subprocess.run(["git", "stash", "pop", "-q"], capture_output=True, check=False)
    with pytest.raises(SelfsameError, match=r"conflicts in code\.py"):
        check_git()


def test_beside_a_person_who_commits_each_gets_their_own() -> None:
    """A run whose commit meets another one tries again, and neither takes what is the other's."""
    stop, theirs = threading.Event(), []

    def person() -> None:
        while not stop.is_set():
            Path("code.py").write_text(f"{len(theirs)}\n")
            command = ["git", "commit", "-qm", "a person", "code.py"]
            theirs.append(subprocess.run(command, capture_output=True, check=False).returncode)

    thread = threading.Thread(target=person)
    thread.start()
    try:
        for number in range(10):
            write_run(number, 0.95)
            while True:
                with suppress(PassingError):
                    record_run(METRICS, "main")
                    break
    finally:
        stop.set()
        thread.join()
    files: dict[str, set[str]] = {"Run": set(), "a person": set()}
    for commit in git("log", "--format=%H %s").splitlines()[:-1]:
        name, _, subject = commit.partition(" ")
        kind = "Run" if subject.startswith("Run: ") else "a person"
        files[kind] |= set(git("show", "--format=", "--name-only", name).split())
    assert files["a person"] == {"code.py"}
    records = {str(path) for path in Path("lineage").rglob("*.json")}
    assert files["Run"] == {"dvc.lock", "metrics.json", "params.yaml", *records}
    assert git("log", "--format=%s").count("Run: ") == 10
    assert git("fsck", "--strict", "--no-dangling") == ""
