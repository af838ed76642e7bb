"""The commands: what they say, and that a mistake is one message."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from selfsame.active.request import PAGE, REQUEST
from selfsame.cli import app
from selfsame.core.annotations import ANNOTATIONS, read_annotations
from selfsame.core.errors import SelfsameError
from tests.conftest import ROOT


@pytest.fixture
def project(trained: Path) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        text = (ROOT / name).read_text(encoding="utf-8")
        text = text.replace("active_learning:", "active_learning:\n  model: baseline")
        (trained / name).write_text(text, encoding="utf-8")
    (trained / ".dvc").mkdir()
    return trained


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_ask_then_answer(project: Path) -> None:
    assert run("ask").startswith(f"20 rows to label, chosen by margin: open {PAGE} in a browser")
    asked = REQUEST.read_text(encoding="utf-8").splitlines()[1].split(",")[1]
    Path("mine.csv").write_text(f"example_id,label\n{asked},benign\n", encoding="utf-8")
    assert run("answer", "mine.csv", "--annotator", "Ada").startswith("1 labels added, 0 were known")
    assert [one.strategy for one in read_annotations(ANNOTATIONS).values()] == ["margin"]


def test_without_a_model_there_is_nothing_to_ask(project: Path) -> None:
    (project / "models/baseline/config.json").unlink()
    with pytest.raises(SelfsameError, match="no model there"):
        run("ask")


def test_a_row_that_judges_is_refused(project: Path) -> None:
    row = pq.read_table("data/splits/validation.parquet")["example_id"][0].as_py()
    Path("mine.csv").write_text(f"example_id,label\n{row},benign\n", encoding="utf-8")
    with pytest.raises(SelfsameError, match="is no row of the pool"):
        run("answer", "mine.csv", "--annotator", "Ada")
