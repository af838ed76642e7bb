"""What ``verify`` finds of random changes to a committed chain, and whether it cries wolf.

Three hundred changes, each to a copy of a small project with two results: to a byte, to a line, to a whole
file, to a record with its name put right, and any of these committed on top. Each must be found, with the
file named. A change that means nothing, or that no check can tell from an honest one, is counted by itself,
with the reason. Then a hundred verifications of copies to which nothing was done but what happens to any
copy.

    python benchmarks/tamper.py [CHANGES [CLEAN [SEED]]]

Last table: see docs/auditor.md.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests/audit")]

from toy_project import Project, make_twice  # noqa: E402

from selfsame.audit.stored import parse_yaml  # noqa: E402
from selfsame.audit.verify import verify  # noqa: E402
from selfsame.core.errors import SelfsameError  # noqa: E402

FILES = ("params.yaml", "dvc.yaml", "dvc.lock", "seed.txt")
FOLDERS = ("tasks", "lineage", "data", "models", "reports")
OBJECTS = ".dvc/cache/files/md5"
OUTPUTS = ("outs", "metrics", "plots")
NAMED, FOUND, SAME, BEYOND, MISSED = "named", "found", "means the same", "out of reach", "missed"
Chance = random.Random
Change = Callable[[Path, Chance], Path]  # returns the file that must be named


def write(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)  # DVC may have linked it
    path.write_bytes(content)
    return path


def flip_a_bit(path: Path, chance: Chance) -> Path:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return write(path, bytes(content))


def set_a_byte(path: Path, chance: Chance) -> Path:
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    content[place] = (content[place] + chance.randrange(1, 256)) % 256
    return write(path, bytes(content))


def _lines(path: Path, chance: Chance) -> tuple[list[bytes], int, int]:
    lines = path.read_bytes().splitlines(keepends=True)
    return lines, chance.randrange(len(lines)), chance.randrange(len(lines))


def drop_a_line(path: Path, chance: Chance) -> Path:
    lines, place, _ = _lines(path, chance)
    return write(path, b"".join(lines[:place] + lines[place + 1 :]))


def double_a_line(path: Path, chance: Chance) -> Path:
    lines, place, _ = _lines(path, chance)
    return write(path, b"".join([*lines[:place], lines[place], *lines[place:]]))


def swap_two_lines(path: Path, chance: Chance) -> Path:
    lines, one, other = _lines(path, chance)
    lines[one], lines[other] = lines[other], lines[one]
    return write(path, b"".join(lines))


def shorten(path: Path, chance: Chance) -> Path:
    return write(path, path.read_bytes()[: chance.randrange(path.stat().st_size)])


def lengthen(path: Path, chance: Chance) -> Path:
    return write(path, path.read_bytes() + chance.randbytes(chance.randint(1, 9)))


def exchange(path: Path, chance: Chance) -> Path:
    """Give it the content of another file of its folder."""
    others = [each for each in sorted(path.parent.iterdir()) if each.is_file() and each != path]
    return write(path, chance.choice(others or [Path("seed.txt")]).read_bytes())


def delete(path: Path, _: Chance) -> Path:
    path.unlink()
    return path


def put_beside(path: Path, _: Chance) -> Path:
    return write(path.with_name(f"also-{path.name}"), path.read_bytes())


def make_a_link(path: Path, _: Chance) -> Path:
    elsewhere = Path("..", f"elsewhere-{path.name}").resolve()
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)
    return path


def forge(path: Path, chance: Chance) -> Path:
    """Change what a record says in one place, and give it the name of its new content."""
    statement = json.loads(path.read_bytes())
    holder, key = chance.choice(list(_leaves(statement)))
    holder[key] = _other(holder[key], chance)
    path.unlink()
    return _record(path, statement)


def add_a_forged_one(path: Path, chance: Chance) -> Path:
    """The same, beside the true one."""
    content = path.read_bytes()
    forged = forge(path, chance)
    path.write_bytes(content)
    return forged


def _record(path: Path, statement: dict[str, Any]) -> Path:
    content = json.dumps(statement, indent=2).encode() + b"\n"
    return write(path.with_name(f"{sha256(content).hexdigest()}.json"), content)


def _leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    for key in value if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], dict | list):
            yield from _leaves(value[key])
        else:
            yield value, key


def _other(value: Any, chance: Chance) -> Any:
    if isinstance(value, bool) or value is None:
        return value is not True
    if isinstance(value, int | float):
        return value + 1
    digits = [place for place, letter in enumerate(value) if letter in "0123456789abcdef"]
    if not digits:
        return value + "x"
    place = chance.choice(digits)
    return value[:place] + ("0" if value[place] != "0" else "1") + value[place + 1 :]


BYTES = (flip_a_bit, set_a_byte)
LINES = (drop_a_line, double_a_line, swap_two_lines)
WHOLE = (shorten, lengthen, exchange, delete, put_beside, make_a_link)
RECORDS = (forge, add_a_forged_one)
KINDS: dict[str, tuple[Change, ...]] = {"byte": BYTES, "line": LINES, "file": WHOLE, "record": RECORDS}


def change_once(project: Project, kind: str, commit: bool, chance: Chance) -> tuple[str, str]:
    """Make one change of a kind; return what became of it, and the change in words."""
    path = chance.choice(candidates(kind, commit))
    change = chance.choice(KINDS[kind])
    before = path.read_bytes()
    changed = change(path, chance)
    words = f"{change.__name__} {path}{', committed' if commit else ''}"
    if path.is_file() and not path.is_symlink() and path.read_bytes() == before and changed == path:
        return SAME, words
    if commit:
        project.commit()
    said, any_problem = told()
    if path.name in said or changed.name in said or changed.parent.as_posix() in said:
        return NAMED, words
    if any_problem:
        return FOUND, f"{words}: {said}"
    return (harmless(path, before, change, commit) or MISSED), words


def candidates(kind: str, commit: bool) -> list[Path]:
    """Every file that an answer rests on; of a commit those that git has."""
    roots = ["lineage"] if kind == "record" else [*FOLDERS, *([] if commit else [OBJECTS])]
    tracked = set(subprocess.check_output(["git", "ls-files"], text=True).split())
    found = [path for root in roots for path in sorted(Path(root).rglob("*"))]
    found += [] if kind == "record" else map(Path, FILES)
    return [
        path
        for path in found
        if path.is_file() and path.stat().st_size and "__pycache__" not in path.parts
        if not commit or path.as_posix() in tracked
    ]


def told() -> tuple[str, bool]:
    """Return all that a person is told, and whether it is any problem."""
    try:
        problems = verify().problems
    except SelfsameError as error:
        return str(error), True
    return " ".join(f"{each.path} {each.expected} {each.found}" for each in problems), bool(problems)


def harmless(path: Path, before: bytes, change: Change, commit: bool) -> str | None:
    """Say why a change that isn't found needn't be, or can't be; None if it should have been."""
    if change is add_a_forged_one:
        return BEYOND  # one more execution with the same result: who says that it never was?
    name = path.as_posix()
    if change is delete and name.startswith((OBJECTS, "data", "models", "reports")):
        return SAME  # of two copies one is left, which 'dvc checkout' or 'dvc commit' makes two again
    beside = (OBJECTS, "reports", *(["tasks"] if commit else []))  # code that isn't committed is named
    alone = (*FILES, "data/about.txt")  # which are no part of a folder that a stage makes
    if change is put_beside and (name in alone or name.startswith(beside)):
        return SAME  # a file of a name that nothing reads
    if change is make_a_link and (name.startswith(OBJECTS) or (commit and name == "seed.txt")):
        return SAME  # of objects and sources the bytes count, read through the link too
    if path.suffix in (".yaml", ".lock") and commit and parse_yaml(path.read_bytes()) == parse_yaml(before):
        return SAME
    if name == "dvc.yaml" and commit and _runs(parse_yaml(path.read_bytes())) == _runs(parse_yaml(before)):
        return SAME  # whether DVC keeps an output in its cache, or how it describes a stage, makes no byte
    return None


