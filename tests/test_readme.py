"""The README's commands and the engineer's tree are true."""

import itertools
import re
from pathlib import Path

from project import ROOT

from selfsame.cli import app
from selfsame.core.graph_file import read_stages

README = (ROOT / "README.md").read_text(encoding="utf-8")
ENGINEER = (ROOT / "docs" / "engineer.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(/|\.\w+)|Makefile")  # as it stands in a drawn tree


def code_of(text: str) -> list[str]:
    """Return every line of code in a page: of its fenced blocks, and its code spans."""
    lines = [line for block in FENCED.findall(text) for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", FENCED.sub("", text))


def tree_paths(lines: list[str]) -> list[str]:
    """Return the paths that a drawn tree names: a line's first words that look like one, below its parent."""
    paths: list[str] = []
    above: list[tuple[int, str]] = []  # column and path of each open folder
    for line in lines:
        column = len(line) - len(line.lstrip(" │├└─|`-"))
        names = list(itertools.takewhile(PATH.fullmatch, re.split(r"\s{2,}|\s#", line[column:].strip())))
        while above and above[-1][0] >= column:
            above.pop()
        parent = above[-1][1] if above else ""
        paths += [parent + name for name in names]
        if len(names) == 1 and names[0].endswith("/"):
            above.append((column, parent + names[0]))
    return paths


def test_the_tree_is_true() -> None:
    blocks = FENCED.findall(ENGINEER)
    (tree,) = [block.splitlines() for block in blocks if "tasks/" in block and "selfsame/" in block]
    paths = tree_paths(tree)
    made = ["lineage/", *(out for spec in read_stages(ROOT / "dvc.yaml").values() for out in spec.outputs)]
    for path in paths:
        assert (ROOT / path).exists() or any(out.startswith(path) for out in made), path
    top = {path.split("/")[0] for path in paths}
    assert {"flows", "tasks", "data", "models", "tests", "dvc.yaml", "params.yaml", "pyproject.toml"} <= top
    stages = {Path(path).name for path in (ROOT / "tasks").iterdir() if path.name[0] not in "_."}
    assert {f"tasks/{name}" for name in stages} <= set(paths)


def test_a_tree_is_read_as_it_is_drawn() -> None:
    drawn = """
flows/               WHEN, in params.yaml terms
    pipeline.py      the flow
tasks/
├── split.py  download.py   both
└── sub/
    └── deep.py      # deepest
data/  models/       artifacts only
Makefile             the commands
""".splitlines()
    assert tree_paths(drawn) == [
        *("flows/", "flows/pipeline.py", "tasks/", "tasks/split.py", "tasks/download.py", "tasks/sub/"),
        *("tasks/sub/deep.py", "data/", "models/", "Makefile"),
    ]


def test_the_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    commands = {str(command.name or command.callback.__name__) for command in app.registered_commands}
    named: dict[str, set[str]] = {"make": set(), "selfsame": set()}
    for line in (*code_of(README), *code_of(ENGINEER)):
        if words := re.match(r"(?:\$ )?(make|selfsame) ([a-z]+)", line.strip()):
            named[words[1]].add(words[2])
    assert {"run", "test"} <= named["make"] <= targets
    assert named["selfsame"] <= commands
