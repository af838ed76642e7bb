"""One flipped bit, in any kind of place of the real pipeline, is found and its file named."""

import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from project import Project

from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError

Places = dict[str, list[Path]]


@pytest.fixture
def pushed(real_copy: Project) -> Project:
    real_copy.run("dvc", "push", "-q")
    return real_copy


def places(project: Project) -> Places:
    """Return every file of every kind that an answer may rest on."""

    def is_needed(path: Path) -> bool:
        return "".join(path.parts[-2:]) in needed

    def files(*roots: str) -> list[Path]:
        found = (path for root in roots for path in [Path(root), *Path(root).rglob("*")])
        return sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)

    needed = set(re.findall(r"md5: ([0-9a-f]{32}(?:\.dir)?)", Path("dvc.lock").read_text()))
    return {
        "workspace": files("data", "models", "reports"),
        "pseudo-label": files("data/pseudo_labels"),
        "cache": [*filter(is_needed, files(".dvc/cache/files/md5"))],
        "remote": [*filter(is_needed, files("../store"))],
        "lock": [Path("dvc.lock")],
        "record": files("lineage"),
        "params": [Path("params.yaml")],
        "graph": [Path("dvc.yaml")],
        "code": files("tasks", "selfsame/core", "selfsame/learning", "selfsame/report", "selfsame/sources"),
    }


def flip(path: Path, chance: random.Random) -> Callable[[], None]:
    """Flip one bit, keeping size, time and mode as a careful forger would; return the way back."""
    before, content = path.stat(), path.read_bytes()
    changed = bytearray(content)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)

    def write(new: bytes) -> None:
        path.chmod(0o644)
        path.write_bytes(new)
        path.chmod(before.st_mode)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    write(bytes(changed))
    return lambda: write(content)


def flips_in_turn(project: Project, count: int, seed: int) -> None:
    chance = random.Random(seed)
    kinds = {kind: files for kind, files in places(project).items() if any(f.stat().st_size for f in files)}
    assert len(kinds) == 9
    for number in range(count):
        kind = list(kinds)[number % len(kinds)]
        path = chance.choice([file for file in kinds[kind] if file.stat().st_size])
        undo = flip(path, chance)
        found = told(kind)
        undo()
        assert path.name in found, f"flip {number} in {path} ({kind}): {found}"
    assert verify(remote=True).problems == []


def told(kind: str) -> str:
    """Return all that a person is told; an unreadable lock file or graph is told as one error."""
    try:
        report = verify(remote=kind == "remote")
    except SelfsameError as error:
        return str(error)
    return " ".join(problem.path for problem in report.problems)


def test_flipped_bits_are_found_and_named(pushed: Project) -> None:
    flips_in_turn(pushed, count=36, seed=0)
