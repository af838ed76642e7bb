"""The documents: the site builds without a broken link, and what they tell a reader to type is understood."""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dvc.cli.parser import get_main_parser
from project import ROOT
from ruamel.yaml import YAML
from typer.main import get_command

from selfsame.cli import app
from selfsame.core.graph_file import read_yaml
from selfsame.params.check import check_params
from selfsame.params.overrides import with_overrides

TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md")))
}
BLOCK = re.compile(r"^```([a-z]*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCES = {"selfsame", "tasks", "flows", "docs", "benchmarks", "tests", "deploy", "presets", "examples"}


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (page, text)
        for page, whole in PAGES.items()
        for found, text in BLOCK.findall(whole)
        if found == language
    ]


def typed() -> Iterator[tuple[str, str]]:
    """Yield every line that a reader is told to type: of the fenced blocks, each with its page."""
    for page, text in (*blocks(""), *blocks("bash"), *blocks("console")):
        for line in text.splitlines():
            if re.match(r"(\$ )?(selfsame|make|dvc|python|pip|uv|git) [a-z-]", line):
                yield page, line.removeprefix("$ ")


def spans() -> Iterator[tuple[str, str]]:
    """Yield every code span in a page's text."""
    for page, whole in PAGES.items():
        for span in re.findall(r"`([^`\n]+)`", BLOCK.sub("", whole)):
            yield page, span.replace("\\|", "|")


def options_of(command: Any) -> set[str]:
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = {
        path.relative_to(tmp_path / "site").with_suffix(".md").as_posix(): path
        for path in (tmp_path / "site").rglob("*.html")
    }
    assert {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")} <= set(pages)
    text = pages["python.md"].read_text(encoding="utf-8")
    assert "predict_proba" in text and "Raises" in text  # from the docstrings
    for page in pages.values():  # nothing is fetched from elsewhere
        assert not re.findall(
            r'<(?:script|link|img)[^>]+(?:src|href)="https?:', page.read_text(encoding="utf-8")
        )


@pytest.mark.parametrize(("page", "line"), sorted(set(typed())))
def test_what_a_reader_types_is_understood(page: str, line: str) -> None:
    program, *words = shlex.split(line, comments=True)
    if program == "selfsame":
        COMMANDS[words[0]].make_context(words[0], words[1:])  # raises UsageError
    elif program == "make":
        assert {word for word in words if "=" not in word} <= TARGETS
    elif program == "dvc":
        get_main_parser().parse_args(words)  # exits
    elif program in ("pip", "uv"):
        for extras in re.findall(r"\[([a-z0-9,-]+)\]", line):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    elif program == "python" and words[0] == "-m":
        assert words[1] == "venv" or (ROOT / words[1].replace(".", "/")).with_suffix(".py").exists()
    elif program == "python":
        assert (ROOT / words[0]).exists()


def test_commands_in_the_text_exist() -> None:
    wrong, count = [], 0
    for page, span in spans():
        if made := re.match(r"(selfsame|make) ([a-z]+)\b", span):
            count += 1
            known = TARGETS if made[1] == "make" else set(COMMANDS)
            if made[2] not in known:
                wrong.append(f"{page}: {span}")
            elif made[1] == "selfsame":
                given = set(re.findall(r"(?<=\s)(--[a-z-]+)", span))
                wrong += [f"{page}: {span}: {name}" for name in given - options_of(COMMANDS[made[2]])]
    assert wrong == [] and count > 50


def test_paths_in_the_text_exist() -> None:
    wrong = []
    for page, span in spans():
        path = span.split("::")[0].rstrip("/")
        parts = path.split("/")
        names_source = len(parts) > 1 and parts[0] in SOURCES and re.fullmatch(r"[\w./-]+", path)
        was_true_once = page.startswith(("CHANGELOG", "docs/decisions"))
        if names_source and not was_true_once and not (ROOT / path).exists():
            wrong.append(f"{page}: {span}")
    assert wrong == []


@pytest.mark.parametrize(("page", "text"), blocks("python"))
def test_python_in_the_documents_compiles_and_imports_what_is_there(page: str, text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert all(hasattr(module, name.name) for name in node.names), page


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_parameters_in_the_documents_are_valid(page: str, text: str) -> None:
    """Sections of ``params.yaml``, or dotted keys, over a preset that they are meant for."""
    given = YAML(typ="safe").load(text)
    dotted = given if all("." in key for key in given) else {
        f"{section}.{key}": value for section, values in given.items() for key, value in values.items()
    }  # fmt: skip
    errors = []
    for preset in sorted((ROOT / "presets").glob("*.yaml")):
        try:
            check_params(with_overrides(read_yaml(preset), dotted), page)
        except Exception as error:  # another preset may suit
            errors.append(str(error))
        else:
            return
    pytest.fail("\n".join(errors))
