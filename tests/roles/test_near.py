"""Near copies between roles are found; rows that only are close are none."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, input_columns
from selfsame.roles import near
from selfsame.roles.near import LIMIT, look_for_copies, near_copies, refuse_copies

PATIENTS, EACH = 40, 10


def patients(features: int, noise: float, seed: int = 0) -> np.ndarray:
    """Rows of 40 people, ten of each."""
    random = np.random.default_rng(seed)
    people = random.normal(size=(PATIENTS, 1, features))
    return (people + noise * random.normal(size=(PATIENTS, EACH, features))).reshape(-1, features)


def share(rows: np.ndarray, seed: int = 0) -> float:
    """Of a random quarter, how many have a near copy among the others."""
    drawn = np.random.default_rng(seed).permutation(len(rows))
    cut = len(rows) // 4
    learned = rows[drawn[cut:]]
    return float((near_copies(rows[drawn[:cut]], [learned[:100], learned[100:]]) >= 0).mean())


@pytest.mark.parametrize(("features", "noise"), [(5, 0.01), (30, 0.05), (30, 0.1), (300, 0.1)])
def test_rows_of_one_patient_are_near_copies(features: int, noise: float) -> None:
    assert share(patients(features, noise)) > 0.9


@pytest.mark.parametrize("features", [1, 2, 5, 30])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rows_that_are_independent_are_none(features: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(800, features))
    assert share(rows, seed) < (LIMIT if features == 1 else 0.1)


def test_the_copy_is_named() -> None:
    random = np.random.default_rng(0)
    learned, judges = random.normal(size=(300, 6)), random.normal(size=(20, 6))
    judges[:7] = learned[40:47] + 1e-3
    found = near_copies(judges, [learned])
    assert found[:7].tolist() == list(range(40, 47)) and (found[7:] == -1).all()
    judges[0] = learned[200]
    assert near_copies(judges, [learned])[0] == 200
    assert (near_copies(judges, []) == -1).all()


def test_many_stop_and_few_do_not() -> None:
    refuse_copies([(row, row if row < 30 else -1) for row in range(100)], "examples")
    refuse_copies([(row, row) for row in range(4)], "examples")
    with pytest.raises(SelfsameError, match=r"31 of 100 .* \(rows 0 and 0, rows 1 and 1, rows 2 and 2 …\)"):
        refuse_copies([(row, row if row < 31 else -1) for row in range(100)], "examples")


def test_tables_of_any_size_are_compared_in_bounded_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many rows of each table are looked at, evenly spaced, and no more, however many there are."""
    info = TableInfo("near", "classification", ("a", "b"), features=("u", "v", "w", "x"))
    schema = info.schema(pa.field("source_row", pa.int64(), nullable=False))
    rows = np.random.default_rng(0).normal(size=(1300, 4))
    rows[1000:1300:100] = rows[0:500:200] + 1e-4  # the first row that judges of each table has a copy

    def table(first: int, end: int) -> Path:
        own, path = rows[first:end], tmp_path / f"{first}.parquet"
        columns = [pa.array(example_ids(own)), *input_columns(own, info), pa.array(np.zeros(len(own), int))]
        with TableWriter(path, schema) as writer:
            writer.write(pa.record_batch([*columns, pa.array(np.arange(first, end))], schema=schema))
        return path

    sizes = []

    def counting(judges: np.ndarray, learned: Iterable[np.ndarray]) -> np.ndarray:
        parts = list(learned)
        sizes.append((len(judges), sum(map(len, parts))))
        return near_copies(judges, parts)

    monkeypatch.setattr(near, "near_copies", counting)
    monkeypatch.setattr(near, "JUDGES", 9)
    monkeypatch.setattr(near, "VALUES", 6 * 4)
    judging, learned = (
        [table(first, first + 100) for first in (1000, 1100, 1200)],
        [table(0, 501), table(501, 1000)],
    )
    found = dict(look_for_copies(judging, learned))
    assert sizes == [(9, 12)]
    assert [found[row] for row in (1000, 1100, 1200)] == [0, 200, 400]