def _runs(graph: Any) -> Any:
    """Return what makes bytes in a ``dvc.yaml``: commands, what they read, and where they write."""
    if not isinstance(graph, dict) or not isinstance(graph.get("stages"), dict):
        return graph
    return {
        name: [
            *(stage.get(key) for key in ("cmd", "deps", "params")),
            [[*out] if isinstance(out, dict) else [out] for kind in OUTPUTS for out in stage.get(kind, [])],
        ]
        for name, stage in graph["stages"].items()
    }


def touched(_: Project) -> None:
    for path in Path().rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            os.utime(path, (0, 0))


def moved(project: Project) -> None:
    os.chdir(shutil.move(project.root, project.root.with_name("another folder")))


def cloned(project: Project) -> None:
    there = project.root.with_name("clone")
    project.run("git", "clone", "-q", "--no-local", str(project.root), str(there))
    shutil.copytree(".dvc/cache", there / ".dvc/cache")
    os.chdir(there)
    Project(there).run("dvc", "checkout", "--quiet")


def in_another_time_zone(_: Project) -> None:
    os.environ["TZ"] = "Pacific/Kiritimati"
    time.tzset()


def as_another_user(project: Project) -> None:
    """With another home, name and mask of modes."""
    home = project.root.with_name("home")
    home.mkdir()
    os.environ |= {"HOME": str(home), "USER": "eve", "LOGNAME": "eve", "LC_ALL": "C"}
    os.umask(0o077)
    for path in Path().rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            path.chmod(0o600)


