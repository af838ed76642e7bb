"""The loop: what it learns, which weights it keeps, when it stops, and that every key reaches it."""

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import (
    ALL_TECHNIQUES,
    NORMED_AND_DROPPED,
    OBJECTIVE,
    SCALING,
    WHOLE_RAMP,
    Row,
    examples,
    fresh_net,
    limits,
    methods,
    model_params,
    plan,
    pool_examples,
    same_bits,
    same_rows,
    trained,
    training_data,
    training_params,
)
from torch import Tensor, nn
from torch.nn import functional

from selfsame.core.errors import SelfsameError
from selfsame.learning.loop import Best, TrainingData, train, validate
from selfsame.learning.methods import Method, Offline, RampUp, SelfTraining, supervised
from selfsame.learning.optimize import learning_rate
from selfsame.learning.pool import Pool, digest_of
from selfsame.model.inputs import prepare
from selfsame.model.nets import detached_state
from selfsame.params.augmentation import ImageAugmentation
from selfsame.params.training import Sgd, StepSchedule, TrainingParams

NAMES = ["offline", "online", "self_training", "self_training, following"]
POOL = (8, 6, 6)
MLP = model_params(architecture="mlp", widths=[16])


class Watched(nn.Module):
    """A net that remembers the inputs of its steps."""

    def __init__(self, net: nn.Module, seen: list[Tensor]) -> None:
        super().__init__()
        self.net, self.seen = net, seen

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs)
        return self.net(inputs)


def steps_of(
    method: Method, training: TrainingParams, data: TrainingData | None = None, **changes: Any
) -> tuple[list[Tensor], Pool]:
    """Return what each step's net saw, labeled rows first, and the pool with its record."""
    seen: list[Tensor] = []
    how = plan(method, **changes)
    _, pool = train(
        fresh_net(),
        data or training_data(POOL),
        how,
        training,
        lambda _: None,
        in_steps=lambda net: Watched(net, seen),
    )
    assert pool is not None
    return seen, pool


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ramp_up", [RampUp(0.0, 0, 0), RampUp(1.0, 3, 5)], ids=["no weight", "not yet"])
def test_no_weight_is_supervised_bit_for_bit(name: str, ramp_up: RampUp) -> None:
    expected, rows = trained(training_data(), plan(), ALL_TECHNIQUES, NORMED_AND_DROPPED)
    how = plan(methods(ramp_up)[name])
    made, history = trained(training_data(POOL), how, ALL_TECHNIQUES, NORMED_AND_DROPPED)
    assert same_bits(made, expected) and same_rows(history, rows)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pool", [None, (0, 0, 0)], ids=["none", "empty"])
