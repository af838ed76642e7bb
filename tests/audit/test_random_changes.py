"""``benchmarks/tamper.py`` in small: random changes are named, and any copy of a project is sound."""

import sys
from pathlib import Path
from typing import Any

import pytest
from toy_project import ROOT, Project

WORDS = "no sections with keys in them\n  fix: take it back from git: 'git restore params.yaml'"


@pytest.fixture(scope="session")
def tampering() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import tamper

    sys.path.remove(str(ROOT / "benchmarks"))
    return tamper


def test_random_changes_are_named(twice: Project, tampering: Any, tmp_path: Path) -> None:
    found = tampering.tamper(twice, 24, 0, tmp_path)
    assert set(found) == {f"{kind}{end}" for kind in tampering.KINDS for end in ("", ", committed")}
    bad = [words for each in found.values() for outcome, words in each if outcome == tampering.MISSED]
    named = [words for each in found.values() for outcome, words in each if outcome == tampering.NAMED]
    assert not bad and len(named) > 15


def test_no_false_alarm(twice: Project, tampering: Any, tmp_path: Path) -> None:
    assert tampering.alarms(twice, len(tampering.HARMLESS), tmp_path) == []


@pytest.mark.parametrize("text", ["make", "[make]", "make: 3"])
def test_parameters_that_are_none_are_one_sentence(
    text: str, twice: Project, tampering: Any, tmp_path: Path
) -> None:
    with tampering.copy_of(twice, tmp_path / "copy"):
        Path("params.yaml").write_text(text)
        assert tampering.told() == (f"params.yaml: {WORDS}", True)


def test_a_lock_without_its_schema_is_named(twice: Project, tampering: Any, tmp_path: Path) -> None:
    with tampering.copy_of(twice, tmp_path / "copy"):
        text = Path("dvc.lock").read_text()
        Path("dvc.lock").write_text(text.replace("schema: '2.0'\n", ""))
        said, problem = tampering.told()
        assert problem and said.startswith("dvc.lock: not as DVC writes it (KeyError: 'schema')")
