"""Optimizers, schedules and the moving average against their formulas."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from tiny import NORMED_AND_DROPPED, fresh_net, training_params
from torch import nn

from selfsame.learning.optimize import MovingAverage, build_optimizer, learning_rate

RATE, DECAY, MOMENTUM = 0.1, 0.05, 0.8
GRADIENTS = np.array([[0.3, -2.0], [0.1, 1.0], [-0.7, 0.5]])


def by_hand(optimizer: str) -> np.ndarray:
    """Weights after three steps from (1, −1), as the papers write them."""
    weights, first, second = np.array([1.0, -1.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate(GRADIENTS, start=1):
        if optimizer == "adamw":
            weights = weights * (1 - RATE * DECAY)  # decoupled: never seen by the moments
        else:
            gradient = gradient + DECAY * weights
        if optimizer == "sgd":
            first = MOMENTUM * first + gradient
            weights = weights - RATE * first
            continue
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        unbiased = np.sqrt(second / (1 - 0.999**step))
        weights = weights - RATE * first / (1 - 0.9**step) / (unbiased + 1e-8)
    return weights


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizer_is_what_it_says(name: str) -> None:
    net = nn.Linear(2, 1, bias=False, dtype=torch.float64)
    net.weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    own = {"name": name} | ({"momentum": MOMENTUM} if name == "sgd" else {})
    params = training_params(optimizer=own, weight_decay=DECAY)
    optimizer = build_optimizer(net, params)
    for gradient in GRADIENTS:
        optimizer.param_groups[0]["lr"] = RATE
        net.weight.grad = torch.from_numpy(gradient)[None]
        optimizer.step()
    np.testing.assert_allclose(net.weight.detach().numpy()[0], by_hand(name), rtol=1e-12)


def test_the_three_optimizers_differ() -> None:
    results = {name: by_hand(name).round(6).tolist() for name in ("sgd", "adam", "adamw")}
    assert len({tuple(result) for result in results.values()}) == 3


def rate(progress: float, epoch: int = 0, **changes: Any) -> float:
    """The learning rate as a share of its peak."""
    return learning_rate(training_params(learning_rate=0.4, **changes), progress, epoch) / 0.4


@pytest.mark.parametrize("progress", [0.0, 0.3, 0.999])
def test_constant(progress: float) -> None:
    assert rate(progress) == 1


@pytest.mark.parametrize(
    ("epoch", "expected"), [(0, 1), (99, 1), (100, 0.1), (199, 0.1), (200, 0.01), (350, 0.001)]
)
def test_step(epoch: int, expected: float) -> None:
    schedule = {"name": "step", "every_epochs": 100, "factor": 0.1}
    assert rate(0.5, epoch, schedule=schedule) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.0, 1), (1 / 3, 0.75), (0.5, 0.5), (2 / 3, 0.25), (1.0, 0)]
)
def test_cosine(progress: float, expected: float) -> None:
    assert rate(progress, schedule={"name": "cosine"}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.04), (0.1, 0.52), (0.2, 1), (0.4666666667, 0.75), (0.6, 0.5), (1.0, 0)],
)
def test_one_cycle(progress: float, expected: float) -> None:
    assert rate(progress, schedule={"name": "one_cycle"}, warm_up_fraction=0.2) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine"])
def test_warm_up_rises_in_a_straight_line_to_the_peak(schedule: str) -> None:
    own = {"schedule": {"name": schedule}, "warm_up_fraction": 0.2}
    rises = [rate(progress, **own) for progress in (0.05, 0.1, 0.15, 0.2)]
    assert rises == pytest.approx([0.25, 0.5, 0.75, 1])


def test_cosine_falls_from_the_end_of_the_warm_up() -> None:
    assert rate(0.6, schedule={"name": "cosine"}, warm_up_fraction=0.2) == pytest.approx(0.5)


def test_a_training_of_warm_up_alone_stays_finite() -> None:
    assert rate(0.5, schedule={"name": "cosine"}, warm_up_fraction=1.0) == pytest.approx(0.5)


def test_moving_average_agrees_with_a_recomputation() -> None:
    net, random = fresh_net(NORMED_AND_DROPPED), np.random.default_rng(0)
    average = MovingAverage(net, 0.5)
    expected = {name: value.double().numpy() for name, value in copy.deepcopy(net.state_dict()).items()}
    for step in range(12):
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.copy_(torch.from_numpy(random.normal(size=value.shape)))
            else:
                value += 3  # the counter of batch normalization
            decay = min(0.5, (1 + step) / (10 + step)) if value.is_floating_point() else 0.0
            expected[name] = decay * expected[name] + (1 - decay) * value.double().numpy()
        average.update()
    made = average.net.state_dict()
    assert made.keys() == expected.keys()
    assert {str(value.dtype) for value in made.values()} == {"torch.float32", "torch.int64"}
    for name, value in made.items():
        np.testing.assert_allclose(value.double().numpy(), expected[name], atol=1e-5, err_msg=name)


def test_moving_average_soon_forgets_its_beginning() -> None:
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    average = MovingAverage(net, 0.999)
    net.weight.data.fill_(1.0)
    seen = []
    for _ in range(3):
        average.update()
        seen.append(average.net.state_dict()["weight"].item())
    # decays 1/10, 2/11, 3/12 and not yet 0.999
    assert seen == pytest.approx([1 - 1 / 10, 1 - 2 / 110, 1 - 6 / 1320])


def test_moving_average_takes_no_gradient_and_leaves_the_net_alone() -> None:
    net = fresh_net(NORMED_AND_DROPPED)
    average = MovingAverage(net, 0.9)
    before = copy.deepcopy(net.state_dict())
    average.update()
    assert not any(weight.requires_grad for weight in average.net.parameters())
    assert all(weight.requires_grad for weight in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_without_decay_the_average_is_the_net_itself() -> None:
    net = fresh_net()
    average = MovingAverage(net, 0.0)
    average.update()
    assert average.net is net
    assert all(weight.requires_grad for weight in net.parameters())
