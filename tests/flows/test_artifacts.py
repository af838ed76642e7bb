"""A flow run's page tells the story without its logs: which stages ran, why, how long, and what came out."""

from pathlib import Path

import pytest
from prefect.states import Completed

from flows.artifacts import tell

LOCK = """
stages:
  left:
    outs: [{path: models/left, md5: a, size: 12345, nfiles: 3}]
  evaluate:
    outs: [{path: reports/report.html, md5: b, size: 250000}]
"""


def test_the_story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/summary.txt").write_text("The student is the champion.\n")
    (tmp_path / "reports/report.html").touch()
    (tmp_path / "dvc.lock").write_text(LOCK)
    states = {
        "left": Completed(message="ran in 1.5 s: params.yaml: left.value 1 → 2; a|b"),
        "evaluate": Completed(name="Cached", message="unchanged: up to date"),
    }
    story = tell(states)
    assert f"file://{tmp_path}/reports/report.html" in story
    assert "```\nThe student is the champion.\n```" in story
    assert (
        "| left | Completed | ran in 1.5 s: params.yaml: left.value 1 → 2; a\\|b "
        "| models/left: 12.3 kB in 3 files |" in story
    )
    assert "| evaluate | Cached | unchanged: up to date | reports/report.html: 250 kB |" in story


def test_without_a_result_there_is_none_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "```" not in tell({"join": Completed(message="ran in 1 s: x")})
