"""The page on the tutorials' techniques is true: its keys are valid, its tests and presets exist."""

import re
from typing import Any

import pytest
from project import ROOT
from ruamel.yaml import YAML

from selfsame.core.graph_file import read_yaml
from selfsame.params.check import check_params
from selfsame.params.overrides import with_overrides

PAGE = (ROOT / "docs/tutorials.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.splitlines()
    if re.match(r"\| T\d+ \| .* \| .* \| .* \| .* \|$", line)
    for cells in [[cell.strip() for cell in line.strip("| ").split(" | ")]]
}
KEY = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+: [^`]+)`")
BLOCK = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def overrides(row: str) -> dict[str, Any]:
    """Return what a row sets, the block included where it says so."""
    keys = ROWS[row][1]
    text = BLOCK[1] if BLOCK and "the block below" in keys else ""
    read = YAML(typ="safe").load(text + "\n".join(KEY.findall(keys)))
    return read or {}


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_technique_has_a_row() -> None:
    assert list(ROWS) == [f"T{number}" for number in range(1, 24)]
    assert all(len(cells) == 4 for cells in ROWS.values())


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_sets_is_valid_where_it_starts(row: str) -> None:
    changes = overrides(row)
    assert changes or row == "T10"
    for preset in re.findall(r"selfsame preset ([\w-]+)", ROWS[row][2]) or ["digits"]:
        written = read_yaml(ROOT / "presets" / f"{preset}.yaml")
        check_params(with_overrides(written, changes))  # refuses what no stage would read


def test_the_methods_are_the_tutorials_ramps() -> None:
    ramps = {"T13": ("online", 100), "T14": ("offline", 20)}
    for row, (method, start) in ramps.items():
        own = {key.removeprefix("retrain."): value for key, value in overrides(row).items()}
        assert (own["method"], own["ramp_up_start_epochs"], own["ramp_up_end_epochs"]) == (method, start, 450)
        assert (own["unlabeled_weight"], own["pool_batch_size"], own["max_epochs"]) == (1e-4, 256, 501)


def test_the_tests_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) == PAGE.count("::test_")
    for file, name in named:
        assert f"\ndef {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"
    for row, cells in ROWS.items():
        assert "::test_" in cells[3], row
