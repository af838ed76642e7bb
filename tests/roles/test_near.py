"""Near copies between roles are found; rows that only are close are none."""

import numpy as np
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.roles.near import LIMIT, near_copies, refuse_copies

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
