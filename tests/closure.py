"""What a module imports, read from the source text: the import closure of a stage."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from selfsame.core.graph_file import StageSpec

PACKAGES = ("tasks", "selfsame", "flows")
AS_MAIN = "__name__ == '__main__'"
OBSERVERS = "selfsame/observe"  # the one import that is no code dependency


def python_files(folder: Path) -> list[Path]:
    """Return the files below ``folder`` that hold code; an empty one changes nothing."""
    return [path for path in sorted(folder.rglob("*.py")) if path.read_text(encoding="utf-8").strip()]


def imported_names(path: Path, root: Path, as_module: bool = False) -> tuple[str, ...]:
    """Return the dotted names that a file imports anywhere: in functions and for type checkers too.

    ``from a import b`` gives ``a`` and ``a.b``, since b may be a module.

    Args:
        as_module: without what it imports only when it is run: the runner, which can't change a byte.
    """
    package = path.relative_to(root).with_suffix("").parts[:-1]
    return _imported_names(path.read_text(encoding="utf-8"), package, as_module)


@cache
def _imported_names(text: str, package: tuple[str, ...], as_module: bool) -> tuple[str, ...]:
    names: list[str] = []
    tree = ast.parse(text)
    if as_module:
        tree.body = [
            node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == AS_MAIN)
        ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(names)


def imported_files(path: Path, root: Path) -> set[Path]:
    """Return the project's files with code that importing ``path`` runs, not counting what those import."""
    found = set()
    for name in imported_names(path, root, as_module=True):
        parts = name.split(".")
        if parts[0] not in PACKAGES:
            continue
        for end in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b as well
            place = root.joinpath(*parts[:end])
            found |= {file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()}
    return {file for file in found if file.read_text(encoding="utf-8").strip()}


def closure(path: Path, root: Path) -> set[str]:
    """Return ``path`` and all it imports, directly or not, without the observers; relative to ``root``."""
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        if file in seen or file.relative_to(root).is_relative_to(OBSERVERS):
            continue
        seen.add(file)
        waiting += imported_files(file, root)
    return {file.relative_to(root).as_posix() for file in seen}


def misfits(spec: StageSpec, root: Path) -> Iterator[str]:
    """Say where a stage's code dependencies in ``dvc.yaml`` and its import closure differ."""
    files = closure(root / "tasks" / f"{spec.name}.py", root)
    for file in sorted(files):
        owners = [dep for dep in spec.code if Path(file).is_relative_to(dep)]
        if len(owners) != 1:
            yield f"{spec.name} imports {file}, declared by {owners or 'nothing'}"
    for dep in spec.code:
        if not any(Path(file).is_relative_to(dep) for file in files):
            yield f"{spec.name} declares {dep} and imports nothing of it"
