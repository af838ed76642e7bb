"""Methods: where the gradient goes, which rows take part, and what the ramp weighs."""

import copy

import pytest
import torch
from tiny import (
    NORMED_AND_DROPPED,
    SCALING,
    WHOLE_RAMP,
    examples,
    fresh_net,
    methods,
    model_params,
    same_bits,
)
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.batches import Examples
from selfsame.learning.fixmatch import FixMatch, aligned, following_thresholds, teacher_probabilities
from selfsame.learning.methods import (
    Losses,
    Memory,
    Method,
    Online,
    PoolBatch,
    RampUp,
    Supervised,
    losses,
)
from selfsame.learning.targets import LabeledLoss, pseudo_targets
from selfsame.model.inputs import prepare
from selfsame.model.nets import detached_state

NAMES = ["offline", "online", "fixmatch"]
PLAIN_LOSS = LabeledLoss(0.0, None)
HALVES = torch.tensor([0.5, 0.5])


class Fixed(nn.Module):
    """A net whose logits are its input; its one weight changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.weight


def batch(per_class: tuple[int, ...] = (3, 3, 3), seed: int = 1) -> Examples:
    rows = examples(per_class, seed)
    return Examples(prepare(rows.inputs, SCALING), rows.labels)


def pool_batch() -> PoolBatch:
    rows = batch((4, 2, 3), seed=2)
    return PoolBatch(rows.inputs, rows.inputs.flip(-1), rows.labels)


def step(
    method: Method, net: nn.Module, teacher: nn.Module, pool: PoolBatch | None, epoch: int = 0
) -> Losses:
    return losses(method, net, teacher, batch(), pool, Memory(), PLAIN_LOSS, epoch)


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
def test_a_gradient_of_the_pool_reaches_the_student_and_none_the_teacher(name: str) -> None:
    net, teacher = fresh_net(seed=1), fresh_net(seed=2)  # the teacher would take a gradient if one came
    made = methods()[name].pool_losses(net, teacher, batch().inputs, pool_batch(), Memory())
    made.pool_loss.backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in net.parameters())
    assert all(weight.grad is None for weight in teacher.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_flows_through_made_labels(name: str) -> None:
    net, pool = fresh_net(), pool_batch()
    made = step(methods()[name], net, net, pool)  # teacher and student are one
    assert pool.strong is not None
    seen = {"offline": pool.weak, "online": pool.weak, "fixmatch": pool.strong}[name]
    with torch.no_grad():
        confidence, own = net(pool.weak).softmax(dim=1).max(dim=1)
    labels = pool.labels if name == "offline" else own
    mask = (confidence >= 0.34).float() if name == "fixmatch" else torch.ones(len(labels))
    constant_labels = (
        PLAIN_LOSS(net(batch().inputs), batch().labels)
        + (mask * functional.cross_entropy(net(seen), labels, reduction="none")).mean()
    )
    ours, expected = gradients(net, made["training_loss"]), gradients(net, constant_labels)
    assert len(ours) == len(list(net.parameters()))
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_losses_add_up_with_the_ramps_weight(name: str) -> None:
    net, teacher = fresh_net(seed=1), fresh_net(seed=2)
    method = methods(RampUp(3.0, 0, 4))[name]
    made = step(method, net, teacher, pool_batch(), epoch=2)
    torch.testing.assert_close(made["training_loss"], made["labeled_loss"] + 1.5 * made["pool_loss"])
    torch.testing.assert_close(made["labeled_loss"], PLAIN_LOSS(net(batch().inputs), batch().labels).detach())
    assert made["pool_loss"] > 0
    assert not (made["labeled_loss"].requires_grad or made["pool_loss"].requires_grad)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_pool_batch_the_step_is_the_supervised_one(name: str) -> None:
    net = fresh_net()
    made, supervised = (step(method, net, net, None) for method in (methods()[name], Supervised()))
    assert list(made) == list(supervised) == ["training_loss"]
    assert torch.equal(made["training_loss"], supervised["training_loss"])


def test_the_supervised_method_never_weighs_a_pool() -> None:
    assert {Supervised().ramp_up.at(epoch) for epoch in (0, 1, 1000)} == {0.0}
    assert Supervised().pool_rows == "none"


def test_each_method_says_which_rows_it_learns_from() -> None:
    assert {name: method.pool_rows for name, method in methods().items()} == {
        "offline": "accepted",
        "online": "all",
        "fixmatch": "all",
        "fixmatch, following": "all",
    }
    wanting = [name for name, method in methods().items() if method.wants_strong_view]
    assert wanting == ["fixmatch", "fixmatch, following"]


def test_offline_learns_the_given_labels_and_online_its_own() -> None:
    net, logits = Fixed(), torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    pool = PoolBatch(logits, None, torch.arange(9) % 3)
    labeled = torch.zeros(2, 3)
    offline, online = (
        methods()[name].pool_losses(net, net, labeled, pool, Memory()) for name in ("offline", "online")
    )
    log_probabilities = logits.log_softmax(dim=1)
    torch.testing.assert_close(offline.pool_loss, -log_probabilities[range(9), pool.labels].mean())
    torch.testing.assert_close(online.pool_loss, -log_probabilities.amax(dim=1).mean())
    assert offline.kept == online.kept == 1


def fixmatch(weak: Tensor, strong: Tensor, threshold: float) -> tuple[float, float]:
    """The pool's loss and the share kept of rows whose logits are given."""
    pool = PoolBatch(weak, strong, torch.full((len(weak),), -1))  # its labels must not matter
    made = FixMatch(WHOLE_RAMP, threshold, 0.0, None).pool_losses(
        Fixed(), Fixed(), torch.zeros(1, weak.shape[1]), pool, Memory()
    )
    return made.pool_loss.item(), made.kept.item()


