"""How small champions are trained, and the raw rows that they come from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from project import run_task

from selfsame.core.layout import CHAMPION
from selfsame.predict import Classifier, Regressor, load_model

Command = Callable[..., str]
ALL = ("download", "split", "train_baseline", "pseudo_label", "retrain", "evaluate")
ROWS = 240
ISLANDS, SPECIES = ("Biscoe", "Dream", "Torgersen"), ("Adelie", "Chinstrap", "Gentoo")


def penguins(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """A table with numbers, text, truth values, and gaps in each."""
    random = np.random.default_rng(seed)
    species = random.integers(0, 3, rows)

    def with_gaps(values: Any, share: float) -> pa.Array:
        return pa.array(values, mask=random.random(rows) < share)

    return pa.table(
        {
            "id": [f"p{row}" for row in range(rows)],
            "island": with_gaps(np.array(ISLANDS)[(species + random.integers(0, 2, rows)) % 3], 0.05),
            "bill_mm": with_gaps(np.round(40 + 4 * species + random.normal(0, 2, rows), 1), 0.1),
            "mass_g": 3000 + 700 * species + random.integers(0, 900, rows),
            "banded": with_gaps(random.random(rows) < 0.5, 0.1),
            "species": np.array(SPECIES)[species],
        }
    )


@dataclass(frozen=True)
class Trained:
    """A project's folder in which stages have run."""

    folder: Path

    @property
    def champion(self) -> Path:
        return self.folder / CHAMPION

    @property
    def model(self) -> Classifier | Regressor:
        return load_model(self.champion, "cpu", threads=1)

    def table(self, role: str) -> Path:
        return self.folder / "data" / "splits" / f"{role}.parquet"


def train(folder: Path, **changes: dict[str, Any]) -> Trained:
    """Run all six stages, the student's training for one epoch."""
    for name in ALL:
        run_task(name, folder, **{"retrain": {"max_epochs": 1}, **changes})
    return Trained(folder)


def census(rows: int = 300) -> pa.Table:
    """Rows like those of the 1990 census."""
    random = np.random.default_rng(2)
    income = random.gamma(4, 1, rows)
    households = random.integers(50, 900, rows)
    return pa.table(
        {
            "longitude": -120 + random.random(rows),
            "latitude": 35 + random.random(rows),
            "housing_median_age": random.integers(1, 52, rows),
            "total_rooms": households * random.integers(3, 8, rows),
            "total_bedrooms": pa.array(households * 1.1, mask=random.random(rows) < 0.05),
            "population": households * 3,
            "households": households,
            "median_income": income,
            "median_house_value": 50_000 * income + random.normal(0, 10_000, rows),
        }
    )