def with_byte_code(project: Project) -> None:
    project.run("python", "-m", "compileall", "-q", "tasks")


def with_notes_of_ones_own(_: Project) -> None:
    Path("notes.txt").write_text("to do\n")
    Path("scripts").mkdir()
    Path("scripts/try.py").write_text("print(1)\n")


def with_git_packed(project: Project) -> None:
    project.run("git", "gc", "--quiet")


HARMLESS = (
    touched,
    moved,
    cloned,
    in_another_time_zone,
    as_another_user,
    with_byte_code,
    with_notes_of_ones_own,
    with_git_packed,
)


@contextmanager
def copy_of(project: Project, place: Path) -> Iterator[Project]:
    """Work in a copy; afterwards folder, environment and mask are what they were."""
    here, environment, mask = Path.cwd(), dict(os.environ), os.umask(0o022)
    shutil.copytree(project.root, place / "project", symlinks=True)
    os.chdir(place / "project")
    try:
        yield Project(place / "project")
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        os.umask(mask)
        shutil.rmtree(place)


def tamper(project: Project, count: int, seed: int, scratch: Path) -> dict[str, list[tuple[str, str]]]:
    """Make changes of every kind in turn, half of them committed; return what became of them, by kind."""
    chance = Chance(seed)
    found: dict[str, list[tuple[str, str]]] = {}
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        commit = number // len(KINDS) % 2 == 1
        with copy_of(project, scratch / str(number)) as copy:
            outcome = change_once(copy, kind, commit, chance)
        found.setdefault(f"{kind}, committed" if commit else kind, []).append(outcome)
    return found


def alarms(project: Project, count: int, scratch: Path) -> list[str]:
    """Verify copies to which nothing happened that counts; return what was said nevertheless."""
    said = []
    for number in range(count):
        change = HARMLESS[number % len(HARMLESS)]
        with copy_of(project, scratch / str(number)) as copy:
            change(copy)
            words, problem = told()
            said += [f"{change.__name__}: {words}"] if problem else []
    return said


def main(count: int = 300, clean: int = 100, seed: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = make_twice(Path(folder) / "twice")
        found = tamper(project, count, seed, Path(folder) / "changes")
        outcomes = (NAMED, FOUND, SAME, BEYOND, MISSED)
        print(f"| change to a | changes | {' | '.join(outcomes)} |\n| --- |{' ---: |' * 6}")
        for kind, each in found.items():
            counts = Counter(outcome for outcome, _ in each)
            print(f"| {kind} | {len(each)} | {' | '.join(str(counts[name]) for name in outcomes)} |")
        for outcome, words in (one for each in found.values() for one in each):
            if outcome != NAMED:
                print(f"{outcome}: {words}")
        said = alarms(project, clean, Path(folder) / "clean")
        print(f"{clean} clean verifications, {len(said)} false alarms", *said, sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
