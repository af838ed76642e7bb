"""Methods: where the gradient goes, which rows take part with which label, and what the ramp weighs."""

import copy

import pytest
import torch
from tiny import OBJECTIVE, SCALING, WHOLE_RAMP, examples, fresh_net, methods, model_params
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.batches import Examples
from selfsame.learning.methods import (
    Losses,
    Method,
    Online,
    RampUp,
    SelfTraining,
    aligned,
    following_thresholds,
    losses,
    supervised,
)
from selfsame.learning.targets import pseudo_targets
from selfsame.model.inputs import prepare

NAMES = ["offline", "online", "self_training"]
HALVES = torch.tensor([0.5, 0.5])


def batch(per_class: tuple[int, ...] = (3, 3, 3), seed: int = 1) -> Examples:
    rows = examples(per_class, seed)
    return Examples(prepare(rows.inputs, SCALING), rows.labels)


def pool_batch() -> Examples:
    return batch((4, 2, 3), seed=2)


def step(
    method: Method, net: nn.Module, pool: Examples | None, epoch: int = 0
) -> tuple[Losses, Tensor | None]:
    return losses(method, OBJECTIVE, net, batch(), pool, epoch)


def gradients(net: nn.Module, loss: Tensor) -> list[Tensor]:
    net.zero_grad(set_to_none=True)
    loss.backward()
    return [weight.grad.clone() for weight in net.parameters() if weight.grad is not None]


@pytest.mark.parametrize(
    ("epoch", "weight"),
    [(0, 0), (99, 0), (100, 0), (101, 1e-4 / 350), (275, 0.5e-4), (450, 1e-4), (500, 1e-4)],
)
def test_the_tutorials_ramp(epoch: int, weight: float) -> None:
    assert RampUp(1e-4, 100, 450).at(epoch) == pytest.approx(weight, rel=1e-12, abs=0)


def test_a_ramp_without_length_is_a_step() -> None:
    assert [RampUp(0.7, 3, 3).at(epoch) for epoch in range(5)] == [0, 0, 0, 0.7, 0.7]
    assert RampUp(0.7, 0, 0).at(0) == 0.7


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_flows_through_made_labels(name: str) -> None:
    net, pool = fresh_net(), pool_batch()
    made, taught = step(methods()[name], net, pool)
    with torch.no_grad():
        own = net(pool.inputs).argmax(dim=1)
    labels = own if name == "online" else pool.labels
    assert taught is not None and torch.equal(taught, labels)
    constant = OBJECTIVE.loss(net(batch().inputs), batch().labels)
    constant = constant + functional.cross_entropy(net(pool.inputs), labels)
    ours, expected = gradients(net, made["training_loss"]), gradients(net, constant)
    assert len(ours) == len(list(net.parameters()))
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_add_up_with_the_ramps_weight(name: str) -> None:
    net = fresh_net(seed=1)
    made, _ = step(methods(RampUp(3.0, 0, 4))[name], net, pool_batch(), epoch=2)
    torch.testing.assert_close(made["training_loss"], made["labeled_loss"] + 1.5 * made["pool_loss"])
    labeled = OBJECTIVE.loss(net(batch().inputs), batch().labels).detach()
    torch.testing.assert_close(made["labeled_loss"], labeled)
    assert made["pool_loss"] > 0
    assert not (made["labeled_loss"].requires_grad or made["pool_loss"].requires_grad)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_pool_batch_the_step_is_the_supervised_one(name: str) -> None:
    net = fresh_net()
    (made, taught), (plain, _) = (step(method, net, None) for method in (methods()[name], supervised()))
    assert list(made) == list(plain) == ["training_loss"] and taught is None
    assert torch.equal(made["training_loss"], plain["training_loss"])


def test_the_supervised_method_never_weighs_a_pool() -> None:
    assert {supervised().ramp_up.at(epoch) for epoch in (0, 1, 1000)} == {0.0}
    assert supervised().pool_rows == "none"


def test_each_method_says_which_rows_it_learns_from() -> None:
    said = {name: (each.name, each.pool_rows, each.strong_view) for name, each in methods().items()}
    assert said == {
        "offline": ("offline", "accepted", False),
        "online": ("online", "all", False),
        "self_training": ("self_training", "accepted", True),
        "self_training, following": ("self_training", "accepted", True),
    }


def relabeled(rows: Tensor, **how: object) -> tuple[list[int], list[bool]]:
    labels, taught = SelfTraining(WHOLE_RAMP, **how).relabel(rows)
    return labels.tolist(), taught.tolist()


