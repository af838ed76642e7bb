"""docs/own-data.md is true: its commands run one after the other, and its table has every key."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from likes import LIKES
from project import ROOT
from typer.testing import CliRunner

from selfsame.cli import app
from selfsame.params.data import Arrays, Images, Table
from selfsame.params.split import SplitParams

PAGE = (ROOT / "docs/own-data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ELSEWHERE = ("selfsame answer",)  # tests/active/test_answers.py: it needs a report


def run(line: str) -> str:
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exception is None, (line, result.output, result.exception)
    return result.output


def flowers(folder: Path) -> None:
    LIKES["penguins"][0](folder)
    shutil.move(folder / "penguins.csv", folder / "flowers.csv")


@pytest.mark.parametrize("block", BLOCKS, ids=[block.split("\n")[0] for block in BLOCKS])
def test_its_commands_run(block: str, project: Path) -> None:
    shutil.copyfile(ROOT / "dvc.yaml", project / "dvc.yaml")
    inbox = project / "data" / "inbox"
    if "cp -r" in block:  # photos, which the reader copies
        for number, name in enumerate(("lotus", "watch", "unlabeled")):
            LIKES["photos"][0](project / "made")
            parts = [sorted((project / "made/train" / color).iterdir()) for color in ("red", "green")]
            (inbox / name).mkdir()
            for photo in parts[number % 2] if number < 2 else sorted((project / "made/unlabeled").iterdir()):
                shutil.copyfile(photo, inbox / name / photo.name)
    else:
        flowers(inbox)
    lines = [line for line in block.splitlines() if line.startswith("selfsame")]
    said = [run(line) for line in lines if not line.startswith(ELSEWHERE)]
    if "init" in block:
        assert "guess: " in said[0]
    if "inspect" in block:
        assert "roles: " in said[1] and Path("inspect.html").exists()
        assert said[3].startswith("params.yaml is valid")


def test_its_table_has_every_key_with_its_default_and_its_meaning() -> None:
    lines = [[cell.strip(" `") for cell in line.split("|")] for line in PAGE.splitlines()]
    rows = {(cells[1], cells[2], cells[4]) for cells in lines if len(cells) == 6}
    plain = {"None": "null", "True": "true", "False": "false"}
    for section, shapes in (("data", (Table, Images, Arrays)), ("split", (SplitParams,))):
        for shape in shapes:
            for key, field in shape.model_fields.items():
                default = (
                    "required" if field.is_required() else str(field.get_default(call_default_factory=True))
                )
                row = (f"{section}.{key}", plain.get(default, default), (field.description or "").strip(" `"))
                assert key == "source" or row in rows