def test_no_pool_is_supervised_bit_for_bit(name: str, pool: tuple[int, ...] | None) -> None:
    expected, rows = trained(training_data(), plan(), ALL_TECHNIQUES, NORMED_AND_DROPPED)
    made, history = trained(training_data(pool), plan(methods()[name]), ALL_TECHNIQUES, NORMED_AND_DROPPED)
    assert same_bits(made, expected) and same_rows(history, rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_pool_with_weight_is_not_supervised(name: str) -> None:
    supervised, _ = trained(training_data(), plan())
    assert not same_bits(trained(training_data(POOL), plan(methods()[name]))[0], supervised)


@pytest.mark.parametrize("name", NAMES)
def test_a_ramp_starts_with_the_epoch_it_names(name: str) -> None:
    _, supervised = trained(training_data(), plan(max_epochs=5))
    _, ramped = trained(training_data(POOL), plan(methods(RampUp(1.0, 2, 4))[name], max_epochs=5))
    columns = supervised[0].keys()
    assert same_rows([{key: row[key] for key in columns} for row in ramped[:2]], supervised[:2])
    # Epoch 3 (counted from 1) starts the line at 0; the next is half way up, and the last at the top.
    seen = [math.isfinite(row.get("pool_loss", math.nan)) for row in ramped]
    assert seen == [False, False, False, True, True]
    for row, weight in zip(ramped[3:], (0.5, 1.0), strict=True):
        assert row["training_loss"] == pytest.approx(row["labeled_loss"] + weight * row["pool_loss"])


@pytest.mark.parametrize("name", NAMES)
def test_given_labels_and_rows_never_change(name: str) -> None:
    data = training_data(POOL)
    before = copy.deepcopy(data)
    trained(data, plan(methods()[name]), ALL_TECHNIQUES, NORMED_AND_DROPPED)
    for role in ("labeled", "validation", "pool"):
        left, right = getattr(data, role), getattr(before, role)
        assert torch.equal(left.labels, right.labels) and torch.equal(left.inputs, right.inputs)


@pytest.mark.parametrize("name", ["supervised", *NAMES])
def test_one_seed_gives_the_same_bits_and_another_other_bits(name: str) -> None:
    method: Method = {"supervised": supervised(), **methods()}[name]
    runs = [
        trained(training_data(POOL), plan(method, seed=seed), ALL_TECHNIQUES, NORMED_AND_DROPPED)
        for seed in (1, 1, 2)
    ]
    assert same_bits(runs[0][0], runs[1][0]) and same_rows(runs[0][1], runs[1][1])
    assert not same_bits(runs[0][0], runs[2][0])


def test_the_seed_does_not_depend_on_what_was_drawn_before() -> None:
    states = []
    for drawn in (0, 17):
        net = fresh_net(NORMED_AND_DROPPED)
        torch.rand(drawn)
        train(net, training_data(), plan(), ALL_TECHNIQUES, lambda _: None)
        states.append(detached_state(net))
    assert same_bits(*states)


@pytest.mark.parametrize("name", ["supervised", *NAMES])
def test_it_learns(name: str) -> None:
    method: Method = {"supervised": supervised(), **methods(RampUp(1.0, 15, 30))}[name]
    training = training_params(optimizer={"name": "adamw"}, learning_rate=0.01)
    net, how = fresh_net(MLP), plan(method, max_epochs=40, strong=limits(noise_std=0.1))
    train(net, training_data(POOL), how, training, lambda _: None)
    assert validate(net, examples((30, 30, 30), seed=9), SCALING, OBJECTIVE)["validation_accuracy"] > 0.9


def test_offline_learns_a_class_that_only_the_pool_shows() -> None:
    labeled, pool = examples((7, 7, 0), seed=1), pool_examples((0, 0, 10))
    data = replace(training_data(), labeled=labeled, pool=pool)
    training = training_params(optimizer={"name": "adamw"}, learning_rate=0.01)
    unseen, accuracy = examples((0, 0, 30), seed=9), {}
    for weight in (0.0, 1.0):
        net = fresh_net(MLP)
        train(net, data, plan(Offline(RampUp(weight, 0, 0)), max_epochs=30), training, lambda _: None)
        accuracy[weight] = validate(net, unseen, SCALING, OBJECTIVE)["validation_accuracy"]
    assert accuracy[0.0] < 0.1 and accuracy[1.0] > 0.9


# Each key of ``training`` with a value that differs from ``training_params``, and what it needs to matter.
KEYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "batch_size": (5, {}),
    "optimizer": ({"name": "adam"}, {}),
    "learning_rate": (0.1, {}),
    "optimizer.momentum": (0.5, {"optimizer": {"name": "sgd", "momentum": 0.0}}),
    "optimizer.nesterov": (True, {"optimizer": {"name": "sgd", "momentum": 0.5}}),
    "weight_decay": (0.1, {}),
    "schedule": ({"name": "cosine"}, {}),
    "warm_up_fraction": (0.5, {}),
    "schedule.every_epochs": (2, {"schedule": {"name": "step", "every_epochs": 1}}),
    "schedule.factor": (0.5, {"schedule": {"name": "step", "every_epochs": 1}}),
    "gradient_clip_norm": (0.01, {}),
    "ema_decay": (0.5, {}),
    "label_smoothing": (0.1, {}),
    "disturb_label_fraction": (0.5, {}),
    "class_sampling": ("balanced", {}),
    "class_weights": ("one_minus_share", {}),
    "checkpoint": ("validation_loss", {"learning_rate": 3.0}),
    "augmentation.shift_pixels": (1.0, {}),
    "augmentation.rotate_degrees": (10.0, {}),
    "augmentation.scale_fraction": (0.1, {}),
    "augmentation.erase_fraction": (0.3, {}),
    "augmentation.noise_std": (0.1, {}),
    "augmentation.flip_fraction": (0.5, {}),
    "augmentation.contrast_fraction": (0.3, {}),
    "augmentation.shear_fraction": (0.3, {}),
    "augmentation.color_fraction": (0.3, {}),
}


