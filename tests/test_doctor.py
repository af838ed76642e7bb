"""What this machine lacks is said, with how to get it."""

import json
import tomllib
from pathlib import Path

import pytest
from browser import require_browser
from project import ROOT
from typer.testing import CliRunner

from selfsame import doctor
from selfsame.cli import app
from tests.conftest import Toy

pytest_plugins = ["pytester"]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    return result.exit_code, result.stdout


def found() -> dict[str, dict[str, str]]:
    return {item["name"]: item for item in json.loads(run("--json")[1])}


def test_a_bare_machine(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.setattr(doctor, "_version", lambda name: "3" if name in ("dvc", "torch") else None)
    monkeypatch.setattr(doctor, "_output", lambda *command: None)
    monkeypatch.setattr(doctor.git, "user_name", lambda: None)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, text = run()
    assert code == 0  # the pipeline runs all the same
    for name in ("git", "git identity", "DVC remote", "GPU", "Prefect server", "Chromium", "extras"):
        assert found()[name]["state"] == "without"
        assert f"→ {found()[name]['how']}" in text
    assert "pip install -e '.[audit,onnx," in text and "apt-get install chromium" in text


def test_a_full_machine(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_output", lambda *command: "One GPU, 80 GiB")
    monkeypatch.setattr(doctor, "_version", lambda name: "3")
    toy.dvc("remote", "add", "-d", "store", "/nowhere")
    assert "dvc remote modify store verify true" in found()["DVC remote"]["how"]
    toy.dvc("remote", "modify", "store", "verify", "true")
    states = {name: item["state"] for name, item in found().items()}
    assert [states[name] for name in ("DVC remote", "GPU", "extras", "DVC")] == ["ok"] * 4
    monkeypatch.setattr(doctor, "_version", lambda name: "2.15.0+cpu")
    assert found()["GPU"]["how"] == "install a CUDA build of torch"


def test_what_the_pipeline_needs_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = run()
    assert code == 1
    assert {name for name, item in found().items() if item["state"] == "missing"} == {"git", "DVC"}
    assert "missing  git " in text


def test_a_server_that_does_not_answer(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    server = found()["Prefect server"]
    assert server["state"] == "without" and "doesn't answer" in server["found"]


def test_every_extra_for_users_is_known() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(extras) - set(doctor.EXTRAS) == {"docs", "remotes-test", "test"}
    for name, (distribution, _) in doctor.EXTRAS.items():
        assert any(line.startswith(distribution) for line in extras[name])


def test_tests_end_with_what_was_skipped(pytester: pytest.Pytester) -> None:
    hook = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    start = hook.index("@pytest.hookimpl(wrapper=True")
    imports = "from collections import Counter\nfrom collections.abc import Iterator\nimport pytest\n"
    pytester.makeconftest(imports + hook[start : hook.index("\n\n\n", start)])
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.parametrize('number', [1, 2])\n"
        "def test_page(number): pytest.skip('no Chromium: apt-get install chromium')\n"
        "def test_other(): pass"
    )
    lines = pytester.runpytest_subprocess("-ra", "-p", "no:cacheprovider").outlines
    assert lines[-2].startswith("skipped: 2 × no Chromium: apt-get install chromium; slow tests")


def test_without_a_browser_continuous_integration_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("browser.find_browser", lambda: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install chromium"):
        require_browser()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium"):
        require_browser()
