"""A row that goes moves no other, however the roles are drawn."""

from collections import Counter
from hashlib import blake2b

import numpy as np
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo, id_column
from selfsame.params.split import SplitParams
from selfsame.roles.decide import decide
from selfsame.roles.given import Given, halves
from selfsame.roles.keyed import first, keys_of
from selfsame.roles.rows import (
    DROPPED,
    HOLDOUT,
    LABELED,
    OWN_HOLDOUT,
    OWN_VALIDATION,
    POOL,
    ROLE_NAMES,
    VALIDATION,
)

ROWS = 240
CLASSES = TableInfo("toy", "classification", ("a", "b", "c"), features=("x",))
VALUES = TableInfo("toy", "regression", features=("x",))
IDS = halves(id_column(np.random.default_rng(0).normal(size=(ROWS, 1))))
RANDOM = np.random.default_rng(1)
LABELS = np.where(RANDOM.random(ROWS) < 0.8, RANDOM.choice([0, 0, 0, 1, 1, 2], ROWS), np.nan)
OWN = RANDOM.choice([0, 0, 0, OWN_VALIDATION, OWN_HOLDOUT], ROWS).astype(np.int8)
TIME = RANDOM.permutation(ROWS).astype(np.float64)
GROUP = RANDOM.integers(0, 2**63, 60).astype(np.uint64)[np.arange(ROWS) // 4]
NONE = np.zeros(ROWS, np.int8)
COUNTS = {"labels_per_class": 4, "validation_per_class": 5, "holdout_fraction": 0.25}
SHARES = {"labels_per_class": 0.3, "validation_per_class": 0.2, "calibration_fraction": 0.5}
REST = {"labels_per_class": "all", "validation_per_class": 0.25, "calibration_fraction": 0.3}
ITS_OWN = {"labels_per_class": 4, "validation_per_class": None, "holdout_fraction": None}
WAYS = {
    "counts": (CLASSES, Given(IDS, LABELS, NONE), COUNTS),
    "shares": (CLASSES, Given(IDS, LABELS, NONE), SHARES),
    "all labels": (CLASSES, Given(IDS, LABELS, NONE), REST),
    "the source's own": (CLASSES, Given(IDS, LABELS, OWN), ITS_OWN | {"calibration_fraction": 0.4}),
    "own validation": (
        CLASSES,
        Given(IDS, LABELS, np.where(OWN == OWN_HOLDOUT, 0, OWN).astype(np.int8)),
        {"labels_per_class": 4, "validation_per_class": None, "calibration_fraction": 0.4},
    ),
    "regression": (VALUES, Given(IDS, LABELS, NONE), {"labels_per_class": 20, "validation_per_class": 0.2}),
    "time": (CLASSES, Given(IDS, LABELS, NONE, time=TIME), REST | {"holdout_fraction": 0.2}),
    "time, counts": (CLASSES, Given(IDS, LABELS, NONE, time=TIME), COUNTS),
    "groups": (CLASSES, Given(IDS, LABELS, NONE, group=GROUP), REST),
    "groups, counts": (CLASSES, Given(IDS, LABELS, NONE, group=GROUP), COUNTS | SHARES),
}


def roles_of(info: TableInfo, given: Given, params: dict[str, object]) -> np.ndarray:
    return decide(given, info, SplitParams.model_validate({"seed": 3} | params), "examples").roles


def roles_unless_none_left(info: TableInfo, given: Given, params: dict[str, object]) -> np.ndarray | None:
    try:
        return roles_of(info, given, params)
    except SelfsameError as error:
        if "leaves no" not in error.what:
            raise
        return None


def without(given: Given, gone: np.ndarray) -> Given:
    rest = ~gone
    group, time = (None if each is None else each[rest] for each in (given.group, given.time))
    return Given(given.ids[rest], given.labels[rest], given.own[rest], group, time)


def tombstones(info: TableInfo, given: Given, roles: np.ndarray, gone: np.ndarray) -> dict[str, object]:
    counts: dict[str, Counter[str]] = {}
    for row in np.flatnonzero(gone & ~np.isnan(given.labels) & (roles != DROPPED)):
        name = info.classes[int(given.labels[row])] if info.classes else "all rows"
        counts.setdefault(name, Counter())[ROLE_NAMES[int(roles[row])]] += 1
    return {name: dict(each) for name, each in counts.items()}


@pytest.mark.parametrize("way", WAYS)
def test_a_withdrawn_row_moves_no_other(way: str) -> None:
    info, given, params = WAYS[way]
    before = roles_of(info, given, params)
    for seed in range(20):
        gone = np.random.default_rng(seed).choice(ROWS, 1 + seed % 3, replace=False)
        exclude = [f"{IDS[row, 0]:016x}{IDS[row, 1]:016x}" for row in gone]
        if (after := roles_unless_none_left(info, given, params | {"exclude": exclude})) is None:
            continue
        assert (after[gone] == DROPPED).all()
        rest = np.setdiff1d(np.arange(ROWS), gone)
        assert (after[rest] == before[rest]).all()


@pytest.mark.parametrize("way", [way for way in WAYS if "groups" not in way])
def test_an_erased_row_moves_no_other(way: str) -> None:
    info, given, params = WAYS[way]
    before = roles_of(info, given, params)
    for seed in range(20):
        gone = np.zeros(ROWS, bool)
        gone[np.random.default_rng(seed).choice(ROWS, 1 + seed, replace=False)] = True
        erased = tombstones(info, given, before, gone)
        after = roles_unless_none_left(info, without(given, gone), params | {"erased": erased})
        assert after is None or (after == before[~gone]).all(), seed


def test_every_single_row_may_be_erased() -> None:
    info, given, params = WAYS["counts"]
    before = roles_of(info, given, params)
    for row in range(ROWS):
        gone = np.arange(ROWS) == row
        erased = tombstones(info, given, before, gone)
        assert (
            roles_of(info, without(given, gone), params | {"erased": erased})
            == before[np.arange(ROWS) != row]
        ).all()


def test_an_erased_row_of_a_group_seldom_moves_another() -> None:
    """Whole groups fill the amounts, so a row less may tip a choice: `selfsame erase` says how many move."""
    info, given, params = WAYS["groups"]
    before = roles_of(info, given, params)
    moved = []
    for row in range(0, ROWS, 3):
        gone = np.arange(ROWS) == row
        erased = tombstones(info, given, before, gone)
        after = roles_of(info, without(given, gone), params | {"erased": erased})
        moved.append(int((after != before[~gone]).sum()))
    assert np.mean(np.array(moved) == 0) > 0.8


def test_rows_that_come_move_only_the_last_of_a_role() -> None:
    """One more labeled row of a class takes one place of each role at most, and none of another class."""
    info, given, params = WAYS["counts"]
    for row in range(0, ROWS, 7):
        gone = np.arange(ROWS) == row
        if np.isnan(LABELS[row]):
            assert (
                roles_of(info, without(given, gone), params) == roles_of(info, given, params)[~gone]
            ).all()
            continue
        before, after = roles_of(info, without(given, gone), params), roles_of(info, given, params)[~gone]
        assert (before != after).sum() <= 3
        assert (given.labels[~gone][before != after] == LABELS[row]).all()


def test_more_labels_move_no_row_that_judges() -> None:
    info, given, params = WAYS["counts"]
    few, many = (roles_of(info, given, params | {"labels_per_class": count}) for count in (4, 9))
    assert all(((few == role) == (many == role)).all() for role in (HOLDOUT, VALIDATION))
    assert (many[few == LABELED] == LABELED).all()


def test_nothing_left_to_learn_from_is_said() -> None:
    info, given, params = WAYS["counts"]
    roles = roles_of(info, given, params)
    gone = (roles == LABELED) & (LABELS == 1)
    with pytest.raises(SelfsameError, match=r"split\.erased leaves none of 4 labeled rows of 'b'"):
        roles_of(info, without(given, gone), params | {"erased": tombstones(info, given, roles, gone)})
    exclude = [f"{high:016x}{low:016x}" for high, low in IDS[gone]]
    with pytest.raises(SelfsameError, match=r"split\.exclude leaves no labeled rows of 'b'"):
        roles_of(info, given, params | {"exclude": exclude})
    with pytest.raises(SelfsameError, match=r"split\.erased names 'd', which is no class"):
        roles_of(info, given, params | {"erased": {"d": {"pool": 1}}})


def test_the_keys_are_blake2b_of_the_id_under_the_seed() -> None:
    digest = blake2b(bytes.fromhex("00" * 15 + "07"), digest_size=32, key=bytes(7) + b"\x03").digest()
    found = keys_of(np.array([[0, 7]], np.uint64), 3)
    assert found.tobytes() == np.frombuffer(digest, ">u8").astype(np.uint64).tobytes()
    assert keys_of(np.empty((0, 2), np.uint64), 0).shape == (0, 4)
    keys = np.array([5, 1, 4, 2], np.uint64)
    assert set(first(keys, np.array([0, 1, 2]), 2)) == {1, 2}
    assert first(keys, np.array([0, 1]), 2).tolist() == [0, 1]


def test_the_draw_is_even() -> None:
    """Over many seeds every row is held out as often as its class's share says."""
    info, given, params = WAYS["counts"]
    held = sum((roles_of(info, given, params | {"seed": seed}) == HOLDOUT).astype(int) for seed in range(200))
    known = ~np.isnan(LABELS)
    assert held[~known].sum() == 0
    assert abs(held[known] / 200 - 0.25).max() < 0.13  # 4.2 standard deviations of a binomial share
    assert abs(held[known].mean() / 200 - 0.25) < 0.01
    assert (roles_of(info, given, params)[~known] == POOL).all()