def test_the_table_of_keys_is_complete() -> None:
    groups = {"optimizer": Sgd, "schedule": StepSchedule, "augmentation": ImageAugmentation}
    nested = {
        f"{name}.{key}" for name, group in groups.items() for key in group.model_fields if key != "name"
    }
    elsewhere = {"disturb_value_fraction", "disturb_value_std"}  # test_learning_values.py
    elsewhere |= {"refit_on_validation"}  # test_refit.py
    elsewhere |= {"validate_every_epochs"}  # below
    elsewhere |= {"precision", "compile"}  # test_steps.py
    elsewhere |= {"processes"}  # test_distributed.py
    assert KEYS.keys() == TrainingParams.model_fields.keys() - {"augmentation"} - elsewhere | nested


@pytest.mark.parametrize("key", KEYS)
def test_every_key_reaches_the_weights(key: str) -> None:
    value, needed = KEYS[key]
    outer, _, inner = key.partition(".")
    change = {outer: needed.get(outer, limits().model_dump()) | {inner: value} if inner else value}
    without = trained(training_data(), plan(), training_params(**needed))[0]
    made = trained(training_data(), plan(), training_params(**needed | change))[0]
    assert not same_bits(made, without)


@pytest.mark.parametrize("key", ["pool_batch_size", "strong"])
def test_every_key_of_the_plan_reaches_the_weights(key: str) -> None:
    changed = plan(methods()["self_training"], **{key: {"pool_batch_size": 5, "strong": limits()}[key]})
    runs = [trained(training_data(POOL), how)[0] for how in (plan(methods()["self_training"]), changed)]
    assert not same_bits(*runs)


