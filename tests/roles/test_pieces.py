"""Roles are the same however little of the rows is in memory at once: as if all were there, to the bit."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsame.core import space
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles import repeats
from selfsame.roles.apart import draw_grouped, draw_timed
from selfsame.roles.decide import CONTRADICTING, EXCLUDED, GROUP, HAS_ROLE, REPEAT, account, decide
from selfsame.roles.given import Given
from selfsame.roles.keyed import first, keys_of
from selfsame.roles.rows import (
    CALIBRATION,
    DROPPED,
    HOLDOUT,
    LABELED,
    OWN_HOLDOUT,
    OWN_VALIDATION,
    POOL,
    VALIDATION,
    Rows,
    amounts_of,
)

CLASSES = TableInfo("toy", "classification", ("a", "b", "c"), features=("x",))
VALUES = TableInfo("toy", "regression", features=("x",))
COUNTS = {"labels_per_class": 2, "validation_per_class": 3, "calibration_fraction": 0.4}
SHARES = {"labels_per_class": 0.3, "validation_per_class": 0.3, "calibration_fraction": 0.4}
ITS_OWN = {"validation_per_class": None, "holdout_fraction": None}
WAYS: dict[str, tuple[TableInfo, dict[str, Any]]] = {
    "counts": (CLASSES, COUNTS),
    "shares": (CLASSES, SHARES | {"erased": {"b": {"holdout": 1, "pool": 2}}}),
    "all": (CLASSES, SHARES | {"labels_per_class": "all", "empty_pool": "allow"}),
    "own": (CLASSES, COUNTS | ITS_OWN),
    "values": (VALUES, COUNTS | {"labels_per_class": 9}),
    "groups": (CLASSES, COUNTS | {"group_column": "it"}),
    "times": (CLASSES, COUNTS | {"time_column": "it", "labels_per_class": "all"}),
}


def table(seed: int, params: dict[str, Any]) -> Given:
    """Return rows of which many are alike, or in the first half of their id; some copies contradict."""
    random = np.random.default_rng(seed)
    rows = int(random.integers(60, 140))
    names = random.integers(0, 2**63, (rows, 2)).astype(np.uint64)
    names[::9, 0] = names[0, 0]
    which = random.integers(0, int(rows * random.choice([0.5, 1, 30])), rows) % rows
    labels = (which % 3).astype(np.float64)
    labels[random.random(rows) < 0.03] = 1
    labels[random.random(rows) < 0.3] = np.nan
    aside = [0, 0, 0, OWN_VALIDATION, OWN_HOLDOUT] if "holdout_fraction" in params else [0]
    group = random.integers(0, 25, rows).astype(np.uint64) if "group_column" in params else None
    time = random.integers(0, 60, rows).astype(np.float64) if "time_column" in params else None
    return Given(names[which], labels, random.choice(aside, rows).astype(np.int8), group, time)


def plainly(data: Given, info: TableInfo, params: SplitParams) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return roles, reasons, and which row stands for each, of rows that are all in memory."""
    rows = range(len(data.ids))
    names = [each.tobytes() for each in data.ids]

    def rank(row: int) -> tuple[Any, ...]:
        marks = [each[row] for each in (data.time, data.group) if each is not None]
        return (np.isnan(data.labels[row]), -int(data.own[row]), *marks, row)

    copies = {name: sorted((row for row in rows if names[row] == name), key=rank) for name in set(names)}
    kept = np.array([copies[name][0] for name in names])
    reasons = np.where(kept != np.array(rows), REPEAT, HAS_ROLE)
    for alike in copies.values():
        if len({data.labels[row] for row in alike if not np.isnan(data.labels[row])}) > 1:
            reasons[alike] = CONTRADICTING
    left = np.flatnonzero(reasons == HAS_ROLE)
    labels, classes = info.labels.strata(data.labels[left])
    group, time = (None if each is None else each[left] for each in (data.group, data.time))
    some = Rows(data.ids[left], labels, data.own[left], group, time)
    amounts = [
        amounts_of(params, name, np.bincount(some.own[labels == at], minlength=3))
        for at, name in enumerate(classes)
    ]
    roles = np.full(len(data.ids), DROPPED, np.int8)
    if group is not None:
        roles[left] = draw_grouped(some, group, amounts, params)
    elif time is not None:
        roles[left] = draw_timed(some, time, amounts, params)
    else:
        roles[left] = POOL
        for at, each in enumerate(amounts):
            own = left[labels == at]
            keys = np.zeros((len(roles), 4), np.uint64)
            keys[own] = keys_of(data.ids[own], params.seed)
            for place, key, code, asked, count in (
                (HOLDOUT, 0, OWN_HOLDOUT, params.holdout_fraction, each.holdout),
                (VALIDATION, 1, OWN_VALIDATION, params.validation_per_class, each.validation),
                (LABELED, 2, 0, 0, each.labeled),
            ):
                spared = own[data.own[own] == OWN_VALIDATION] if params.validation_per_class is None else []
                free = np.setdiff1d(own[roles[own] == POOL], spared if place == HOLDOUT else [])
                taken = own[data.own[own] == code] if asked is None else first(keys[:, key], free, count)
                roles[taken] = place
            judges = own[roles[own] == VALIDATION]
            roles[first(keys[:, 3], judges, each.calibration)] = CALIBRATION
    reasons[(roles == DROPPED) & (reasons == HAS_ROLE)] = GROUP
    for name in params.exclude:
        gone = [row for row in rows if f"{data.ids[row, 0]:016x}{data.ids[row, 1]:016x}" == name]
        reasons[gone], roles[gone] = EXCLUDED, DROPPED
    return roles, reasons, kept


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """All that is larger than two numbers lies in a file, and sixteen rows are worked on at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(space, "SMALL", 16)
    for module in (space, repeats):
        monkeypatch.setattr(module, "PIECE", 16)
    yield
    assert not [*(tmp_path / ".scratch").iterdir()]


@pytest.mark.parametrize("way", WAYS)
def test_the_roles_are_those_of_rows_that_are_all_in_memory(way: str) -> None:
    info, keys = WAYS[way]
    drawn = []

    @settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 10**6), st.integers(0, 3))
    def law(seed: int, withdrawn: int) -> None:
        data = table(seed, keys)
        exclude = [f"{high:016x}{low:016x}" for high, low in {*map(tuple, data.ids[:withdrawn].tolist())}]
        changes = keys | {"seed": seed, "duplicates": "drop_contradicting", "exclude": exclude}
        params = SplitParams.model_validate(changes)
        columns = [space.Growing(np.uint64, 2), *(map(space.Growing, (np.float64, np.int8)))]
        for column, values in zip(columns, (data.ids, data.labels, data.own), strict=True):
            for start in range(0, len(values), 11):
                column.append(values[start : start + 11])
        mapped = Given(*(column.array() for column in columns), data.group, data.time)
        assert all(isinstance(each, np.memmap) for each in (mapped.ids, mapped.labels, mapped.own))
        try:
            decision = decide(mapped, info, params, "examples")
        except SelfsameError:  # too few rows of a class, or groups
            return
        roles, reasons, kept = plainly(data, info, params)
        assert (decision.roles == roles).all() and (decision.reasons == reasons).all()
        assert (decision.repeats.of(slice(0, len(kept)))[0] == kept).all()
        assert (decision.repeats.dropped == (kept != np.arange(len(kept)))).all()
        told = account(decision, mapped)
        assert told["labels"] == (~np.isnan(data.labels)).sum()
        assert told["roles"]["holdout"]["rows"] == (roles == HOLDOUT).sum()
        drawn.append(len(set(reasons.tolist())))

    law()
    assert len(drawn) > 4 and max(drawn) > 2


GROWTH = """
import numpy as np, pyarrow as pa, resource
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles.decide import account, decide
from selfsame.roles.given import Part, gather
info = TableInfo("toy", "classification", ("a", "b"), features=("x",))
params = SplitParams(labels_per_class=5, validation_per_class=5, duplicates="drop")
def parts(rows):
    for start in range(0, rows, 8192):
        numbers = np.arange(start, min(start + 8192, rows)) // 2  # each twice
        ids = (numbers + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        labels = np.where(numbers % 8 == 0, numbers // 8 % 2, np.nan)
        yield Part(np.stack([ids, ids], 1), labels, np.zeros(len(ids), np.int8), {}, np.empty((len(ids), 0)))
for rows in (200_000, 800_000):
    given = gather(parts(rows), info, params)
    told = account(decide(given, info, params, "examples"), given)
    assert told["dropped"]["repeat"]["rows"] == rows // 2
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Held whole, a row of a table of which half are repeats takes 98 bytes more; so it takes 5."""
    told = subprocess.run(
        [sys.executable, "-c", GROWTH], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    less, more = map(int, told.stdout.split())
    assert (more - less) / 600_000 < 15, (less, more)
