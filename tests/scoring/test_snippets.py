"""The Python that the documents show runs, on a project that has a champion."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from champions import Trained, penguins
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