def test_fixmatch_teaches_the_weak_views_label_on_the_strong_view() -> None:
    weak = torch.tensor([[5.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.1, 0.0, 0.0], [0.0, 0.0, 9.0]])
    strong = torch.tensor([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    loss, kept = fixmatch(weak, strong, threshold=0.9)
    each = -strong.log_softmax(dim=1)[[0, 1, 3], [0, 1, 2]]
    assert kept == 0.75
    assert loss == pytest.approx(each.sum().item() / 4)  # over the whole batch, not over what is kept


def test_fixmatch_takes_its_labels_from_the_teacher() -> None:
    class Reversed(Fixed):
        def forward(self, inputs: Tensor) -> Tensor:
            return super().forward(inputs).flip(1)

    views = torch.tensor([[5.0, 0.0, -1.0]])
    pool = PoolBatch(views, views, torch.tensor([0]))
    made = FixMatch(WHOLE_RAMP, 0.9, 0.0, None).pool_losses(Fixed(), Reversed(), views, pool, Memory())
    torch.testing.assert_close(made.pool_loss, -views.log_softmax(dim=1)[0, 2])


def test_a_row_exactly_at_the_threshold_is_kept() -> None:
    tied = torch.zeros(4, 2)  # a confidence of exactly 1/2
    above = float(torch.tensor(0.5).nextafter(torch.tensor(1.0)))
    assert fixmatch(tied, tied, 0.5)[1] == 1
    assert fixmatch(tied, tied, above) == (0, 0)


@pytest.mark.parametrize("threshold", [0.95, 0.8, 0.7])
def test_the_edge_is_the_float32_next_to_the_threshold_as_written(threshold: float) -> None:
    middle = torch.logit(torch.tensor(threshold))
    weak = torch.stack([middle + torch.linspace(-1e-4, 1e-4, 4001), torch.zeros(4001)], dim=1)
    confidence = weak.softmax(dim=1).amax(dim=1)
    assert (confidence == torch.tensor(threshold)).any()  # some row lies exactly on it
    expected = (confidence >= torch.tensor(threshold)).float().mean().item()
    assert fixmatch(weak, weak, threshold)[1] == expected


def probable(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows)


@pytest.mark.parametrize(
    "prior", [torch.full((3,), 1 / 3), torch.tensor([0.2, 0.7, 0.1])], ids=["equal", "own"]
)
def test_no_alignment_is_plain_fixmatch_and_full_alignment_gives_the_shares(prior: Tensor) -> None:
    probabilities = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).add(
        torch.tensor([1.5, 0.0, -1.0])
    )
    probabilities = probabilities.softmax(dim=1)
    for strength, nearer in ((0.0, 1.0), (0.5, 0.7), (1.0, 0.4)):
        memory = Memory()
        for _ in range(1000):  # until the average has forgotten its beginning
            moved = aligned(probabilities, strength, memory, prior)
        torch.testing.assert_close(moved.sum(dim=1), torch.ones(4000))
        distance = [(shares.mean(dim=0) - prior).abs().sum() for shares in (moved, probabilities)]
        assert distance[0] <= nearer * distance[1] + 1e-6
    torch.testing.assert_close(aligned(probabilities, 0.0, Memory(), prior), probabilities)


def test_alignment_divides_by_the_running_shares() -> None:
    memory, rows = Memory(), probable((0.6, 0.4), (0.8, 0.2))
    shares = 0.99 * torch.tensor([0.5, 0.5]) + 0.01 * torch.tensor([0.7, 0.3])
    expected = rows / shares
    torch.testing.assert_close(
        aligned(rows, 1.0, memory, HALVES), expected / expected.sum(dim=1, keepdim=True)
    )
    shares = 0.99 * shares + 0.01 * torch.tensor([0.7, 0.3])  # the next batch goes on from there
    expected = rows / shares.sqrt()
    torch.testing.assert_close(
        aligned(rows, 0.5, memory, HALVES), expected / expected.sum(dim=1, keepdim=True)
    )


def test_alignment_gives_a_doubtful_row_to_the_rarer_class() -> None:
    method, memory = FixMatch(WHOLE_RAMP, 0.5, 1.0, None), Memory()
    weak = torch.tensor([[4.0, 0.0]] * 9 + [[0.2, 0.0]])
    pool = PoolBatch(weak, torch.zeros(10, 2), torch.zeros(10, dtype=torch.int64))
    made = [aligned(weak.softmax(dim=1), 1.0, memory, HALVES)[-1].argmax().item() for _ in range(60)]
    assert made[0] == 0 and made[-1] == 1
    kept = method.pool_losses(Fixed(), Fixed(), torch.zeros(1, 2), pool, memory)
    assert kept.kept == 1


def test_the_following_threshold_is_the_mean_confidence_and_less_for_rare_classes() -> None:
    memory = Memory()
    rows = probable((0.9, 0.1), (0.9, 0.1), (0.6, 0.4), (0.2, 0.8))
    confidence = 0.99 * 0.5 + 0.01 * 0.8
    shares = 0.99 * torch.tensor([0.5, 0.5]) + 0.01 * torch.tensor([0.65, 0.35])
    torch.testing.assert_close(following_thresholds(rows, memory, HALVES), confidence * shares / shares.max())
    for _ in range(1000):
        thresholds = following_thresholds(rows, memory, HALVES)
    torch.testing.assert_close(thresholds, 0.8 * torch.tensor([1.0, 0.35 / 0.65]), rtol=1e-3, atol=0)


def test_a_class_that_is_rare_in_the_pool_has_no_lower_threshold_for_it() -> None:
    memory = Memory()
    # Said as often as the prior has it, two classes need the mean confidence; said half as often, half of it.
    memory.restore({"confidence": torch.tensor(0.8), "aligned_shares": torch.tensor([0.6, 0.3, 0.1])})
    rows = probable((0.6, 0.3, 0.1), (0.8, 0.1, 0.1))
    thresholds = following_thresholds(rows, memory, torch.tensor([0.6, 0.2, 0.2]))
    torch.testing.assert_close(thresholds, 0.8 * torch.tensor([2 / 3, 1.0, 1 / 3]), rtol=0.02, atol=0)


def test_a_following_threshold_keeps_rows_by_their_own_class() -> None:
    memory = Memory()
    # common classes need 0.8, the rare one 0.8 · 0.35 / 0.65 = 0.43
    memory.restore({"confidence": torch.tensor(0.8), "aligned_shares": torch.tensor([0.65, 0.35])})
    weak = probable((0.75, 0.25), (0.95, 0.05), (0.3, 0.7), (0.45, 0.55)).log()
    pool = PoolBatch(weak, weak, torch.full((4,), -1))
    method = FixMatch(WHOLE_RAMP, None, 0.0, None)
    made = method.pool_losses(Fixed(), Fixed(), torch.zeros(1, 2), pool, memory)
    assert made.kept == 0.75  # all but the first


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
    views = torch.tensor([[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
    pool = PoolBatch(views, views.flip(1), torch.zeros(2, dtype=torch.int64))
    soft = pseudo_targets(views.softmax(dim=1), 0.5)
    for method, seen in (
        (Online(WHOLE_RAMP, 0.5), views),
        (FixMatch(WHOLE_RAMP, 0.0, 0.0, 0.5), views.flip(1)),
    ):
        made = method.pool_losses(Fixed(), Fixed(), views, pool, Memory())
        torch.testing.assert_close(made.pool_loss, -(soft * seen.log_softmax(dim=1)).sum(dim=1).mean())


def test_a_memory_goes_on_from_its_state() -> None:
    memory, other = Memory(), Memory()
    memory.average("shares", torch.ones(3), start=0.0)
    other.restore(memory.state())
    for each in (memory, other):
        torch.testing.assert_close(each.average("shares", torch.ones(3), 0.0), torch.full((3,), 1 - 0.99**2))


def test_labeling_leaves_no_trace_in_the_teacher() -> None:
    teacher = fresh_net(NORMED_AND_DROPPED).train()
    before, random_state = detached_state(teacher), torch.get_rng_state()
    probabilities = teacher_probabilities(teacher, batch().inputs)
    assert same_bits(detached_state(teacher), before)  # batch normalization's statistics among them
    assert all(module.training for module in teacher.modules())
    assert torch.equal(torch.get_rng_state(), random_state)  # dropout drew nothing
    assert not probabilities.requires_grad
    expected = copy.deepcopy(teacher).eval()(batch().inputs).softmax(dim=1).detach()
    assert torch.equal(probabilities, expected)


def test_a_teacher_in_evaluation_stays_so() -> None:
    teacher = fresh_net(NORMED_AND_DROPPED).eval()
    teacher_probabilities(teacher, batch().inputs)
    assert not teacher.training


@pytest.mark.parametrize("name", NAMES)
def test_labeled_and_pool_rows_share_one_batch_normalization(name: str) -> None:
    net = fresh_net(model_params(batch_norm=True)).train()
    pool = pool_batch()
    seen = pool.strong if name == "fixmatch" else pool.weak
    assert seen is not None
    expected = copy.deepcopy(net)(torch.cat([batch().inputs, seen]))[:9]
    made = methods()[name].pool_losses(net, fresh_net(seed=3), batch().inputs, pool, Memory())
    torch.testing.assert_close(made.labeled_logits, expected)
    counters = [value for key, value in net.state_dict().items() if key.endswith("num_batches_tracked")]
    assert counters and all(counter == 1 for counter in counters)
