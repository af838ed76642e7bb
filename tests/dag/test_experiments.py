"""Trials as DVC experiments: the workspace stays as it is, and what was computed stays computed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.dag.experiments import (
    Trial,
    apply_experiment,
    check_overrides,
    name_of,
    run_trial,
    with_overrides,
)
from tests.conftest import ROOT, Toy, has_ended

RUN = """
from selfsame.dag.experiments import run_trial
run_trial({"left.value": 5}, "killed", print, [], True, None)
"""


@pytest.fixture
def committed(toy: Toy) -> Toy:
    (toy.folder / ".gitignore").write_text("/runs.log\n/data/inbox/*\n/*.txt\n!/source.txt\n")
    script = toy.folder / "stage.py"  # overrides are written as YAML, of which JSON is a part
    reader = 'ruamel.yaml.YAML(typ="safe").load'
    script.write_text("import ruamel.yaml\n" + script.read_text().replace("json.load", reader))
    git(toy, "add", "--all")
    git(toy, "commit", "--quiet", "--message", "first")
    return toy


def git(toy: Toy, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=toy.folder, check=True, capture_output=True, text=True).stdout


def trial(name: str, *targets: str, **values: int) -> Trial:
    overrides = {f"{stage}.value": value for stage, value in values.items()}
    return run_trial(overrides, name, print, targets, False, None)


def contents(toy: Toy) -> dict[str, str]:
    """Digest every file of the workspace that isn't git's or DVC's own."""
    files = [path for path in toy.folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(toy.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if not {".git", ".dvc"} & set(path.relative_to(toy.folder).parts)
    }


def test_the_workspace_stays_and_the_trial_starts_from_it(committed: Toy) -> None:
    committed.set("right", value=2)  # not committed
    (committed.folder / "notes.md").write_text("git doesn't know me")
    before = contents(committed), git(committed, "status", "--porcelain"), git(committed, "stash", "list")
    done = trial("five", left=5)
    assert before == (
        contents(committed),
        git(committed, "status", "--porcelain"),
        git(committed, "stash", "list"),
    )
    assert not (committed.folder / ".dvc" / "tmp" / "trial").exists()
    assert done.stages == dict.fromkeys(["prepare", "left", "right", "join"], "ran")
    assert done.metrics == {"metrics.json": {"left": {"size": 1.5}, "champion": "join"}}
    shown = json.loads(committed.dvc("exp", "show", "--json"))
    found = [item["revs"][0]["data"] for part in shown for item in part["experiments"] or []]
    assert [data["params"]["params.yaml"]["data"]["left"]["value"] for data in found] == [5]
    assert [data["params"]["params.yaml"]["data"]["right"]["value"] for data in found] == [2]
    assert [data["metrics"]["metrics.json"]["data"]["left"]["size"] for data in found] == [1.5]


def test_what_is_computed_once_is_never_computed_again(committed: Toy) -> None:
    trial("first", left=5)
    assert set(trial("again", left=5).stages.values()) == {"restored"}
    third = trial("first", left=6)
    assert third.stages == {"prepare": "restored", "left": "ran", "right": "restored", "join": "ran"}
    committed.set("left", value=5)
    assert set(committed.runs()) == set()
    committed.dvc("repro")
    assert committed.runs() == [], "the workspace takes from the cache what a trial computed"
    assert len(committed.dvc("exp", "list", "--name-only").split()) == 2


def test_an_experiment_is_applied(committed: Toy) -> None:
    trial("five", left=5)
    apply_experiment("five")
    assert read_yaml(PARAMS_FILE)["left"]["value"] == 5
    assert (committed.folder / "left.txt").read_text().startswith("5")
    assert "up to date" in committed.dvc("status")
    with pytest.raises(SelfsameError, match="experiment six"):
        apply_experiment("six")


def test_files_that_git_ignores_are_at_hand(committed: Toy) -> None:
    inbox = committed.folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "rows.csv").write_text("a,b\n")
    graph = json.loads((committed.folder / "dvc.yaml").read_text())
    graph["stages"]["prepare"]["deps"].append("data/inbox")
    graph["stages"]["prepare"]["cmd"] += " && cat data/inbox/rows.csv"
    (committed.folder / "dvc.yaml").write_text(json.dumps(graph))
    committed.dvc("repro")
    assert set(trial("same").stages.values()) <= {"unchanged", "restored"}, "links hash as the files do"
    (inbox / "rows.csv").write_text("a,b,c\n")
    lines: list[str] = []
    done = run_trial({}, "news", lines.append, ["prepare"], False, None)
    assert done.stages == {"prepare": "ran"}
    assert "a,b,c" in lines


