"""The stage ``retrain``: the accepted rows with their labels, and the supervised training without them."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import run_task, section

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import SCRATCH
from selfsame.core.tables import TableInfo
from selfsame.learning.batches import load_pool
from selfsame.params.resources import ResourcesParams
from selfsame.params.retrain import RetrainParams

POOL, PSEUDO = Path("data/splits/pool"), Path("data/pseudo_labels")


@pytest.fixture
def labeled(trained: Path) -> Path:
    """The folder with pseudo-labels, about half of them accepted."""
    run_task("pseudo_label", trained, pseudo_label={"threshold": 0.0})
    middle = float(np.median(pq.read_table(trained / PSEUDO)["confidence"]))
    run_task("pseudo_label", trained, pseudo_label={"threshold": middle})
    return trained


def weights(folder: Path, stage: str) -> str:
    return sha256_file(folder / "models" / stage / "model.safetensors")


def retrain(folder: Path, **changes: object) -> str:
    run_task("retrain", folder, retrain=changes)
    return weights(folder, "student")


def supervised(folder: Path, seed: int) -> str:
    run_task("train_baseline", folder, train_baseline={"seed": seed})
    return weights(folder, "baseline")


def rewrite(path: Path, table: pa.Table) -> None:
    (file,) = path.glob("*.parquet")
    pq.write_table(table, file)


def test_the_pool_is_joined_with_its_labels(labeled: Path) -> None:
    pool, decisions = pq.read_table(labeled / POOL), pq.read_table(labeled / PSEUDO)
    features = TableInfo.of(labeled / POOL).features
    joined = load_pool(labeled / POOL, labeled / PSEUDO, soft_temperature=None)
    assert pa.chunked_array(joined.ids) == pool["example_id"]
    assert joined.labels.tolist() == decisions["pseudo_label"].to_pylist()
    assert joined.accepted.tolist() == decisions["accepted"].to_pylist()
    assert 0 < joined.accepted.sum() < pool.num_rows
    assert {joined.teacher} == set(decisions["teacher"].to_pylist())
    rows = [[row[name] for name in features] for row in pool.to_pylist()]
    np.testing.assert_array_equal(joined.inputs, rows)


def test_soft_labels_are_the_teachers_distribution(labeled: Path) -> None:
    table = pq.read_table(labeled / PSEUDO)
    probabilities = np.array(table["probabilities"].to_pylist())
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities.max(axis=1).astype(np.float32), table["confidence"])
    np.testing.assert_array_equal(probabilities.argmax(axis=1), table["pseudo_label"])
    for temperature in (1.0, 0.5):
        soft = load_pool(labeled / POOL, labeled / PSEUDO, soft_temperature=temperature)
        expected = probabilities ** (1 / temperature)
        np.testing.assert_allclose(soft.labels, expected / expected.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("method", ["offline", "self_training"])
def test_the_student_learns_the_accepted_labels_as_recorded(method: str, labeled: Path) -> None:
    retrain(labeled, method=method)
    decisions = pq.read_table(labeled / PSEUDO)
    learned = pq.read_table(labeled / "models" / "student" / "learned.parquet")
    assert learned["example_id"].to_pylist() == decisions["example_id"].to_pylist()
    accepted = [row["pseudo_label"] if row["accepted"] else None for row in decisions.to_pylist()]
    assert [labels[0] for labels in learned["labels"].to_pylist()] == accepted
    assert sum(uses[0] for uses in learned["uses"].to_pylist()) > 0


@pytest.mark.parametrize("method", ["offline", "online", "self_training"])
def test_a_pool_larger_than_memory_teaches_the_same(
    method: str, labeled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not load_pool(labeled / POOL, labeled / PSEUDO, None, memory_gb=1.0).mapped
    before = retrain(labeled, method=method)
    tiny = ResourcesParams(memory_gb=1e-6)
    monkeypatch.setattr("tasks.retrain.resources", lambda: tiny)
    pool = load_pool(labeled / POOL, labeled / PSEUDO, None, tiny.memory_gb)
    assert pool.mapped
    held = Path("/proc/self/smaps").read_text().split(str(SCRATCH.absolute()))[1]
    assert re.search(r"Rss: +0 kB", held), "what was written is held no longer"
    assert retrain(labeled, method=method) == before


@pytest.mark.parametrize("method", ["offline", "self_training"])
def test_the_threshold_reaches_the_student(method: str, labeled: Path) -> None:
    before = retrain(labeled, method=method)
    run_task("pseudo_label", labeled, pseudo_label={"threshold": 0.0})
    assert retrain(labeled, method=method) != before


@pytest.mark.parametrize("method", ["offline", "online", "self_training"])
def test_soft_labels_teach_something_else_than_hard_ones(method: str, labeled: Path) -> None:
    own = {"method": method, "max_epochs": 3}
    if method == "self_training":
        own |= {"relabel_every_epochs": 1, "relabel_threshold": 0.0}
    assert retrain(labeled, **own, pseudo_labels={"name": "soft"}) != retrain(labeled, **own)


@pytest.mark.parametrize(
    "change",
    [{"relabel_threshold": None}, {"distribution_alignment": 1.0}, {"relabel_every_epochs": 2}],
    ids=lambda change: next(iter(change)),
)
def test_each_key_of_self_training_reaches_the_student(change: dict[str, object], labeled: Path) -> None:
    # Soft labels: hard ones would need more steps until one of them turns.
    rounds = {"max_epochs": 4, "relabel_every_epochs": 1, "relabel_threshold": 0.6}
    soft = {"method": "self_training", "pseudo_labels": {"name": "soft"}}
    plain = soft | rounds | {"distribution_alignment": 0.0}
    assert retrain(labeled, **plain | change) != retrain(labeled, **plain)


def test_the_prior_is_that_of_the_labeled_rows_or_the_one_given(labeled: Path) -> None:
    own, labels = section("retrain"), np.array([0, 2, 2, 1])
    assert own.prior(labels, 3) == (0.25, 0.25, 0.5)
    given = section("retrain", class_prior=[0.6, 0.3, 0.1])
    assert given.prior(labels, 3) == (0.6, 0.3, 0.1)
    with pytest.raises(SelfsameError, match=r"class_prior has 3 shares, the data 2 classes"):
        given.prior(labels, 2)
    for shares in ([0.5, 0.4], [1.0, 0.0], []):
        with pytest.raises(SelfsameError, match="shares above 0 that add up to 1"):
            section("retrain", class_prior=shares)
    rounds = {"max_epochs": 3, "relabel_every_epochs": 1}
    aligned = {"method": "self_training", "pseudo_labels": {"name": "soft"}} | rounds
    equal = retrain(labeled, **aligned)  # as many labeled rows of either class
    assert retrain(labeled, **aligned, class_prior=[0.5, 0.5]) == equal
    assert retrain(labeled, **aligned, class_prior=[0.8, 0.2]) != equal


def test_online_labels_that_teach_nothing_are_refused() -> None:
    def online(temperature: float) -> RetrainParams:
        return section("retrain", method="online", pseudo_labels={"name": "soft", "temperature": temperature})

    assert online(0.9).temperature == 0.9
    with pytest.raises(SelfsameError, match="teaches nothing online"):
        online(1.0)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda table: table.slice(1), id="fewer"),
        pytest.param(lambda table: table.sort_by("example_id"), id="in another order"),
    ],
)
def test_pseudo_labels_of_another_pool_are_refused(
    spoil: Callable[[pa.Table], pa.Table], labeled: Path
) -> None:
    rewrite(labeled / PSEUDO, spoil(pq.read_table(labeled / PSEUDO)))
    with pytest.raises(SelfsameError, match="its rows are not those of"):
        retrain(labeled)


@pytest.mark.parametrize("method", ["offline", "online", "self_training"])
def test_the_same_seed_gives_the_same_bytes(method: str, labeled: Path) -> None:
    assert retrain(labeled, method=method) == retrain(labeled, method=method)
    assert retrain(labeled, method=method) != retrain(labeled, method=method, seed=2)


def test_the_pool_teaches_the_student(labeled: Path) -> None:
    assert retrain(labeled, seed=0) != supervised(labeled, seed=0)


@pytest.mark.parametrize(
    "change",
    [
        {"max_epochs": 3},
        {"pool_batch_size": 16},
        {"unlabeled_weight": 0.5},
        {"ramp_up_end_epochs": 2},
        {"ramp_up_start_epochs": 1, "ramp_up_end_epochs": 1},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("method", ["offline", "online"])
def test_each_key_of_both_methods_reaches_the_student(
    method: str, change: dict[str, object], labeled: Path
) -> None:
    assert retrain(labeled, method=method, **change) != retrain(labeled, method=method)


@pytest.mark.parametrize("stage", ["train_baseline", "retrain"])
def test_both_trainings_stop_early(stage: str, labeled: Path) -> None:
    standing_still = {"learning_rate": 1e-30, "checkpoint": "validation_loss"}
    own = {"max_epochs": 9, "patience_epochs": 3}
    run_task(stage, labeled, training=standing_still, model={"batch_norm": False}, **{stage: own})
    folder = {"train_baseline": "baseline", "retrain": "student"}[stage]
    lines = (labeled / "models" / folder / "history.csv").read_text().splitlines()
    assert len(lines) == 1 + 1 + 3, "a header, the best epoch, and three that are no better"


def test_without_accepted_rows_it_is_supervised_training_bit_for_bit(labeled: Path) -> None:
    run_task("pseudo_label", labeled, pseudo_label={"threshold": 1.0})
    assert not pq.read_table(labeled / PSEUDO)["accepted"].to_numpy().any()
    for seed in (0, 1):
        assert retrain(labeled, seed=seed) == supervised(labeled, seed=seed)


@pytest.mark.parametrize("method", ["offline", "online", "self_training"])
def test_with_no_weight_it_is_supervised_training_bit_for_bit(method: str, labeled: Path) -> None:
    assert retrain(labeled, seed=3, method=method, unlabeled_weight=0.0) == supervised(labeled, seed=3)