def test_a_round_teaches_the_most_probable_class_at_or_above_the_threshold() -> None:
    rows = probable((0.95, 0.05), (0.4, 0.6), (0.8, 0.2), (0.1, 0.9))
    assert relabeled(rows, threshold=0.8) == ([0, 1, 0, 1], [True, False, True, True])
    tied = probable((0.5, 0.5))
    above = float(torch.tensor(0.5).nextafter(torch.tensor(1.0)))
    assert relabeled(tied, threshold=0.5)[1] == [True]
    assert relabeled(tied, threshold=above)[1] == [False]


def probable(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows)


@pytest.mark.parametrize(
    "prior", [torch.full((3,), 1 / 3), torch.tensor([0.2, 0.7, 0.1])], ids=["equal", "own"]
)
def test_alignment_moves_the_shares_towards_the_prior(prior: Tensor) -> None:
    probabilities = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).add(
        torch.tensor([1.5, 0.0, -1.0])
    )
    probabilities = probabilities.softmax(dim=1)
    for strength, nearer in ((0.0, 1.0), (0.5, 0.7), (1.0, 0.4)):
        moved = aligned(probabilities, strength, prior)
        torch.testing.assert_close(moved.sum(dim=1), torch.ones(4000))
        distance = [(shares.mean(dim=0) - prior).abs().sum() for shares in (moved, probabilities)]
        assert distance[0] <= nearer * distance[1] + 1e-6
    torch.testing.assert_close(aligned(probabilities, 0.0, prior), probabilities)


def test_alignment_divides_by_the_pools_shares() -> None:
    rows, shares = probable((0.6, 0.4), (0.8, 0.2)), torch.tensor([0.7, 0.3])
    for strength in (1.0, 0.5):
        expected = rows / shares**strength
        expected = expected / expected.sum(dim=1, keepdim=True)
        torch.testing.assert_close(aligned(rows, strength, HALVES), expected)


def test_alignment_gives_a_doubtful_row_to_the_rarer_class() -> None:
    rows = probable(*[(0.98, 0.02)] * 9, (0.55, 0.45))
    assert relabeled(rows, threshold=0.5)[0][-1] == 0
    assert relabeled(rows, threshold=0.5, alignment=1.0)[0][-1] == 1


def test_the_following_threshold_is_the_mean_confidence_and_less_for_rare_classes() -> None:
    rows = probable((0.9, 0.1), (0.9, 0.1), (0.6, 0.4), (0.2, 0.8))
    shares = torch.tensor([0.65, 0.35])
    torch.testing.assert_close(following_thresholds(rows, HALVES), 0.8 * shares / shares.max())
    # common classes need 0.8, the rare one 0.8 · 0.35 / 0.65 = 0.43
    assert relabeled(rows) == ([0, 0, 0, 1], [True, True, False, True])


def test_a_class_that_is_rare_in_the_pool_has_no_lower_threshold_for_it() -> None:
    # Said as often as the prior has it, two classes need the mean confidence; said half as often, half of it.
    rows = probable((0.9, 0.05, 0.05), (0.3, 0.55, 0.15))
    thresholds = following_thresholds(rows, torch.tensor([0.6, 0.2, 0.2]))
    mean = (0.9 + 0.55) / 2
    torch.testing.assert_close(thresholds, mean * torch.tensor([2 / 3, 1.0, 1 / 3]))


@pytest.mark.parametrize("temperature", [None, 1.0, 0.5])
def test_hard_labels_are_classes_and_soft_ones_distributions(temperature: float | None) -> None:
    rows = probable((0.6, 0.3, 0.1), (0.0, 0.5, 0.5))
    targets = pseudo_targets(rows, temperature)
    if temperature is None:
        assert targets.tolist() == [0, 1]
    else:
        expected = rows ** (1 / temperature)
        torch.testing.assert_close(targets, expected / expected.sum(dim=1, keepdim=True))


def test_soft_labels_reach_both_methods_that_make_their_own() -> None:
    rows = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    soft = pseudo_targets(rows.softmax(dim=1), 0.5)
    made, _ = SelfTraining(WHOLE_RAMP, threshold=0.0, soft_temperature=0.5).relabel(rows.softmax(dim=1))
    torch.testing.assert_close(made, soft)
    unused = torch.zeros(2, dtype=torch.int64)
    torch.testing.assert_close(Online(WHOLE_RAMP, soft_temperature=0.5).targets(rows, unused), soft)


@pytest.mark.parametrize("name", NAMES)
def test_labeled_and_pool_rows_share_one_batch_normalization(name: str) -> None:
    net = fresh_net(model_params(batch_norm=True)).train()
    together = copy.deepcopy(net)(torch.cat([batch().inputs, pool_batch().inputs]))[:9]
    made, _ = step(methods()[name], net, pool_batch())
    torch.testing.assert_close(made["labeled_loss"], OBJECTIVE.loss(together, batch().labels).detach())
    counters = [value for key, value in net.state_dict().items() if key.endswith("num_batches_tracked")]
    assert counters and all(int(counter) == 1 for counter in counters)
