"""Regression: what is learned, in which unit, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny import (
    ALL_TECHNIQUES,
    SCALING,
    WHOLE_RAMP,
    Examples,
    Row,
    State,
    limits,
    model_params,
    plan,
    same_bits,
    same_rows,
    training_params,
    write_table,
)

from selfsame.core.tables import TableInfo
from selfsame.learning.batches import PoolExamples, load_examples, stack_examples
from selfsame.learning.loop import Plan, TrainingData, train
from selfsame.learning.methods import Offline, RampUp
from selfsame.learning.objective import build_objective
from selfsame.learning.targets import disturb_values
from selfsame.model.inputs import Scaling, prepare
from selfsame.model.models import Model, answer_table, load_model, save_model
from selfsame.model.nets import build_net, detached_state
from selfsame.params.together import FOR_CLASSES
from selfsame.params.training import TrainingParams

INFO = TableInfo("tiny", "regression", features=("u", "v"))
MLP = model_params(architecture="mlp", widths=[16])
ALL_FOR_VALUES = training_params(
    **ALL_TECHNIQUES.model_dump()
    | FOR_CLASSES
    | {"disturb_value_fraction": 0.3, "disturb_value_std": 0.5, "augmentation": limits(noise_std=0.05)}
)
UNITS = Scaling((0.0, 0.0), (1.0, 1.0), target=(200.0, 50.0))


def rows(count: int, seed: int) -> Examples:
    """Rows whose value is 200 + 50 · (u − v / 2), u and v being of standard deviation 1."""
    inputs = np.random.default_rng(seed).normal(size=(count, 2))
    values = 200 + 50 * (inputs[:, 0] - inputs[:, 1] / 2)
    return Examples(torch.from_numpy(inputs), torch.from_numpy(values))


def value_data(pool: Examples | None = None) -> TrainingData:
    """A training's view of such rows, of a pool all accepted."""
    if pool is not None:
        ids, accepted = (
            pa.array([str(row) for row in range(len(pool))]),
            torch.ones(len(pool), dtype=torch.bool),
        )
        pool = PoolExamples(pool.inputs, pool.labels, [ids], accepted, teacher="0" * 64)
    labeled, validation = (rows(count, seed).standardised(UNITS) for count, seed in ((40, 1), (20, 2)))
    return TrainingData(labeled, validation, pool.standardised(UNITS) if pool else None, UNITS, classes=0)


def train_values(data: TrainingData, how: Plan, training: TrainingParams) -> tuple[State, list[Row]]:
    """Train a fresh net of one output."""
    torch.manual_seed(0)
    net = build_net(MLP, INFO)
    history, _ = train(net, data, how, training, lambda _: None)
    return detached_state(net), history


def test_standardising_and_restoring_are_inverse() -> None:
    values = rows(100, seed=0).labels
    made = UNITS.standardised(values)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.double(), (values - 200) / 50, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(UNITS.restored(made), values, atol=1e-4, rtol=1e-6)
    classes = torch.tensor([0, 2, 1])
    assert SCALING.standardised(classes) is classes


def test_a_net_learns_values_and_the_score_is_r2() -> None:
    training = training_params(optimizer={"name": "adamw"}, learning_rate=0.02, checkpoint="validation_loss")
    _, history = train_values(value_data(), plan(max_epochs=200), training)
    best = min(history, key=lambda row: row["validation_loss"])
    assert best["validation_r2"] > 0.95
    variance = value_data().validation.labels.double().var(correction=0).item()
    assert best["validation_r2"] == pytest.approx(1 - best["validation_loss"] / variance)
    assert "validation_accuracy" not in history[0]


def test_the_loss_is_the_mean_squared_error_in_variances() -> None:
    objective = build_objective(training_params(), torch.zeros(3), classes=0)
    outputs, labels = torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 4.0])
    assert objective.loss(outputs, labels).item() == 2.5
    assert objective.measure(outputs, labels) == {"validation_loss": 2.5, "validation_r2": 1 - 2.5 / 4}
    assert objective.measure(outputs, torch.ones(2))["validation_r2"] == 0.0


