"""The stage ``split``: exact roles, no leak, and the same bytes for the same seed."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import run_task

from selfsame.core.annotations import ANNOTATIONS, Annotation, format_annotations
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, id_column, input_columns
from selfsame.params.split import SplitParams
from selfsame.roles.draw import draw_roles
from selfsame.roles.given import halves
from selfsame.roles.rows import Rows
from tasks.download import ORIGIN_FIELDS

INFO = TableInfo("toy", "classification", ("a", "b", "c"), features=("x", "y", "constant"))
IMAGES = TableInfo("toy", "classification", ("a", "b"), image_shape=(2, 3, 3))
PRICES = TableInfo("toy", "regression", features=("x", "y", "constant"))
SIZES = (20, 31, 57)  # rows of each class
ROLES = ("labeled", "validation", "pool", "holdout")
DEFAULT = {
    "seed": 0,
    "labels_per_class": 3,
    "validation_per_class": 4,
    "calibration_fraction": 0.0,
    "holdout_fraction": 0.25,
    "duplicates": "stop",
    "exclude": [],
}


def draw(sizes: tuple[int, ...] = SIZES, info: TableInfo = INFO) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat(np.arange(len(sizes)), sizes))
    if info.image_shape:
        return random.integers(0, 256, (len(labels), *info.image_shape), dtype=np.uint8), labels
    inputs = random.normal(5, 3, (len(labels), 3))
    inputs[:, 2] = 7
    return inputs, labels


def write_examples(
    folder: Path,
    inputs: np.ndarray,
    labels: np.ndarray,
    own: list[str] | None = None,
    info: TableInfo = INFO,
) -> list[str]:
    """Write the table that ``download`` writes (a negative label is unknown); return the ids."""
    schema, ids = info.schema(*ORIGIN_FIELDS), example_ids(inputs)
    columns = [
        pa.array(ids),
        *input_columns(inputs, info),
        pa.array(labels, mask=labels < 0 if info.classes else np.isnan(labels)),
        pa.array(np.arange(len(labels))),
        pa.nulls(len(labels), pa.string()) if own is None else pa.array(own),
    ]
    with TableWriter(folder / "data" / "raw" / "examples", schema) as writer:
        writer.write(pa.record_batch(columns, schema=schema))
    (folder / "data" / "raw" / "reading.json").write_text("{}")
    return ids


def split(folder: Path, **changes: object) -> dict[str, pa.Table]:
    run_task("split", folder, split=DEFAULT | changes)
    return {name: read(folder, name) for name in (*ROLES, "hidden_labels")}


def read(folder: Path, name: str) -> pa.Table:
    path = folder / "data" / "splits" / name
    return pq.read_table(path if path.is_dir() else path.with_suffix(".parquet"))


def accounting(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "data" / "splits" / "accounting.json").read_text())


def ids_of(table: pa.Table) -> list[str]:
    return table["example_id"].to_pylist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_row_has_one_role_of_exact_size(seed: int, tmp_path: Path) -> None:
    inputs, labels = draw()
    ids = write_examples(tmp_path, inputs, labels)
    tables = split(tmp_path, seed=seed)
    truth = dict(zip(ids, labels.tolist(), strict=True))
    counts = {
        name: np.bincount([truth[each] for each in ids_of(tables[name])], minlength=3).tolist()
        for name in ROLES
    }
    held = [round(0.25 * size) for size in SIZES]
    assert counts == {
        "labeled": [3, 3, 3],
        "validation": [4, 4, 4],
        "holdout": held,
        "pool": [size - 7 - aside for size, aside in zip(SIZES, held, strict=True)],
    }
    assert all(abs(aside - 0.25 * size) <= 1 for size, aside in zip(SIZES, held, strict=True))
    assert sorted(each for name in ROLES for each in ids_of(tables[name])) == sorted(ids)
    for name in ("labeled", "validation", "holdout"):
        assert tables[name]["label"].to_pylist() == [truth[each] for each in ids_of(tables[name])]
    rows = {each: row for row, each in enumerate(ids)}
    for name in ROLES:  # the rows themselves came along, in the source's order
        places = [rows[each] for each in ids_of(tables[name])]
        assert tables[name]["source_row"].to_pylist() == places == sorted(places)
        np.testing.assert_array_equal(tables[name]["x"].to_numpy(), inputs[places, 0])


def test_calibration_takes_its_share_from_validation_alone(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    whole = split(tmp_path)
    assert read(tmp_path, "calibration").num_rows == 0
    shared = split(tmp_path, calibration_fraction=0.5)
    aside = read(tmp_path, "calibration")
    assert np.bincount(aside["label"]).tolist() == [2, 2, 2]
    assert sorted(ids_of(shared["validation"]) + ids_of(aside)) == sorted(ids_of(whole["validation"]))
    for name in ("labeled", "pool", "holdout", "hidden_labels"):
        assert shared[name] == whole[name]


def test_calibration_leaves_some_validation(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    with pytest.raises(SelfsameError, match="leaves none of 4 validation rows of 'a'"):
        split(tmp_path, calibration_fraction=0.9)


def test_the_pool_keeps_no_label_and_the_hidden_ones_are_the_truth(tmp_path: Path) -> None:
    inputs, labels = draw()
    truth = dict(zip(write_examples(tmp_path, inputs, labels), labels.tolist(), strict=True))
    tables = split(tmp_path)
    pool, hidden = tables["pool"], tables["hidden_labels"]
    assert pool["label"].null_count == pool.num_rows == len(hidden)
    assert ids_of(hidden) == ids_of(pool)
    assert hidden["label"].to_pylist() == [truth[each] for each in ids_of(pool)]


def test_unlabeled_rows_go_to_the_pool_and_have_no_hidden_label(tmp_path: Path) -> None:
    inputs, labels = draw()
    labels[::4] = -1
    ids = write_examples(tmp_path, inputs, labels)
    tables = split(tmp_path)
    assert set(ids[::4]) < set(ids_of(tables["pool"]))
    known = [each for each in ids_of(tables["pool"]) if labels[ids.index(each)] >= 0]
    assert ids_of(tables["hidden_labels"]) == known
    assert known


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    inputs, labels = draw()
    digests = []
    for name in ("one", "two"):
        write_examples(tmp_path / name, inputs, labels)
        split(tmp_path / name)
        files = files_under(tmp_path / name / "data" / "splits")
        digests.append({file.relative_to(tmp_path / name): sha256_file(file) for file in files})
    assert digests[0] == digests[1]
    assert len(digests[0]) == 9


def test_another_seed_draws_other_rows_under_the_same_names(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    one, two = split(tmp_path), split(tmp_path, seed=1)
    for name in ROLES:
        assert set(ids_of(one[name])) != set(ids_of(two[name]))
    every = [sorted(each for name in ROLES for each in ids_of(tables[name])) for tables in (one, two)]
    assert every[0] == every[1]


@pytest.mark.parametrize("info", [INFO, IMAGES], ids=["features", "images"])
def test_scaling_comes_from_the_labeled_rows_alone(info: TableInfo, tmp_path: Path) -> None:
    inputs, labels = draw(SIZES[: len(info.classes)], info)
    ids = write_examples(tmp_path, inputs, labels, info=info)
    labeled = split(tmp_path)["labeled"]
    chosen = inputs[[ids.index(each) for each in ids_of(labeled)]].astype(np.float64)
    channels = np.moveaxis(chosen, 1, 0).reshape(chosen.shape[1], -1)
    scaling = json.loads((tmp_path / "data" / "splits" / "scaling.json").read_text())
    np.testing.assert_allclose(scaling["mean"], [sum(each) / len(each) for each in channels], rtol=1e-12)
    expected = [np.sqrt(np.mean((each - np.mean(each)) ** 2)) or 1.0 for each in channels]
    np.testing.assert_allclose(scaling["std"], expected, rtol=1e-12)
    if info is INFO:
        assert scaling["std"][2] == 1.0  # of a constant


def test_too_few_rows_of_a_class_are_named(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    with pytest.raises(SelfsameError) as caught:
        split(tmp_path, labels_per_class=12)
    assert "need 12 and 4 rows of 'a'" in caught.value.what
    assert "it has 15 beside the holdout" in caught.value.what


def test_the_last_row_of_a_class_may_be_used(tmp_path: Path) -> None:
    inputs, labels = draw()
    ids = write_examples(tmp_path, inputs, labels)
    pool = split(tmp_path, labels_per_class=11)["pool"]
    assert 0 not in {labels[ids.index(each)] for each in ids_of(pool)}


def counts_of(tables: dict[str, pa.Table], truth: dict[str, int]) -> dict[str, list[int]]:
    return {
        name: np.bincount([truth[each] for each in ids_of(tables[name])], minlength=3).tolist()
        for name in ROLES
    }


def test_fractions_are_shares_of_every_classs_rows(tmp_path: Path) -> None:
    inputs, labels = draw()
    truth = dict(zip(write_examples(tmp_path, inputs, labels), labels.tolist(), strict=True))
    tables = split(tmp_path, labels_per_class=0.5, validation_per_class=0.25, holdout_fraction=0.2)
    counts = counts_of(tables, truth)
    assert counts["holdout"] == [4, 6, 11]  # of 20, 31 and 57
    assert counts["labeled"] == [8, 12, 23]  # of what isn't holdout
    assert counts["validation"] == [4, 6, 12]
    assert counts["pool"] == [4, 7, 11]


@pytest.mark.parametrize("labels_per_class", ["all", 0.75])
def test_every_row_may_have_a_label(labels_per_class: object, tmp_path: Path) -> None:
    inputs, labels = draw()
    truth = dict(zip(write_examples(tmp_path, inputs, labels), labels.tolist(), strict=True))
    tables = split(
        tmp_path, labels_per_class=labels_per_class, validation_per_class=0.25, holdout_fraction=0.2
    )
    counts = counts_of(tables, truth)
    assert counts["labeled"] == [12, 19, 34]
    assert sum(map(sum, counts.values())) == len(labels)
    assert tables["pool"].schema.names == tables["labeled"].schema.names


@pytest.mark.parametrize("size", range(4, 40))
def test_shares_that_add_up_to_one_fit_classes_of_any_size(size: int) -> None:
    params = SplitParams.model_validate(
        DEFAULT | {"labels_per_class": 0.75, "validation_per_class": 0.25, "holdout_fraction": 0.2}
    )
    ids = halves(id_column(np.arange(size, dtype=np.float64)[:, None]))
    roles = draw_roles(Rows(ids, np.zeros(size, np.int64), np.zeros(size, np.int8)), ("a",), params)
    assert np.bincount(roles, minlength=5)[3] <= 1  # the pool has what rounding left


@pytest.mark.parametrize(
    ("key", "value"), [("labels_per_class", 0), ("labels_per_class", "some"), ("validation_per_class", 1.5)]
)
def test_other_amounts_are_refused(key: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match=rf"split\.{key} = "):
        split(tmp_path, **{key: value})


def test_a_share_is_one_row_at_least(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    tables = split(tmp_path, validation_per_class=0.01)
    assert np.bincount(tables["validation"]["label"]).tolist() == [1, 1, 1]


def test_every_class_that_is_too_small_is_named_at_once(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw((1, 40, 2)))
    with pytest.raises(SelfsameError) as caught:
        split(tmp_path, labels_per_class="all", validation_per_class=0.25)
    assert "need 1 and 1 rows of 'a', at least one each; it has 1 beside the holdout" in caught.value.what
    assert "'b'" not in caught.value.what


def test_a_regressions_rows_are_one_class_and_its_target_is_scaled(tmp_path: Path) -> None:
    inputs, _ = draw()
    target = np.random.default_rng(1).normal(200, 30, len(inputs))
    target[::9] = np.nan
    ids = write_examples(tmp_path, inputs, target, info=PRICES)
    tables = split(tmp_path, labels_per_class=20, validation_per_class=0.1)
    assert [tables[name].num_rows for name in ROLES] == [20, 7, 57, 24]
    truth = dict(zip(ids, target, strict=True))
    for name in ("labeled", "validation", "holdout", "hidden_labels"):
        assert tables[name]["label"].to_pylist() == [truth[each] for each in ids_of(tables[name])]
    assert tables["pool"]["label"].null_count == 57
    assert tables["hidden_labels"].num_rows == 57 - 12
    scaling = json.loads((tmp_path / "data" / "splits" / "scaling.json").read_text())
    chosen = tables["labeled"]["label"].to_numpy()
    assert scaling["target"] == {
        "mean": pytest.approx(chosen.mean(), rel=1e-12),
        "std": pytest.approx(chosen.std(), rel=1e-12),
    }


def test_missing_values_do_not_count_in_the_scaling(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[::2, 0] = np.nan
    inputs[:, 1] = np.nan
    inputs[:, 2] = np.arange(len(inputs))
    ids = write_examples(tmp_path, inputs, labels)
    labeled = split(tmp_path)["labeled"]
    scaling = json.loads((tmp_path / "data" / "splits" / "scaling.json").read_text())
    chosen, last = inputs[[ids.index(each) for each in ids_of(labeled)]][:, [0, 2]].T
    assert 0 < np.isnan(chosen).sum() < len(chosen)
    known = chosen[~np.isnan(chosen)]
    np.testing.assert_allclose(scaling["mean"], [known.mean(), 0, last.mean()], rtol=1e-12)
    np.testing.assert_allclose(scaling["std"], [known.std(), 1, last.std()], rtol=1e-12)
    assert scaling["target"] is None


def test_a_constant_that_rounding_makes_vary_is_a_constant(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[:, 2] = 0.1
    write_examples(tmp_path, inputs, labels)
    split(tmp_path)
    scaling = json.loads((tmp_path / "data" / "splits" / "scaling.json").read_text())
    assert scaling["std"][2] == 1.0


def test_the_sources_own_holdout_is_kept(tmp_path: Path) -> None:
    inputs, labels = draw()
    own = ["train"] * 60 + ["validation"] * 20 + ["holdout"] * (len(labels) - 80)
    ids = write_examples(tmp_path, inputs, labels, own)
    tables = split(tmp_path, holdout_fraction=None, validation_per_class=None)
    assert ids_of(tables["holdout"]) == ids[80:]
    assert ids_of(tables["validation"]) == ids[60:80]
    assert set(ids_of(tables["labeled"])) < set(ids[:60])


@pytest.mark.parametrize(("key", "value"), [("holdout_fraction", 0.25), ("validation_per_class", 4)])
def test_what_the_source_sets_aside_is_never_overlooked(key: str, value: object, tmp_path: Path) -> None:
    inputs, labels = draw()
    own = ["train"] * 60 + ["validation"] * 20 + ["holdout"] * (len(labels) - 80)
    write_examples(tmp_path, inputs, labels, own)
    with pytest.raises(SelfsameError, match=f"split.{key} = {value}, but the source sets 2[08] labeled rows"):
        split(tmp_path, **({"holdout_fraction": None, "validation_per_class": None} | {key: value}))


def test_a_missing_own_holdout_is_an_error(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    with pytest.raises(SelfsameError, match="the source sets no holdout aside"):
        split(tmp_path, holdout_fraction=None)


def test_duplicates_stop_the_stage(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[[50, 60]] = inputs[10]
    write_examples(tmp_path, inputs, labels)
    labels[[50, 60]] = labels[10]
    write_examples(tmp_path, inputs, labels)
    with pytest.raises(SelfsameError, match=r"2 rows repeat .*: row 50 that of 10, 60 that of 10"):
        split(tmp_path)


def test_dropping_duplicates_keeps_the_first(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[50], labels[50] = inputs[10], labels[10]
    ids = write_examples(tmp_path, inputs, labels)
    tables = split(tmp_path, duplicates="drop")
    kept = {each: role for role in ROLES for each in ids_of(tables[role])}
    assert sum(tables[name].num_rows for name in ROLES) == len(kept) == len(ids) - 1
    role = tables[kept[ids[10]]]
    assert role["source_row"].to_pylist()[ids_of(role).index(ids[10])] == 10
    labeled = "hidden_labels" if kept[ids[10]] == "pool" else kept[ids[10]]
    found = dict(zip(ids_of(tables[labeled]), tables[labeled]["label"].to_pylist(), strict=True))
    assert found[ids[10]] == labels[10]
    assert accounting(tmp_path)["dropped"]["repeat"] == {"rows": 1, "labels": 1}
    dropped = read(tmp_path, "dropped").to_pylist()
    label = int(labels[10])
    assert dropped == [
        {"example_id": ids[10], "label": label, "source_row": 50, "reason": "repeat", "kept_row": 10}
    ]


def test_a_labeled_copy_wins_over_an_unlabeled_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, labels = draw()
    both = np.concatenate([inputs[:40], inputs])  # the first file has no labels
    write_examples(tmp_path, both, np.concatenate([np.full(40, -1), labels]))
    split(tmp_path, duplicates="drop")
    told = accounting(tmp_path)
    assert told["labels"] == sum(part["labels"] for part in told["roles"].values()) == len(labels)
    assert told["dropped"]["repeat"] == {"rows": 40, "labels": 0}
    assert "40 rows, 0 of them labeled, repeat" in capsys.readouterr().out


def test_the_sources_own_holdout_keeps_the_rows_that_training_repeats(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[:10], labels[:10] = inputs[-10:], labels[-10:]
    own = ["train"] * 80 + ["holdout"] * (len(labels) - 80)
    write_examples(tmp_path, inputs, labels, own)
    assert split(tmp_path, holdout_fraction=None, duplicates="drop")["holdout"].num_rows == len(labels) - 80


def test_contradicting_copies_are_named_or_left_out(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[50], labels[50] = inputs[10], (labels[10] + 1) % 3
    inputs[51], labels[51] = inputs[10], -1
    ids = write_examples(tmp_path, inputs, labels)
    said = f"rows 10 and 50: {INFO.classes[labels[10]]!r} and {INFO.classes[labels[50]]!r}"
    for duplicates in ("stop", "drop"):
        with pytest.raises(SelfsameError, match=said):
            split(tmp_path, duplicates=duplicates)
    tables = split(tmp_path, duplicates="drop_contradicting")
    assert not {ids[10]} & {each for name in ROLES for each in ids_of(tables[name])}
    assert accounting(tmp_path)["dropped"]["contradicting"] == {"rows": 3, "labels": 2}


def test_a_regressions_copies_contradict_too(tmp_path: Path) -> None:
    inputs, _ = draw()
    target = np.arange(len(inputs), dtype=np.float64)
    inputs[5] = inputs[4]
    write_examples(tmp_path, inputs, target, info=PRICES)
    with pytest.raises(SelfsameError, match="rows 4 and 5: 4 and 5"):
        split(tmp_path, duplicates="drop")


@pytest.mark.parametrize("info", [INFO, PRICES], ids=["classes", "values"])
def test_roles_do_not_depend_on_the_order_of_rows(info: TableInfo, tmp_path: Path) -> None:
    inputs, labels = draw()
    labels[::5] = -1
    values = labels if info is INFO else np.where(labels < 0, np.nan, labels + 0.5)
    shuffled = np.random.default_rng(3).permutation(len(labels))
    for name, order in (("one", slice(None)), ("two", shuffled)):
        write_examples(tmp_path / name, inputs[order], values[order], info=info)
    one, two = (split(tmp_path / name, duplicates="drop") for name in ("one", "two"))
    for name in ROLES:
        assert set(ids_of(one[name])) == set(ids_of(two[name]))


def test_every_given_label_is_accounted_for(tmp_path: Path) -> None:
    inputs, labels = draw()
    inputs[40:50], labels[40:50] = inputs[50:60], labels[50:60]
    labels[::7] = -1
    ids = write_examples(tmp_path, inputs, labels)
    tables = split(tmp_path, duplicates="drop_contradicting", exclude=[ids[3]])
    told = accounting(tmp_path)
    parts = [*told["roles"].values(), *told["dropped"].values()]
    assert sum(part["labels"] for part in parts) == told["labels"] == int((labels >= 0).sum())
    assert sum(part["rows"] for part in parts) == told["rows"] == len(labels)
    assert told["roles"]["pool"]["labels"] == tables["hidden_labels"].num_rows
    assert told["dropped"]["excluded"] == {"rows": 1, "labels": 1}
    assert read(tmp_path, "dropped").num_rows == sum(part["rows"] for part in told["dropped"].values())


OWN = TableInfo("table", "classification", ("a", "b", "c"), features=("x", "y", "constant"))


def test_own_data_without_a_pool_stop_unless_allowed(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw(), info=OWN)
    with pytest.raises(SelfsameError, match="no row is left for the pool") as caught:
        split(tmp_path, labels_per_class="all")
    assert "data.unlabeled_values" in caught.value.fix
    assert split(tmp_path, labels_per_class="all", empty_pool="allow")["pool"].num_rows == 0


def test_excluded_examples_have_no_role(tmp_path: Path) -> None:
    ids = write_examples(tmp_path, *draw())
    tables = split(tmp_path, exclude=[ids[3], ids[90]])
    left = {each for name in (*ROLES, "hidden_labels") for each in ids_of(tables[name])}
    assert left == set(ids) - {ids[3], ids[90]}


def test_excluding_an_unknown_example_is_an_error(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    with pytest.raises(SelfsameError, match=r"split\.exclude names '0123'"):
        split(tmp_path, exclude=["0123"])


def write_answers(folder: Path, answers: dict[str, str]) -> None:
    path = folder / ANNOTATIONS
    path.parent.mkdir(parents=True, exist_ok=True)
    given = [
        Annotation(name, label, "Ada", "2026-01-02T03:04:05Z", "margin") for name, label in answers.items()
    ]
    path.write_text(format_annotations(given), encoding="utf-8")


def test_an_answer_moves_its_row_and_no_other(tmp_path: Path) -> None:
    inputs, labels = draw()
    labels[::4] = -1  # of some the source knows no label
    ids = write_examples(tmp_path, inputs, labels)
    before = split(tmp_path)
    pool = ids_of(before["pool"])
    unknown = next(each for each in pool if labels[ids.index(each)] < 0)
    other = next(each for each in pool if labels[ids.index(each)] == 1)
    write_answers(tmp_path, {unknown: "c", other: "a"})  # for the other the source would say b
    after = split(tmp_path)
    moved = {unknown, other}
    for name in ("validation", "holdout"):
        assert after[name] == before[name]
    assert read(tmp_path, "calibration").num_rows == 0
    assert ids_of(after["pool"]) == [each for each in pool if each not in moved]
    assert set(ids_of(after["hidden_labels"])) == set(ids_of(before["hidden_labels"])) - moved
    labeled = dict(zip(ids_of(after["labeled"]), after["labeled"]["label"].to_pylist(), strict=True))
    drawn = dict(zip(ids_of(before["labeled"]), before["labeled"]["label"].to_pylist(), strict=True))
    assert labeled == drawn | {unknown: 2, other: 0}


def test_an_answer_moves_no_row_that_judges_or_was_withdrawn(tmp_path: Path) -> None:
    withdrawn = write_examples(tmp_path, *draw())[5]
    before = split(tmp_path, exclude=[withdrawn])
    judges = [
        each
        for name in ("validation", "holdout")
        for each, label in zip(ids_of(before[name]), before[name]["label"].to_pylist(), strict=True)
        if label == 0 or name == "holdout"
    ]
    write_answers(tmp_path, dict.fromkeys([withdrawn, *judges], "a"))
    assert split(tmp_path, exclude=[withdrawn]) == before


def test_an_answer_corrects_a_label_that_was_doubted_but_never_the_holdouts(tmp_path: Path) -> None:
    write_examples(tmp_path, *draw())
    before = split(tmp_path)
    wrong = {name: ids_of(before[name])[before[name]["label"].to_pylist().index(0)] for name in ROLES[:2]}
    held = ids_of(before["holdout"])[before["holdout"]["label"].to_pylist().index(0)]
    write_answers(tmp_path, dict.fromkeys([*wrong.values(), held], "c"))
    after = split(tmp_path)
    assert all(ids_of(after[name]) == ids_of(before[name]) for name in ROLES)
    assert after["holdout"] == before["holdout"] and after["pool"] == before["pool"]
    for name, one in wrong.items():
        expected = [
            2 if each == one else label
            for each, label in zip(ids_of(before[name]), before[name]["label"].to_pylist(), strict=True)
        ]
        assert after[name]["label"].to_pylist() == expected


@pytest.mark.parametrize(
    ("example", "label", "message"),
    [("0" * 32, "a", "is no example of the data"), (None, "z", "'z', which is no class")],
    ids=["example", "class"],
)
def test_an_answer_about_nothing_known_is_an_error(
    example: str | None, label: str, message: str, tmp_path: Path
) -> None:
    ids = write_examples(tmp_path, *draw())
    write_answers(tmp_path, {example or ids[0]: label})
    with pytest.raises(SelfsameError, match=message):
        split(tmp_path)


def test_rows_of_one_patient_in_two_roles_stop_the_stage(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    people, labels = random.normal(size=(40, 1, 3)), np.repeat(np.arange(40) % 3, 10)
    write_examples(tmp_path, (people + 1e-3 * random.normal(size=(40, 10, 3))).reshape(-1, 3), labels)
    budget = {"labels_per_class": 40, "validation_per_class": 40}
    with pytest.raises(SelfsameError, match=r"(?s)132 of 132 validation.*split.group_column"):
        split(tmp_path, **budget)
    split(tmp_path, **budget, near_copies="allow")
    near = accounting(tmp_path)["near_copies"]
    assert near["rows"] > 0.9 * near["of"] > 100


def test_the_roles_of_digits_are_what_they_were(tmp_path: Path) -> None:
    """What was measured with a seed stays comparable: it changed last with the draw by keys."""
    run_task("download", tmp_path, data={"source": "digits"})
    amounts = {"labels_per_class": 5, "validation_per_class": 5, "holdout_fraction": 0.25}
    run_task("split", tmp_path, split=amounts)
    ids = "\n".join(f"{role} {' '.join(ids_of(read(tmp_path, role)))}" for role in ROLES)
    assert sha256(ids.encode()).hexdigest()[:16] == "bfb15a1e0465a0d2"
