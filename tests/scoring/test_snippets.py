"""The Python that the documents and the model cards show runs, on a project that has a champion."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pytest
from champions import Trained, census, penguins
from PIL import Image
from project import ROOT
from test_docs import BLOCK


def snippets() -> Iterator[tuple[str, str]]:
    for page in ("README.md", "docs/predict.md", "docs/python.md"):
        for language, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            if language == "python":
                yield page, text


@pytest.mark.parametrize(("page", "text"), list(snippets()))
def test_it_runs(
    page: str, text: str, penguins_trained: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(penguins_trained.folder)
    names = {"rows": penguins(6, seed=9)}
    exec(compile(text, page, "exec"), names)
    assert len(names["model"].predict(names["rows"])) == 6


def test_the_card_of_a_champion_shows_how_to_use_it(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = (trained.champion / "README.md").read_text(encoding="utf-8")
    (text,) = [text for language, text in BLOCK.findall(card) if language == "python"]
    rows = census(5) if trained.model.info.source == "california_housing" else penguins(5, seed=9)
    pa_csv.write_csv(rows, tmp_path / "new.csv")
    Image.new("L", (8, 8)).save(tmp_path / "new.png")
    (tmp_path / "models").symlink_to(trained.folder / "models")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    names: dict[str, object] = {}
    exec(compile(text, "card", "exec"), names)
    model, place = trained.model, names["rows"]
    further = model.predict_proba if len(model.info.classes) else model.predict_interval
    assert capsys.readouterr().out == f"{model.predict(place)}\n{further(place)}\n"
    assert isinstance(further(place), np.ndarray) and text.count("\n") == 6
