"""Groups in one role each, and the latest rows held out."""

import numpy as np
import pyarrow as pa
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import Column, TableInfo, id_column
from selfsame.params.split import SplitParams
from selfsame.roles.decide import Decision, account, decide, said
from selfsame.roles.given import Given, Part, gather, halves
from selfsame.roles.rows import CALIBRATION, DROPPED, HOLDOUT, LABELED, POOL, VALIDATION

INFO = TableInfo("table", "classification", ("a", "b"), features=("x", "z"))
PATIENTS, EACH = 40, 10
ROWS = PATIENTS * EACH
PATIENT = [f"p{row // EACH}" for row in range(ROWS)]
INPUTS = np.random.default_rng(0).normal(size=(ROWS, 2))


def labels(known: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(1)
    given = random.integers(0, 2, ROWS).astype(np.float64)
    given[random.random(ROWS) >= known] = np.nan
    return given


def given(params: SplitParams, known: float = 1.0, info: TableInfo = INFO, **kept: list[object]) -> Given:
    columns = {name: pa.array(values).cast(pa.string()) for name, values in kept.items()}
    part = Part(halves(id_column(INPUTS)), labels(known), np.zeros(ROWS, np.int8), columns, INPUTS)
    return gather([part], info, params)


def split(
    known: float = 1.0, kept: dict[str, list[object]] | None = None, **changes: object
) -> tuple[Given, Decision]:
    keys = {"labels_per_class": "all", "validation_per_class": 0.25, "empty_pool": "allow"} | changes
    params = SplitParams.model_validate(keys)
    found = given(params, known, **({"patient": PATIENT} if kept is None else kept))
    return found, decide(found, INFO, params, "examples")


def roles_of_groups(decision: Decision) -> list[set[int]]:
    kept = decision.roles != DROPPED
    return [
        set(decision.roles[start : start + EACH][kept[start : start + EACH]].tolist())
        for start in range(0, ROWS, EACH)
    ]


@pytest.mark.parametrize("known", [1.0, 0.4])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("labels_per_class", ["all", 20])
def test_no_group_is_in_two_roles(known: float, seed: int, labels_per_class: object) -> None:
    found, decision = split(
        known, group_column="patient", seed=seed, labels_per_class=labels_per_class, calibration_fraction=0.5
    )
    assert all(len(roles) <= 1 for roles in roles_of_groups(decision))
    told = account(decision, found)
    assert (
        sum(part["labels"] for part in (*told["roles"].values(), *told["dropped"].values())) == told["labels"]
    )
    total = told["labels"]
    assert told["roles"]["holdout"]["labels"] == pytest.approx(0.25 * total, rel=0.25)
    judging = told["roles"]["validation"]["labels"] + told["roles"]["calibration"]["labels"]
    assert judging == pytest.approx(0.25 * 0.75 * total, rel=0.4)
    assert told["roles"]["calibration"]["rows"] > 0
    if known < 1:
        assert any("of a group" in line for line in said(told))


def test_a_labeled_groups_other_rows_may_be_the_pools() -> None:
    _, decision = split(0.4, group_column="patient", group_pool="shared")
    roles = roles_of_groups(decision)
    assert {LABELED, POOL} in roles
    assert not any(len(each) > 1 and each & {HOLDOUT, VALIDATION, CALIBRATION} for each in roles)


def test_groups_come_from_a_pattern_too() -> None:
    files = [f"photos/{patient}_eye{row % EACH}.png" for row, patient in enumerate(PATIENT)]
    one = split(kept={"file": files}, group_column="file", group_pattern=r"photos/(p\d+)_")[1]
    assert (one.roles == split(group_column="patient")[1].roles).all()


def test_a_row_without_a_group_is_its_own() -> None:
    kept = {"patient": [None, *PATIENT[1:]]}
    assert all(len(roles) <= 1 for roles in roles_of_groups(split(kept=kept, group_column="patient")[1])[1:])


def test_too_few_groups_are_said() -> None:
    with pytest.raises(SelfsameError, match="2 groups, and the rarest class in 2 of them, are too few"):
        split(kept={"site": [f"s{row % 2}" for row in range(ROWS)]}, group_column="site")


def test_the_latest_rows_are_held_out_and_those_before_them_validate() -> None:
    when = [f"2024-{1 + row // 40:02}-{1 + row % 28:02}" for row in range(ROWS)]
    _, decision = split(kept={"when": when}, time_column="when")
    times = np.array(when, "datetime64[D]")
    labeled, validation, holdout = (times[decision.roles == role] for role in (LABELED, VALIDATION, HOLDOUT))
    assert labeled.max() < validation.min() <= validation.max() < holdout.min()
    assert len(holdout) >= 100 and len(validation) >= 74
    assert (decision.roles == POOL).sum() == 0


def test_rows_without_a_label_are_the_pools_whenever_they_are() -> None:
    _, decision = split(0.5, kept={"t": list(range(ROWS))}, time_column="t", labels_per_class=10)
    known = ~np.isnan(labels(0.5))
    assert (decision.roles[~known] == POOL).all()
    assert (decision.roles[known] == POOL).any()


@pytest.mark.parametrize(
    ("kept", "changes", "said"),
    [
        ({"t": ["x"] * ROWS}, {"time_column": "t"}, "400 values are not a number or ISO 8601"),
        ({"t": ["2023-02-29"] * ROWS}, {"time_column": "t"}, "400 values are not a number or ISO 8601"),
        (
            {"t": ["31.04.2024"] * ROWS},
            {"time_column": "t", "time_format": "%d.%m.%Y"},
            "400 values are not %d.%m.%Y",
        ),
        ({"t": [None, *range(1, ROWS)]}, {"time_column": "t"}, "1 labeled rows have no time"),
        (
            {"t": ["1.2.2024"] * ROWS},
            {"time_column": "t", "time_format": "%d.%m.%Y"},
            "labeled rows of class 0 are earlier",
        ),
        ({"t": ["1"] * ROWS}, {"group_column": "patient"}, "the data have no such column"),
        ({"t": ["1"] * ROWS}, {"group_column": "t", "group_pattern": "("}, "split.group_pattern"),
        ({"t": ["1"] * ROWS}, {"group_column": "t", "group_pattern": "1"}, "no parentheses"),
    ],
)
def test_what_does_not_fit_is_said(
    kept: dict[str, list[object]], changes: dict[str, object], said: str
) -> None:
    with pytest.raises(SelfsameError, match=said):
        split(kept=kept, **changes)


def patterns(group: np.ndarray | None) -> list[int]:
    """Number groups in the order in which they come."""
    assert group is not None
    seen = list(dict.fromkeys(group.tolist()))
    return [seen.index(each) for each in group.tolist()]


def test_groups_and_times_may_be_inputs_too() -> None:
    columns = (
        Column("city", "text", ("u", "v")),
        Column("day", "date", ("age_days",)),
        Column("x", "number"),
    )
    info = TableInfo(
        "table", "classification", ("a", "b"), ("city=u", "city=v", "day.age_days", "x"), columns=columns
    )
    inputs = np.array([[1, 0, 5, 0.5], [0, 1, 4, 0.5], [1, 0, 3, 0.7], [np.nan, np.nan, 2, 0.1]])
    part = Part(halves(id_column(inputs)), np.zeros(4), np.zeros(4, np.int8), {}, inputs)

    def of(column: str) -> Given:
        return gather([part], info, SplitParams(group_column=column, time_column="day"))

    assert patterns(of("city").group) == [0, 1, 0, 2]
    assert patterns(of("x").group) == [0, 0, 1, 2]
    assert of("x").time is not None and of("x").time.tolist() == [-5, -4, -3, -2]


def test_the_order_of_rows_means_nothing() -> None:
    params = SplitParams(labels_per_class="all", group_column="patient", empty_pool="allow")
    turned = np.random.default_rng(2).permutation(ROWS)
    ids, known = halves(id_column(INPUTS)), labels()
    kept = pa.array(PATIENT)
    decisions = []
    for order in (np.arange(ROWS), turned):
        part = Part(
            ids[order],
            known[order],
            np.zeros(ROWS, np.int8),
            {"patient": kept.take(pa.array(order))},
            INPUTS[order],
        )
        decisions.append(decide(gather([part], INFO, params), INFO, params, "examples").roles)
    assert (decisions[0][turned] == decisions[1]).all()


@pytest.mark.parametrize("name", ["group_column", "time_column"])
def test_of_copies_in_several_groups_or_times_the_same_stays_in_any_order(name: str) -> None:
    inputs = np.concatenate([INPUTS, INPUTS[:60]])  # 60 rows once more, of other patients and times
    marks = pa.array(list(map(str, np.random.default_rng(3).permutation(len(inputs)) // 5)))
    ids, known = halves(id_column(inputs)), np.r_[labels(), labels()[:60]]
    params = SplitParams.model_validate(
        {"labels_per_class": "all", "duplicates": "drop", "empty_pool": "allow", name: "mark"}
    )
    kept = []
    for order in (np.arange(len(inputs)), np.arange(len(inputs))[::-1]):
        chosen = {"mark": marks.take(pa.array(order))}
        part = Part(ids[order], known[order], np.zeros(len(order), np.int8), chosen, inputs[order])
        decision = decide(gather([part], INFO, params), INFO, params, "examples")
        stays = ~decision.repeats.dropped
        kept.append(dict(zip(order[stays].tolist(), decision.roles[stays].tolist(), strict=True)))
    assert kept[0] == kept[1]
