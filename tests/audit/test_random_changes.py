"""Random changes to anything that an answer rests on: each is found, and the file named."""

import random
import shutil
from pathlib import Path

import pytest
from toy_project import Project

from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError

ROOTS = ("tasks", "lineage", "data", "models", "reports", ".dvc/cache/files/md5")
FILES = ("params.yaml", "dvc.yaml", "dvc.lock", "seed.txt")


def flip(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    replace(path, bytes(content))


def shorten(path: Path, chance: random.Random) -> None:
    replace(path, path.read_bytes()[: chance.randrange(path.stat().st_size)])


def lengthen(path: Path, chance: random.Random) -> None:
    replace(path, path.read_bytes() + chance.randbytes(chance.randint(1, 9)))


def swap_bytes(path: Path, chance: random.Random) -> None:
    replace(path, path.read_bytes()[::-1])


def delete(path: Path, chance: random.Random) -> None:
    """A file of a folder; what else stands alone may be kept by the cache, or by the workspace, alone."""
    path.unlink() if in_folder(path) else flip(path, chance)


def in_folder(path: Path) -> bool:
    return path.parts[0] in ("tasks", "lineage", "models") or path.parent == Path("data/table")


def put_beside(path: Path, chance: random.Random) -> None:
    """A copy under another name in a folder that is no place for it."""
    if not in_folder(path):
        flip(path, chance)
    else:
        shutil.copyfile(path, path.with_name(f"also-{path.name}"))


CHANGES = (flip, shorten, lengthen, swap_bytes, delete, put_beside)


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # DVC may have linked it
    path.write_bytes(content)


def named() -> str:
    try:
        return " ".join(f"{problem.path} {problem.found}" for problem in verify().problems)
    except SelfsameError as error:
        return str(error)


def changes_in_turn(project: Project, count: int, seed: int) -> None:
    """Change one file at a time, and take it back."""
    chance = random.Random(seed)
    found = [path for root in ROOTS for path in sorted(Path(root).rglob("*"))]
    ignored = [path for path in found if "__pycache__" in path.parts or not path.is_file()]
    files = [*(path for path in found if path not in ignored and path.stat().st_size), *map(Path, FILES)]
    for number in range(count):
        path, change = chance.choice(files), chance.choice(CHANGES)
        before, beside = path.read_bytes(), path.with_name(f"also-{path.name}")
        change(path, chance)
        changed = beside if beside.exists() else path
        if not changed.exists() or changed == beside or path.read_bytes() != before:
            said = named()
            assert changed.name in said or path.parent.as_posix() in said, (number, change, path, said)
        beside.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(before)
    assert verify().problems == []


def test_random_changes_are_named(project: Project) -> None:
    changes_in_turn(project, count=40, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_hundred_random_changes_are_named(project: Project) -> None:
    changes_in_turn(project, count=300, seed=1)