def one_step(training: TrainingParams) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Change of every weight in one step on all labeled rows, and the plain gradient before it."""
    net = fresh_net()
    before, rows = detached_state(net), training_data().labeled
    functional.cross_entropy(net(prepare(rows.inputs, SCALING)), rows.labels).backward()
    gradient = {name: weight.grad for name, weight in net.named_parameters() if weight.grad is not None}
    net.zero_grad(set_to_none=True)
    train(net, training_data(), plan(max_epochs=1), training, lambda _: None)
    return {name: value - before[name] for name, value in detached_state(net).items()}, gradient


def norm(tensors: dict[str, Tensor]) -> float:
    return torch.cat([tensor.flatten() for tensor in tensors.values()]).norm().item()


def test_a_step_of_sgd_goes_down_the_gradient() -> None:
    change, gradient = one_step(training_params(learning_rate=0.1))
    for name, moved in change.items():
        torch.testing.assert_close(moved, -0.1 * gradient[name], atol=1e-6, rtol=1e-3)


def test_clipping_shortens_a_long_gradient_and_keeps_its_direction() -> None:
    change, gradient = one_step(training_params(learning_rate=1.0, gradient_clip_norm=0.05))
    assert norm(gradient) > 0.1
    assert norm(change) == pytest.approx(0.05, rel=1e-3)
    for name, moved in change.items():
        torch.testing.assert_close(moved, -0.05 / norm(gradient) * gradient[name], atol=1e-6, rtol=1e-3)


def test_clipping_leaves_a_short_gradient() -> None:
    runs = [one_step(training_params(gradient_clip_norm=clip))[0] for clip in (None, 1e6)]
    assert same_bits(*runs)


def test_the_labeled_rows_do_not_depend_on_the_pool() -> None:
    seen = [steps_of(method, ALL_TECHNIQUES)[0] for method in methods().values()]
    assert all(
        torch.equal(left[:4], right[:4]) for other in seen for left, right in zip(seen[0], other, strict=True)
    )


def test_pool_rows_are_drawn_on_their_own() -> None:
    data = training_data()
    pool = replace(pool_examples((7, 4, 3), seed=1), accepted=torch.ones(14, dtype=torch.bool))
    seen, _ = steps_of(Offline(WHOLE_RAMP), training_params(), replace(data, pool=pool), pool_batch_size=64)
    for inputs in seen:  # the same rows, each in another order
        labeled, drawn = inputs.chunk(2)
        assert torch.equal(labeled.flatten(1).sort(dim=0).values, drawn.flatten(1).sort(dim=0).values)
        assert not torch.equal(labeled, drawn)


def test_pool_batches_are_the_accepted_rows_under_the_methods_own_limits() -> None:
    training = training_params(augmentation=limits(noise_std=0.1))
    prepared = prepare(pool_examples(POOL).inputs, SCALING)
    for name, method in methods().items():
        seen, _ = steps_of(method, training, strong=limits(noise_std=0.01), max_epochs=1)
        for inputs in seen:
            drawn = inputs[14:]
            distances = torch.cdist(drawn.flatten(1), prepared.flatten(1))
            spread = distances.min(dim=1).values.mean().item() / prepared[0].numel() ** 0.5
            assert spread == pytest.approx(0.01 if method.strong_view else 0.1, rel=0.2)
            if name != "online":
                assert pool_examples(POOL).accepted[distances.argmin(dim=1)].all()


def test_the_moving_average_is_what_is_validated_and_kept() -> None:
    net, weights = fresh_net(), [detached_state(fresh_net())]
    training = training_params(ema_decay=0.6)  # one step an epoch
    how = plan(max_epochs=10)
    history, _ = train(net, training_data(), how, training, lambda _: weights.append(detached_state(net)))
    expected = {name: value.double() for name, value in weights[0].items()}
    for step, present in enumerate(weights[1:]):
        decay = min(0.6, (1 + step) / (10 + step))
        expected = {name: decay * value + (1 - decay) * present[name] for name, value in expected.items()}
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value.double(), expected[name], atol=1e-6, rtol=1e-5)
    assert not same_bits(detached_state(net), weights[-1])
    measured = validate(net, training_data().validation, SCALING, OBJECTIVE)
    assert measured.items() <= history[-1].items()


def test_the_teacher_is_the_moving_average_or_the_net_itself() -> None:
    method = SelfTraining(WHOLE_RAMP, relabel_every_epochs=2, threshold=0.0)
    for decay in (0.0, 0.6):
        net, training = fresh_net(), training_params(ema_decay=decay)
        _, pool = train(net, training_data(POOL), plan(method, max_epochs=3), training, lambda _: None)
        teacher = fresh_net()
        train(teacher, training_data(POOL), plan(method, max_epochs=2), training, lambda _: None)
        assert pool is not None
        assert [each.teacher for each in pool.rounds] == ["0" * 64, digest_of(teacher)]  # the last one kept


UNSTEADY = {"learning_rate": 3.0, "batch_size": 5}  # its last epoch isn't its best


@pytest.mark.parametrize(
    ("checkpoint", "better"), [("validation_loss", min), ("validation_accuracy", max), ("last", None)]
)
def test_the_best_checkpoint_is_restored(checkpoint: str, better: Any) -> None:
    net, data = fresh_net(), training_data()
    training = training_params(checkpoint=checkpoint, **UNSTEADY)
    history, _ = train(net, data, plan(max_epochs=12), training, lambda _: None)
    measured = validate(net, data.validation, SCALING, OBJECTIVE)
    if better is None:
        expected = history[-1]
    else:
        expected = better(history, key=lambda row: row[checkpoint])  # of equals, the first
        assert expected != history[-1]
    assert measured.items() <= expected.items()


def offered(criterion: str, rows: list[tuple[float, float]]) -> tuple[int, float]:
    """Offer (validation loss, accuracy) of epochs 1, 2, …; return the epoch kept and its only weight."""
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    best = Best(criterion, net)
    for epoch, (loss, accuracy) in enumerate(rows, start=1):
        net.weight.data.fill_(epoch)
        best.offer({"epoch": epoch, "validation_loss": loss, "validation_accuracy": accuracy})
    return best.epoch, best.weights["weight"].item()


@pytest.mark.parametrize(
    ("criterion", "epoch"), [("validation_loss", 2), ("validation_accuracy", 3), ("last", 5)]
)
def test_of_equal_epochs_the_first_is_kept(criterion: str, epoch: int) -> None:
    rows = [(2.0, 0.1), (0.5, 0.3), (0.9, 0.7), (0.5, 0.7), (0.8, 0.2)]
    assert offered(criterion, rows) == (epoch, epoch)


def test_an_epoch_without_a_number_is_not_the_best() -> None:
    assert offered("validation_loss", [(1.0, 0.5), (math.nan, 0.5)]) == (1, 1)


@pytest.mark.parametrize("patience", [1, 3])
def test_it_stops_after_that_many_epochs_without_a_better_one(patience: int) -> None:
    standing_still = training_params(learning_rate=1e-30, checkpoint="validation_loss")
    _, history = trained(training_data(), plan(max_epochs=10, patience_epochs=patience), standing_still)
    assert [row["epoch"] for row in history] == list(range(1, patience + 2))  # the first is the best


def test_patience_counts_from_the_best_epoch() -> None:
    training = training_params(checkpoint="validation_loss", **UNSTEADY)
    _, whole = trained(training_data(), plan(max_epochs=40), training)
    _, history = trained(training_data(), plan(max_epochs=40, patience_epochs=4), training)
    losses = [row["validation_loss"] for row in history]
    assert 5 <= len(history) < 40 and len(history) - (int(np.argmin(losses)) + 1) == 4
    assert same_rows(history, whole[: len(history)])  # stopping changes nothing before it


def test_the_last_checkpoint_knows_no_patience() -> None:
    training = training_params(learning_rate=1e-30, checkpoint="last")
    assert len(trained(training_data(), plan(max_epochs=4, patience_epochs=1), training)[1]) == 4


@pytest.mark.parametrize("name", ["supervised", *NAMES])
def test_all_rows_of_the_history_have_the_same_columns(name: str) -> None:
    method: Method = {"supervised": supervised(), **methods(RampUp(1.0, 1, 2))}[name]
    told: list[Row] = []
    net = fresh_net()
    history, _ = train(net, training_data(POOL), plan(method, max_epochs=4), training_params(), told.append)
    always = {"epoch", "learning_rate", "training_loss", "validation_loss", "validation_accuracy"}
    of_pool = set() if name == "supervised" else {"labeled_loss", "pool_loss", "pool_taught"}
    assert {tuple(row) for row in history} == {tuple(history[0])}
    assert set(history[0]) == always | of_pool
    assert [row["epoch"] for row in told] == [1, 2, 3, 4]
    for row, known in zip(history, told, strict=True):
        assert known.items() <= row.items()
        assert all(math.isnan(row[column]) for column in row.keys() - known.keys())
    for column in of_pool:
        assert [math.isfinite(row[column]) for row in history] == [False, False, True, True]


def test_the_history_means_are_over_the_epochs_steps() -> None:
    # With one batch an epoch the first row's loss is that of the untrained net.
    rows = training_data().labeled
    untrained = functional.cross_entropy(fresh_net()(prepare(rows.inputs, SCALING)), rows.labels).item()
    assert trained(training_data(), plan())[1][0]["training_loss"] == pytest.approx(untrained)
    standing_still = training_params(learning_rate=1e-30, batch_size=7)  # two equal batches
    assert trained(training_data(), plan(), standing_still)[1][0]["training_loss"] == pytest.approx(untrained)


@pytest.mark.parametrize("name", ["supervised", *NAMES])
def test_fewer_validations_change_no_weights_and_leave_means_over_all_steps(name: str) -> None:
    method: Method = {"supervised": supervised(), **methods(RampUp(1.0, 3, 4))}[name]
    how = plan(method, max_epochs=7)
    training = training_params(batch_size=7)
    weights, every = trained(training_data(POOL), how, training)
    made, history = trained(
        training_data(POOL), how, training.model_copy(update={"validate_every_epochs": 3})
    )
    assert same_bits(made, weights)
    assert [row["epoch"] for row in history] == [3, 6, 7]
    for row, first in zip(history, (0, 3, 6), strict=True):
        there = every[first : int(row["epoch"])]
        assert all(row[name] == there[-1][name] for name in ("validation_loss", "validation_accuracy"))
        for column in row.keys() & {"training_loss", "labeled_loss", "pool_loss"}:
            values = [each[column] for each in there if math.isfinite(each[column])]
            expected = pytest.approx(np.mean(values) if values else math.nan, nan_ok=True)
            assert row[column] == expected


def test_the_best_of_fewer_validations_is_kept() -> None:
    training = training_params(checkpoint="validation_loss", validate_every_epochs=4, **UNSTEADY)
    weights, history = trained(training_data(), plan(max_epochs=10), training)
    best = min(history, key=lambda row: row["validation_loss"])
    until = training_params(**UNSTEADY, checkpoint="last")
    stopped = replace(plan(max_epochs=10), stop_epochs=int(best["epoch"]))
    assert same_bits(weights, trained(training_data(), stopped, until)[0])


def test_the_learning_rate_follows_the_schedule_step_by_step() -> None:
    training = training_params(
        schedule={"name": "one_cycle"}, warm_up_fraction=0.3, batch_size=5
    )  # 3 steps an epoch
    _, history = trained(training_data(), plan(max_epochs=4), training)
    last_steps = [learning_rate(training, (3 * epoch + 2.5) / 12, epoch) for epoch in range(4)]
    assert [row["learning_rate"] for row in history] == last_steps


def test_a_diverging_training_stops_with_what_to_do() -> None:
    with pytest.raises(SelfsameError, match=r"loss became nan in epoch") as caught:
        trained(training_data(), plan(max_epochs=5), training_params(learning_rate=1e30))
    assert "training.learning_rate" in caught.value.fix


@pytest.mark.parametrize("checkpoint", ["last", "validation_loss"])
def test_a_training_that_diverges_in_its_last_step_is_no_model(checkpoint: str) -> None:
    training = training_params(learning_rate=1e38, checkpoint=checkpoint)
    with pytest.raises(SelfsameError):
        trained(training_data(), plan(max_epochs=1), training)


def test_validation_is_exact_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    net, rows = fresh_net(NORMED_AND_DROPPED), examples((9, 5, 7), seed=5)
    net.train()(prepare(rows.inputs, SCALING))  # statistics of its own
    monkeypatch.setattr("selfsame.model.inputs.CPU_VALUES", 4 * 64)
    before = detached_state(net)
    measured = validate(net, rows, SCALING, OBJECTIVE)
    with torch.no_grad():
        logits = net.eval()(prepare(rows.inputs, SCALING))
    assert measured["validation_loss"] == pytest.approx(functional.cross_entropy(logits, rows.labels).item())
    right = int((logits.argmax(dim=1) == rows.labels).sum())
    assert measured["validation_accuracy"] == right / 21
    assert same_bits(detached_state(net), before)


def test_a_last_batch_of_one_row_passes_batch_normalization() -> None:
    params = model_params(architecture="mlp", widths=[4], batch_norm=True)
    trained(training_data(), plan(max_epochs=1), training_params(batch_size=13), params)  # 14 labeled rows
