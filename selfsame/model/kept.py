"""Arrays that took long to compute, kept for the next run of a stage in a folder that nothing depends on.

They are no output, and whether a stage runs is DVC's to say. Each is keyed by all that decides it, so that it
is taken up only where it would have been computed again to the same bytes: an edited title predicts nothing.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel
from safetensors.numpy import load, save

from selfsame.core.digests import files_under, sha256_file, sha256_json
from selfsame.core.layout import SCRATCH

Arrays = Mapping[str, np.ndarray]
MOST_BYTES = 2**28  # that stay when a stage is done
LIBRARIES = ("numpy", "scikit-learn", "scipy", "torch")


class Kept:
    """The arrays of one stage.

    A file's name ends with the digest of its bytes, so that a torn or altered one is known and left alone.

    Attributes:
        used: the files that this run has made or taken up.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Keep arrays in ``folder``; ``facts`` are what decides all of them: code, parameters, libraries."""
        self._folder, self._facts = folder, facts
        self.used: set[Path] = set()
        self._digests: dict[Path, list[str]] = {}

    def get(self, name: str, inputs: Iterable[Path], make: Callable[[], Arrays]) -> Arrays:
        """Return what ``make`` returns, without calling it if it was kept.

        Args:
            name: tells apart what is made of the same inputs.
            inputs: the files and folders that ``make`` reads.
        """

        def write(path: Path) -> None:
            path.write_bytes(save({name: np.array(array, order="C") for name, array in make().items()}))

        return load(self.file(name, inputs, write, ".safetensors").read_bytes())

    def file(self, name: str, inputs: Iterable[Path], write: Callable[[Path], None], ending: str) -> Path:
        """Return a file that ``write`` wrote, without calling it if it was kept; as ``get``."""
        facts = {**self._facts, "name": name, "inputs": [self._digests_of(path) for path in inputs]}
        key = sha256_json(facts)
        for file in sorted(self._folder.glob(f"{key}-*{ending}")):
            if sha256_file(file) == file.stem.removeprefix(f"{key}-"):
                self.used.add(file)
                return file
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f".partial-{key}-{os.getpid()}{ending}"
        write(partial)
        made = partial.rename(self._folder / f"{key}-{sha256_file(partial)}{ending}")
        self.used.add(made)
        return made

    def digested(self, inputs: Iterable[Path]) -> Iterator[Path]:
        """Yield files, each when its digest is known."""
        for path in inputs:
            self._digests_of(path)
            yield path

    def clean(self) -> None:
        """Remove what this run had no use for; and all of it, if that is more than ``MOST_BYTES``."""
        used = {file for file in self.used if file.exists()}
        if sum(file.stat().st_size for file in used) > MOST_BYTES:
            used = set()
        for file in set(files_under(self._folder)) - used:
            file.unlink(missing_ok=True)

    def _digests_of(self, path: Path) -> list[str]:
        if path not in self._digests:
            self._digests[path] = [sha256_file(file) for file in files_under(path)]
        return self._digests[path]


def keep(stage: str, code: Iterable[str], params: Mapping[str, BaseModel], but: str) -> Kept:
    """Return what a stage keeps for its next run, which its code and its parameters decide.

    Args:
        but: the section that decides nothing that is kept: an edit there makes nothing anew.
    """
    facts = {
        "code": {path: [sha256_file(file) for file in files_under(Path(path))] for path in code},
        "params": {name: section.model_dump() for name, section in params.items() if name != but},
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    return Kept((SCRATCH / "kept" / stage).absolute(), facts)
