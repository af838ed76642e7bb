"""Tables that the results page needs beside what lies in ``--data-dir``: made like known ones, or joined.

What is made has the columns, the shares of classes and about the difficulty of its model; none of its rows.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

SEED = 0


def write_table(name: str, folder: Path, data_dir: Path | None) -> Path | None:
    """Write a table as CSV and return its file; None if what it is made of isn't in ``data_dir``."""
    try:
        table = TABLES[name](data_dir or Path("nowhere"))
    except FileNotFoundError:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.csv"
    pyarrow.csv.write_csv(table, file)
    return file


def penguins(_: Path) -> pa.Table:
    """344 rows of three species by means, spreads and correlations of bill, flipper and mass."""
    random = np.random.default_rng(SEED)
    kinds = {
        "Adelie": (
            152,
            (38.8, 18.3, 190.0, 3700.0),
            (2.7, 1.2, 6.5, 458.0),
            ("Torgersen", "Biscoe", "Dream"),
        ),
        "Chinstrap": (68, (48.8, 18.4, 195.8, 3733.0), (3.3, 1.1, 7.1, 384.0), ("Dream",)),
        "Gentoo": (124, (47.5, 15.0, 217.2, 5076.0), (3.1, 1.0, 6.5, 504.0), ("Biscoe",)),
    }
    shared = 0.5 + 0.5 * np.eye(4)
    parts = []
    for kind, (count, mean, spread, islands) in kinds.items():
        drawn = random.multivariate_normal(mean, shared * np.outer(spread, spread), count)
        columns = dict(
            zip(("bill_length", "bill_depth", "flipper_length", "body_mass"), drawn.T, strict=True)
        )
        sex = np.where(drawn[:, 3] + random.normal(0, 200, count) > mean[3], "male", "female")
        part = {name: column.round(1) for name, column in columns.items()}
        part |= {"island": random.choice(islands, count), "sex": _without(sex, random.random(count) < 0.03)}
        parts.append(pa.table({**part, "target": [kind] * count}))
    return pa.concat_tables(parts)


def _without(values: np.ndarray, missing: np.ndarray) -> pa.Array:
    return pa.array(values.tolist(), mask=missing)


def adult(_: Path) -> pa.Table:
    """4,000 rows of incomes, a quarter of them above 50K."""
    random, count = np.random.default_rng(SEED), 4000
    age = np.clip(random.gamma(7, 5.6, count), 17, 90).round()
    education = np.clip(random.normal(10.1, 2.6, count), 1, 16).round()
    hours = np.clip(random.normal(40.4, 12.3, count), 1, 99).round()
    male = random.random(count) < 0.67
    married = random.random(count) < np.where(age > 27, 0.58, 0.15)
    gain = np.where(
        random.random(count) < 0.03 + 0.01 * (education > 12), random.lognormal(8.8, 0.8, count), 0
    )
    skilled = random.random(count) < 1 / (1 + np.exp(-(education - 11)))
    score = 0.33 * (education - 10) + 2.2 * married + 0.03 * (hours - 40) + 0.6 * skilled + 0.25 * male
    score += (
        0.06 * np.minimum(age - 38, 15) - 0.002 * np.maximum(age - 50, 0) ** 2 + 3.0 * (gain > 5000) - 3.0
    )
    rich = random.random(count) < 1 / (1 + np.exp(-1.3 * score))
    jobs = np.where(
        skilled,
        random.choice(["Exec-managerial", "Prof-specialty", "Sales"], count),
        random.choice(["Craft-repair", "Adm-clerical", "Other-service", "Machine-op-inspct"], count),
    )
    alone = random.choice(["Never-married", "Divorced", "Widowed"], count, p=[0.6, 0.3, 0.1])
    return pa.table(
        {
            "age": age,
            "education_num": education,
            "marital_status": np.where(married, "Married-civ-spouse", alone),
            "occupation": _without(jobs, random.random(count) < 0.05),
            "sex": np.where(male, "Male", "Female"),
            "capital_gain": gain.round(),
            "hours_per_week": hours,
            "target": np.where(rich, ">50K", "<=50K"),
        }
    )


def titanic(_: Path) -> pa.Table:
    """891 rows of passengers, of whom 38 % survive."""
    random, count = np.random.default_rng(SEED), 891
    rank = random.choice([1, 2, 3], count, p=[0.24, 0.21, 0.55])
    female = random.random(count) < np.select([rank == 1, rank == 2], [0.44, 0.41], 0.29)
    age = np.clip(random.normal(40 - 5 * rank, 14, count), 0.4, 80).round(1)
    siblings, parents = random.poisson(0.5, count), random.poisson(0.38, count)
    fare = (random.lognormal(np.select([rank == 1, rank == 2], [4.1, 2.9], 2.4), 0.5, count)).round(2)
    score = 2.9 * female - 0.9 * (rank - 2) - 0.03 * (age - 30) - 0.35 * siblings - 1.35
    score += 1.5 * (age < 10) - 1.0 * (female & (rank == 3))
    survived = random.random(count) < 1 / (1 + np.exp(-score))
    return pa.table(
        {
            "pclass": rank,
            "sex": np.where(female, "female", "male"),
            "age": _without(age, random.random(count) < 0.2),
            "sibsp": siblings,
            "parch": parents,
            "fare": fare,
            "embarked": random.choice(["S", "C", "Q"], count, p=[0.72, 0.19, 0.09]),
            "target": np.where(survived, "yes", "no"),
        }
    )


def wine(data_dir: Path) -> pa.Table:
    """6,497 wines of both colors in three grades."""
    parts = []
    for color in ("red", "white"):
        table = _read(data_dir / "wine-quality" / f"winequality-{color}.csv")
        parts.append(table.append_column("color", pa.array([color] * len(table))))
    table = pa.concat_tables(parts, promote_options="permissive")
    quality = table["quality"].to_numpy()
    grade = np.select([quality <= 5, quality == 6], ["low", "middle"], "high")
    return table.drop_columns("quality").append_column("target", pa.array(grade))


def bank(data_dir: Path) -> pa.Table:
    """4,521 calls of a bank, an eighth of which sell something."""
    table = _read(data_dir / "bank-marketing" / "bank.csv")
    return table.rename_columns([{"y": "target"}.get(name, name) for name in table.column_names])


def _read(file: Path) -> pa.Table:
    return pyarrow.csv.read_csv(file, parse_options=pyarrow.csv.ParseOptions(delimiter=";"))


def digits(_: Path) -> pa.Table:
    """1,797 digits, a column for each of 64 pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = {f"pixel_{place:02d}": column for place, column in enumerate(found.data.T)}
    return pa.table({**pixels, "target": [f"digit {label}" for label in found.target]})


TABLES: dict[str, Callable[[Path], pa.Table]] = {
    each.__name__: each for each in (penguins, adult, titanic, wine, bank, digits)
}
