"""What an evaluation reads and writes beside tables and models: curves, digests, CSV files for plots."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.digests import files_under, sha256_file
from selfsame.model.folder import read_config
from selfsame.selection.record import read_decision

# Of a gate's record: what it was told or found, not what it measured.
GATE_SETTINGS = (
    "rule",
    "thresholds",
    "guarantee",
    "balance",
    "prior",
    "temperature",
    "largest_ensemble_std",
    "calibrated_on",
)


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


def settings_of(models: Iterable[Path], pseudo_labels: Path) -> dict[str, dict[str, Any]]:
    """Return the parameters that models and pseudo-labels tell of themselves, by path and dotted key.

    Those of the models stand in their folders, those of the gate in its record.
    """
    told = {}
    for folder in models:
        config = read_config(folder)
        told[folder] = {"model": config["model"], **config["recipe"]}
    decision = read_decision(pseudo_labels)
    told[pseudo_labels] = {"gate": {key: decision[key] for key in GATE_SETTINGS if key in decision}}
    return {path.as_posix(): dotted(sections) for path, sections in told.items()}


def write_csv(path: Path, columns: Mapping[str, Iterable[Any]]) -> None:
    """Write columns of the same length; None is an empty field."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
