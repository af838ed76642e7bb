"""Which code really ran: the modules of the project and the packages that this process has imported."""

import re
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from types import CodeType
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import CODE_ROOTS

LONGEST_LICENSE = 60  # characters: above, it is the whole text


def project_modules() -> list[Path]:
    """Return the file of every imported module that lies in the project, relative to its root.

    Raises:
        SelfsameError: one is no code of the project, so that it stands in the place of a library; or what
            runs is not what its source says, because a byte-code cache was changed.
    """
    found = []
    for module in list(sys.modules.values()):
        path = Path(getattr(module, "__file__", None) or "/").absolute()
        if not path.is_relative_to(Path.cwd()) or path.is_relative_to(sys.prefix) or not path.is_file():
            continue  # torch has modules that name files which are nowhere
        name = path.relative_to(Path.cwd())
        if name.parts[0] not in CODE_ROOTS and module.__name__ != "__main__":  # a program hides no library
            raise SelfsameError(
                f"{name}: was imported as '{module.__name__}', but only {' and '.join(CODE_ROOTS)} hold code",
                "rename it: in the project's root it hides a library of that name",
            )
        _check_byte_code(module, name)
        found.append(name)
    return sorted(set(found))


_checked: set[Path] = set()


def _check_byte_code(module: Any, name: Path) -> None:
    """Compile a module's source again and hold it against its byte-code cache, which Python takes instead."""
    spec = module.__spec__
    cached = Path(spec.cached) if spec is not None and spec.cached else None
    if cached is None or not cached.exists() or cached in _checked:
        return
    source = spec.loader.get_data(spec.origin)
    ran: CodeType = spec.loader.get_code(spec.name)
    if ran != spec.loader.source_to_code(source, spec.origin):
        raise SelfsameError(
            f"{name}: its byte code in {cached.parent.name} is not that of its source",
            f"delete {cached.relative_to(Path.cwd())}; nothing of what ran is kept",
        )
    _checked.add(cached)


def imported_packages() -> dict[str, dict[str, str]]:
    """Describe every installed package of which a module is imported, by name.

    ``record`` is the sha256 of its RECORD, which lists all its files with their digests; ``license`` is there
    if the package names one.
    """
    tops = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
    found: dict[str, dict[str, str]] = {}
    for distribution in metadata.distributions():
        record = distribution.read_text("RECORD")
        if record and tops & set(re.findall(r"^([^/.,\n]+)[/.]", record, re.MULTILINE)):
            name, digest = distribution.name.lower().replace("_", "-"), sha256(record.encode()).hexdigest()
            found.setdefault(name, {"record": digest} | dict(_license(distribution.metadata)))
    return dict(sorted(found.items()))


def _license(described: metadata.PackageMetadata) -> Iterator[tuple[str, str]]:
    classifiers = [text for text in described.get_all("Classifier") or [] if text.startswith("License ::")]
    named = [*(described.get_all("License") or []), *(text.rpartition(" :: ")[2] for text in classifiers)]
    short = (text for text in named if text and len(text) <= LONGEST_LICENSE and "\n" not in text)
    for text in (*(described.get_all("License-Expression") or []), *short):
        yield "license", text
        return
