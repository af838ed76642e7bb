"""The example scripts run; here with trainings of seconds."""

import shutil
import sys
from pathlib import Path

import pytest
from champions import Trained, train
from project import ROOT

from selfsame.core.graph_file import read_yaml

sys.path.append(str(ROOT / "examples"))
import digits
import table


def test_digits(
    digits_trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(digits_trained.folder)
    capsys.readouterr()
    digits.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("champion: ")
    pool = int(lines[1].split()[0])
    assert sum(int(line.split()[0]) for line in lines[2:-8]) == pool > 1000
    assert all("sure), is " in line for line in lines[-8:])


def test_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copyfile(ROOT / name, name)
    shutil.copytree(ROOT / "presets", "presets")
    Path("data/inbox").mkdir(parents=True)

    def repro() -> None:
        written = read_yaml(Path("params.yaml"))
        train(tmp_path, data=written["data"], split=written["split"])

    monkeypatch.setattr(table, "repro", repro)
    table.main()
    lines = capfd.readouterr().out.splitlines()
    assert any("tumors.csv" in line for line in lines)
    assert len(Path("predicted.csv").read_text().splitlines()) == 1 + 5
    assert any("benign" in line or "malignant" in line for line in lines[-5:])