def test_targets_leave_out_what_is_behind_them(committed: Toy) -> None:
    committed.dvc("repro")
    git(committed, "add", "--force", "metrics.json")
    git(committed, "commit", "--quiet", "--message", "figures")
    done = trial("part", "left", left=5)
    assert done.stages == {"prepare": "restored", "left": "ran"}
    assert done.metrics == {}
    kept = git(committed, "ls-tree", "--name-only", experiment(committed)).split()
    assert "metrics.json" not in kept, "figures of another run would stand beside these parameters"


def experiment(toy: Toy) -> str:
    return git(toy, "for-each-ref", "--format=%(refname)", "refs/exps").split()[0]


def test_a_failure_names_the_stage_and_leaves_no_experiment(committed: Toy) -> None:
    committed.set("left", fail=True)
    with pytest.raises(SelfsameError, match=r"(?s)experiment bad: .*told to fail"):
        trial("bad", left=5)
    assert committed.dvc("exp", "list") == ""


def test_a_killed_trial_leaves_nothing_broken_and_resumes(committed: Toy) -> None:
    committed.set("right", sleep=200)
    before = contents(committed)
    process = subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.DEVNULL)
    log = committed.folder / ".dvc" / "tmp" / "trial" / "runs.log"
    deadline = time.monotonic() + 120
    while not (log.exists() and "start right" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stage = psutil.Process(
        int(next(line for line in log.read_text().splitlines() if "start right" in line).split()[2])
    )
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert has_ended(stage.pid), "the stage outlived its trial"
    assert contents(committed) == before
    assert committed.dvc("exp", "list") == ""
    committed.set("right", sleep=0)
    again = trial("killed", left=5)
    assert again.stages["prepare"] == "restored"
    assert again.stages["join"] == "ran"


def test_without_a_commit_it_says_so(toy: Toy) -> None:
    with pytest.raises(SelfsameError, match="no commit yet"):
        trial("early")


def test_a_name_must_be_one(committed: Toy) -> None:
    for name in ("a b", "a/b", ""):
        with pytest.raises(SelfsameError, match="not a name that git takes"):
            trial(name)


def test_overrides_are_checked_as_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    check_overrides({"pseudo_label.threshold": 0.9})
    with pytest.raises(SelfsameError, match=r"unknown key; nearest valid name: threshold"):
        check_overrides({"pseudo_label.treshold": 0.9})
    with pytest.raises(SelfsameError, match=r"pseudo_label.threshold = 9"):
        check_overrides({"pseudo_label.threshold": 9.0})
    with pytest.raises(SelfsameError, match=r"unknown section; nearest valid name: pseudo_label"):
        check_overrides({"pseudo_labels.threshold": 0.9})
    with pytest.raises(SelfsameError, match=r"split\.seed has no keys"):
        check_overrides({"split.seed.value": 1})


def test_the_name_follows_from_the_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert name_of("draw", {"split.seed": 1}) == name_of("draw", {"split.seed": 1})
    assert name_of("draw", {"split.seed": 1}) != name_of("draw", {"split.seed": 2})
    assert with_overrides({"a": {"b": 1}}, {"a.b": 2}) == {"a": {"b": 2}}
