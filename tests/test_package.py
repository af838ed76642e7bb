"""What is installed, and that the project files say the same thing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from project import ROOT
from ruamel.yaml import YAML
from setuptools import find_packages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def version_of(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "setuptools_scm"], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip().splitlines()[-1]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_only_the_library_is_installed() -> None:
    include = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.split(".")[0] for name in find_packages(str(ROOT), include=include)} == {"selfsame"}
    assert (ROOT / "selfsame" / "py.typed").exists()
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["selfsame"]


def test_flows_are_found_in_the_project_where_they_are_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from selfsame.cli import prepare_prefect
    from selfsame.core.errors import SelfsameError

    monkeypatch.chdir(tmp_path)
    libraries = [path for path in sys.path if "site-packages" in path or "lib/python" in path]
    monkeypatch.setattr(sys, "path", libraries)
    monkeypatch.setattr(sys, "meta_path", [each for each in sys.meta_path if "ditable" not in str(each)])
    monkeypatch.delitem(sys.modules, "flows", raising=False)
    with pytest.raises(SelfsameError, match="run this in the folder of a project"):
        prepare_prefect()
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").touch()
    prepare_prefect()
    assert sys.path[0] == str(tmp_path)
    assert Path(sys.modules["flows"].__file__ or "").parent == tmp_path / "flows"
    del sys.modules["flows"]


def test_the_version_comes_from_tags_and_without_them_from_the_last_named(tmp_path: Path) -> None:
    for name in ("pyproject.toml", ".git_archival.txt", ".gitattributes"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    last = PROJECT["tool"]["setuptools_scm"]["fallback_version"]
    assert version_of(tmp_path) == last  # neither git nor an archive's note
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "One")
    assert version_of(tmp_path)  # a clone without tags
    git(tmp_path, "tag", "-a", "v7.8.9", "-m", "7.8.9")
    assert version_of(tmp_path) == "7.8.9"
    archive = tmp_path / "archive"
    archive.mkdir()
    git(tmp_path, "archive", "-o", "archive.tar", "HEAD")
    subprocess.run(["tar", "xf", "archive.tar", "-C", "archive"], cwd=tmp_path, check=True)
    assert version_of(archive) == "7.8.9"


def test_the_version_is_the_same_wherever_it_is_named() -> None:
    citation = YAML(typ="safe").load(ROOT / "CITATION.cff")
    assert citation["version"] == PROJECT["tool"]["setuptools_scm"]["fallback_version"]
    assert citation["license"] == PROJECT["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "END OF TERMS AND CONDITIONS" in text


def test_the_workflow_runs_what_the_project_runs_and_every_python_that_it_names() -> None:
    workflow = YAML(typ="safe").load(ROOT / ".github" / "workflows" / "ci.yml")
    ran = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in workflow["jobs"].items()
    }
    assert ran == {"all": ["bash .ci/run"], "vulnerabilities": ["make vulnerabilities"]}
    assert "continue-on-error" not in str(workflow)
    job = workflow["jobs"]["all"]
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["project"]["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == classified
    oldest = f">={classified[0]}"
    assert PROJECT["project"]["requires-python"] == oldest


def test_every_pin_can_be_asked_about_and_what_cannot_is_an_error() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"#.*|[\w.-]+==[\w.]+", line) for line in lines), lines
    done = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "vulnerabilities"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    asking = done.stdout.splitlines()[-1]
    assert asking.endswith("pip-audit --strict --no-deps --disable-pip --requirement constraints.txt")


def test_what_is_needed_is_pinned() -> None:
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    }
    needed = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["test"]]
    needed += PROJECT["project"]["optional-dependencies"]["docs"]
    names = {re.split(r"[\[<>=~ ]", line)[0].lower() for line in needed} - {"selfsame"}
    assert names - pinned == set()


@pytest.mark.parametrize(
    ("words", "answer", "removed"),
    [((), "n\n", False), ((), "", False), ((), "y\n", True), (("YES=y",), "", True)],
)
def test_cleaning_asks(words: tuple[str, ...], answer: str, removed: bool, tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    for name in ("models/champion", "data/splits", ".venv"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "models" / "README.md").touch()
    done = subprocess.run(
        ["make", "clean", *words], cwd=tmp_path, input=answer, capture_output=True, text=True
    )
    assert (done.returncode == 0) == removed
    assert (tmp_path / "models" / "champion").exists() == (not removed)
    assert (tmp_path / "models" / "README.md").exists()
    if not words:
        assert "dvc checkout" in done.stdout and "remove? [y/N]" in done.stdout


def test_torch_comes_from_another_index_if_told() -> None:
    def shown(*words: str) -> str:
        command = ["make", "--dry-run", "--always-make", "install", *words]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "--index-url https://wheels.example.org torch torchvision" in shown(
        "TORCH_INDEX=https://wheels.example.org"
    )
    assert "--index-url" not in shown() and "6.3 GB" in shown()
