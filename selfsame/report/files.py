"""What an evaluation reads and writes beside tables and models: curves, digests, CSV files for plots."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.digests import files_under, sha256_file


def read_history(path: Path) -> dict[str, np.ndarray]:
    """Read a training's curves: every column as (epochs,) float64."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def digest_files(paths: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of every file that is or lies below one of ``paths``, in their order."""
    return {file.as_posix(): sha256_file(file) for path in paths for file in files_under(path)}


def dotted(sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Name every parameter as ``section.key``."""
    return {f"{section}.{key}": value for section, keys in sections.items() for key, value in keys.items()}


def write_csv(path: Path, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write columns of the same length; None is an empty field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
