"""The chain from an artifact reaches the raw bytes, through the executions that really made it."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from toy_project import Project

from selfsame.audit.case import Case
from selfsame.audit.chain import audit_chain, format_chain, format_verdict
from selfsame.audit.snapshot import Snapshot
from selfsame.core.errors import SelfsameError

CHAMPION = Path("models/champion")


def stages(chain: dict[str, Any]) -> list[str]:
    return [execution["stage"] for execution in chain["executions"]]


def params(chain: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    return [entry["params"][stage] for entry in chain["executions"] if entry["stage"] == stage]


def files(entries: list[dict[str, Any]]) -> dict[str, str]:
    return {entry["path"]: entry["sha256"] for entry in entries}


def on_disk(*roots: str) -> dict[str, str]:
    found = (path for root in roots for path in [Path(root), *Path(root).rglob("*")] if path.is_file())
    return {path.as_posix(): sha256(path.read_bytes()).hexdigest() for path in found}


def test_chain_leads_from_the_champion_to_the_committed_seed(project: Project) -> None:
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert chain["problems"] == []
    assert stages(chain) == ["make", "choose"]
    make, choose = chain["executions"]
    (made_by,), (chosen_by,) = project.records("make"), project.records("choose")
    head = project.run("git", "rev-parse", "HEAD~1")  # what was made is committed after the run
    assert files(chain["files"]) == on_disk("models/champion")
    assert {file["origin"] for file in chain["files"]} == {chosen_by.as_posix()}
    assert files(choose["inputs"]) == on_disk("data")
    assert {file["origin"] for file in choose["inputs"]} == {made_by.as_posix()}
    assert [file["origin"] for file in make["inputs"]] == [f"git {head}"]
    assert files(make["inputs"]) == on_disk("seed.txt")
    assert files(make["code"]) == on_disk("tasks/make.py")
    assert make["git"] == {"commit": head, "dirty": False, "changed": []}
    assert make["started"] < make["finished"] <= choose["started"]


def test_chain_of_a_single_file_is_no_longer_than_its_past(project: Project) -> None:
    chain = audit_chain(Case(Snapshot(), Path("data/about.txt")))
    assert stages(chain) == ["make"]
    assert files(chain["files"]) == on_disk("data/about.txt")


def test_repeats_are_counted_and_the_first_is_shown(project: Project) -> None:
    (first,) = project.records("make")
    project.repro("--force")
    project.repro("--force", "make")
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    make, choose = chain["executions"]
    assert make["record"] == first.as_posix()
    assert (make["repeats"], choose["repeats"]) == (2, 1)


def test_files_read_together_lead_to_one_execution(project: Project) -> None:
    """``data/about.txt`` is the same in both runs: it must not bring the first run into the second's past."""
    project.set("parts: 2", "parts: 3")
    project.repro()
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert params(chain, "make") == [{"parts": 3}]
    assert stages(chain) == ["make", "choose"]


def test_restored_result_has_the_past_of_its_first_computation(project: Project) -> None:
    (first,) = project.records("choose")
    project.set("parts: 2", "parts: 3")
    project.repro()
    project.set("parts: 3", "parts: 2")
    project.repro()
    assert len(project.records("choose")) == 2  # the third result came from DVC's run cache
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert chain["executions"][-1]["record"] == first.as_posix()
    assert params(chain, "make") == [{"parts": 2}]


def test_deleted_record_is_a_gap_that_names_the_files(project: Project) -> None:
    (record,) = project.records("make")
    record.unlink()
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert stages(chain) == ["choose"]
    assert {problem["path"] for problem in chain["problems"]} == on_disk("data").keys()
    assert {problem["kind"] for problem in chain["problems"]} == {"chain"}
    assert "no record" in format_chain(chain)


def test_altered_record_is_no_evidence(project: Project) -> None:
    (record,) = project.records("choose")
    record.write_text(record.read_text().replace('"first"', '"other"'))
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert chain["executions"] == []
    assert chain["problems"][0]["path"] == record.as_posix()
    assert {problem["kind"] for problem in chain["problems"]} == {"record", "chain"}


def test_source_that_no_commit_has_is_a_gap(project: Project) -> None:
    Path("seed.txt").write_text("seed 2\n")
    project.repro()
    chain = audit_chain(Case(Snapshot(), CHAMPION))
    assert [problem["path"] for problem in chain["problems"]] == ["seed.txt"]


def test_altered_artifact_has_no_past(project: Project) -> None:
    card = CHAMPION / "card.txt"
    card.unlink()  # DVC may have linked it
    card.write_text("better")
    problems = audit_chain(Case(Snapshot(), CHAMPION))["problems"]
    assert [problem["path"] for problem in problems] == ["models/champion/card.txt"]


def test_copy_elsewhere_is_known_by_its_bytes(project: Project, tmp_path: Path) -> None:
    shutil.copytree(CHAMPION, tmp_path / "handed over")
    chain = audit_chain(Case(Snapshot(), tmp_path / "handed over"))
    assert chain["problems"] == []
    assert stages(chain) == ["make", "choose"]
    known = {Path(file["path"]).name: file["known_as"] for file in chain["files"]}
    assert known["card.txt"] == "models/champion/card.txt"
    assert "same bytes as models/champion/card.txt" in format_chain(chain)


def test_nothing_there_is_an_error(project: Project) -> None:
    with pytest.raises(SelfsameError, match="models/winner: no such artifact"):
        audit_chain(Case(Snapshot(), Path("models/winner")))


def test_text_shows_problems_first_and_json_holds_everything(project: Project) -> None:
    chain = audit_chain(Case(Snapshot(), CHAMPION.absolute()))
    assert json.loads(json.dumps(chain)) == chain
    text = format_chain(chain)
    assert format_verdict(chain).splitlines() == [
        "verified: complete and current, its code is committed, and it is signed"
    ]
    for words in (
        "1. make",
        "2. choose",
        "python -m tasks.make",
        'title "first"',
        "which has this code",
        "seed.txt",
    ):
        assert words in text
    for digest in on_disk("models/champion", "data", "seed.txt").values():
        assert digest[:12] in text and digest not in text
    (record,) = project.records("make")
    record.unlink()
    said = format_verdict(audit_chain(Case(Snapshot(), CHAMPION))).splitlines()
    assert said[0].startswith("incomplete: ") and len(said) == 1 + 3


def test_text_shortens_large_folders_and_names_every_folder(project: Project) -> None:
    project.set("parts: 2", "parts: 30")
    project.repro()
    text = format_chain(audit_chain(Case(Snapshot(), CHAMPION)))
    assert "and 23 more in models/champion (--json lists all)" in text  # 30 parts and a card
    assert "and 22 more in data/table (--json lists all)" in text
    assert "data/about.txt" in text
    assert len(text.splitlines()) < 80