def test_disturb_value_adds_noise_to_a_share_of_the_values() -> None:
    values = torch.zeros(20_000)
    made = disturb_values(values, 0.3, 0.5, torch.Generator().manual_seed(0))
    moved = made[made != 0]
    assert len(moved) / len(made) == pytest.approx(0.3, abs=0.02)
    assert moved.std().item() == pytest.approx(0.5, rel=0.03)
    assert moved.mean().item() == pytest.approx(0, abs=0.02)


def test_disturb_value_that_is_off_draws_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    before, values = generator.get_state(), torch.ones(5)
    assert disturb_values(values, 0.0, 0.5, generator) is values
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize("key", ["disturb_value_fraction", "disturb_value_std"])
def test_every_key_of_values_reaches_the_weights(key: str) -> None:
    needed = {"disturb_value_fraction": 0.5, "disturb_value_std": 0.5}
    without = train_values(value_data(), plan(), training_params(**needed))[0]
    made = train_values(value_data(), plan(), training_params(**needed | {key: 0.9}))[0]
    assert not same_bits(made, without)


@pytest.mark.parametrize("pool", [None, stack_examples([], INFO)], ids=["none", "empty"])
def test_without_a_pool_it_is_supervised_bit_for_bit(pool: Examples | None) -> None:
    alone = train_values(value_data(), plan(), ALL_FOR_VALUES)
    with_pool = train_values(value_data(pool), plan(Offline(WHOLE_RAMP)), ALL_FOR_VALUES)
    assert same_bits(alone[0], with_pool[0]) and same_rows(alone[1], with_pool[1])


def test_a_weight_of_zero_is_supervised_bit_for_bit() -> None:
    alone = train_values(value_data(), plan(), ALL_FOR_VALUES)[0]
    ignored = Offline(RampUp(0.0, 0, 0))
    assert same_bits(alone, train_values(value_data(rows(30, 3)), plan(ignored), ALL_FOR_VALUES)[0])


def test_pseudo_targets_that_are_true_help() -> None:
    training = training_params(optimizer={"name": "adamw"}, learning_rate=0.01)
    data = value_data(rows(200, 3))
    data = replace(data, labeled=Examples(data.labeled.inputs[:4], data.labeled.labels[:4]))
    alone = train_values(data, plan(max_epochs=60), training)[1][-1]
    learner = plan(Offline(WHOLE_RAMP), max_epochs=60, pool_batch_size=64)
    helped = train_values(data, learner, training)[1][-1]
    assert helped["validation_r2"] > alone["validation_r2"] + 0.05
    assert "pool_loss" in helped


def value_model(seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model(build_net(MLP, INFO), MLP, INFO, UNITS)


def test_predictions_are_in_the_labels_own_unit(tmp_path: Path) -> None:
    table = write_table(tmp_path / "rows.parquet", INFO, rows(30, 5), unlabeled=10)
    model = value_model()
    made = answer_table(model, table)
    raw = rows(30, 5)
    expected = 200 + 50 * model.net(prepare(raw.inputs, UNITS))[:, 0].detach().double().numpy()
    np.testing.assert_allclose(made, expected, rtol=1e-6)
    assert made.dtype == np.float64 and made.shape == (30,)


def test_a_model_of_values_is_the_same_after_a_round_trip(tmp_path: Path) -> None:
    model = value_model()
    save_model(tmp_path / "model", model, [{"epoch": 1}])
    loaded = load_model(tmp_path / "model")
    assert (loaded.info, loaded.scaling) == (INFO, UNITS)
    inputs = rows(5, 0).inputs
    assert torch.equal(loaded.logits(inputs), model.logits(inputs))


def test_labels_of_a_table_stay_values(tmp_path: Path) -> None:
    written = rows(7, 0)
    loaded = load_examples(write_table(tmp_path / "rows.parquet", INFO, written))
    assert torch.equal(loaded.labels, written.labels)
    assert stack_examples([], INFO).labels.dtype == torch.float64
