"""The one way in which git is asked."""

import subprocess
from pathlib import Path

import pytest

from selfsame import git as wrapper
from selfsame.core.errors import PassingError, SelfsameError
from selfsame.git import AUTHOR, ask, blob_ids, committed, git, head, read_blob


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    return tmp_path


def commit(**files: str) -> str:
    for name, content in files.items():
        Path(name).write_text(content)
    git("add", "--all")
    git(*AUTHOR, "commit", "--quiet", "--message", "one")
    commit = head()
    assert commit is not None
    return commit


def test_a_path_is_taken_literally(repository: Path) -> None:
    made = commit(**{"a*": "star", "ab": "other"})
    assert list(committed(made, ["a*"])) == ["a*"]
    assert read_blob(made, "a*") == b"star"
    assert read_blob(made, "nowhere") is None


def test_objects_are_read_as_they_are(repository: Path) -> None:
    """``git replace`` shows another object under a commit's own name."""
    first = commit(a="honest")
    true, false = blob_ids(["a"])["a"], ask("hash-object", "-w", "--stdin", stdin=b"forged").decode().strip()
    git("replace", true, false)
    plain = subprocess.run(["git", "cat-file", "blob", f"{first}:a"], capture_output=True, check=True)
    assert plain.stdout == b"forged"
    assert read_blob(first, "a") == b"honest"


def test_a_failure_says_what_git_says_and_names_the_command(repository: Path) -> None:
    with pytest.raises(SelfsameError, match=r"^git commit: ") as caught:
        git(*AUTHOR, "commit", "--message", "nothing", fix="add something")
    assert not isinstance(caught.value, PassingError)
    assert caught.value.fix == "add something"
    with pytest.raises(PassingError):
        git("rev-parse", "nothing")
    assert ask("rev-parse", "nothing") is None
    assert head() is None


def test_git_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert ask("status") is None
    with pytest.raises(SelfsameError, match="git is not installed"):
        git("status")


def test_nobody_else_starts_git() -> None:
    root = Path(wrapper.__file__).parent.parent
    own = [file for name in ("selfsame", "tasks", "flows") for file in (root / name).rglob("*.py")]
    assert own
    assert {file.name for file in own if '["git",' in file.read_text(encoding="utf-8")} == {"git.py"}
