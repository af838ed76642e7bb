"""The command line: messages for people, and nothing imported before it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Toy


def selfsame(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "selfsame.cli", *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the real graph, parameters and one preset, and nothing run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "data/inbox").mkdir(parents=True)
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "small.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, selfsame.cli\n"
        "try: selfsame.cli.app(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'dvc', 'prefect', 'pyarrow', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "selfsame" in done.stdout or "COMMAND" in done.stdout


def test_plan(done: Toy) -> None:
    done.set("left", value=2)
    assert [item["state"] for item in json.loads(selfsame("plan", "--json").stdout)] == [
        "unchanged",
        "stale",
        "unchanged",
        "stale",
    ]
    assert selfsame("plan").stdout.splitlines()[1] == "left     stale      params.yaml: left.value 1 → 2"
    assert done.runs() == []


def test_errors_are_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for command in ("plan", "check", "summary"):
        done = selfsame(command)
        assert done.returncode == 1
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
    assert "Traceback" in selfsame("--debug", "check").stderr


def test_check_names_a_misspelt_key(project: Path) -> None:
    assert selfsame("check").stdout == "params.yaml is valid\n"
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("threshold:", "treshold:"))
    done = selfsame("check")
    assert done.returncode == 1
    assert "pseudo_label.treshold" in done.stderr and "threshold" in done.stderr


def test_schema(project: Path) -> None:
    assert selfsame("schema").returncode == 0
    schema = json.loads((project / "params.schema.json").read_text())
    assert "pseudo_label" in schema["required"]
    assert "`threshold`" in (project / "docs/params.md").read_text(encoding="utf-8")


def test_preset(project: Path) -> None:
    params = project / "params.yaml"
    assert selfsame("preset").stdout == "small\n"
    assert selfsame("preset", "smal").returncode == 1
    original = params.read_bytes()
    params.write_bytes(original + b"# mine\n")
    assert "was edited" in selfsame("preset", "small").stderr
    assert params.read_bytes() == original + b"# mine\n"
    assert selfsame("preset", "small", "--force").returncode == 0
    assert params.read_bytes() == original
    assert selfsame("preset", "small").returncode == 0, "it is a preset, so nothing is lost"
    (project / "presets" / "small.yaml").write_text("data: {}\n")
    assert "presets/small.yaml" in selfsame("preset", "small").stderr
    assert params.read_bytes() == original


def test_summary(project: Path) -> None:
    (project / "reports").mkdir()
    (project / "reports" / "summary.txt").write_text("The student is the champion.\n")
    assert selfsame("summary").stdout == "The student is the champion.\n"


def test_run_stops_at_a_misspelt_key(project: Path, prefect_api: str) -> None:
    for name in ("tasks", "selfsame"):
        (project / name).symlink_to(ROOT / name)
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], check=True)
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("max_epochs:", "epochs:", 1))
    done = selfsame("run")
    assert done.returncode == 1
    assert "train_baseline.epochs" in done.stderr.split("error: ")[-1]
    assert "Traceback" not in done.stderr
    assert not (project / "data" / "raw").exists()
