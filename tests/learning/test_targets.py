"""Smoothing, disturbing and weighting against formulas worked out by hand."""

import math

import pytest
import torch
from tiny import training_params
from torch.nn import functional

from selfsame.learning.targets import LabeledLoss, class_weights, disturb

LOGITS = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 0, 0, 1, 2, 3])


def test_plain_loss_is_cross_entropy() -> None:
    loss = LabeledLoss(0.0, None)(LOGITS, LABELS)
    torch.testing.assert_close(loss, functional.cross_entropy(LOGITS, LABELS))


def test_smoothing_by_hand() -> None:
    # Probabilities 0.7, 0.2, 0.1, true class 0, α = 0.1: 0.9 for it and 0.05 for each of the two others.
    logits = torch.tensor([[math.log(0.7), math.log(0.2), math.log(0.1)]], dtype=torch.float64)
    expected = -(0.9 * math.log(0.7) + 0.05 * math.log(0.2) + 0.05 * math.log(0.1))
    assert LabeledLoss(0.1, None)(logits, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-12)


def test_smoothing_spreads_over_the_other_classes_and_torch_over_all() -> None:
    ours = LabeledLoss(0.3, None)(LOGITS, LABELS)
    # torch's α' = α · K / (K − 1) leaves the same 1 − α for the true class
    same = functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.3 * 4 / 3)
    torch.testing.assert_close(ours, same)
    assert abs(ours - functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.3)) > 1e-3


def test_one_minus_share_are_the_tutorials_weights() -> None:
    counts = torch.tensor([30, 60, 80, 100, 120, 150, 200, 250, 300, 395])
    labels = torch.arange(10).repeat_interleave(counts)
    expected = torch.tensor([1 - count / 1685 for count in counts.tolist()])
    torch.testing.assert_close(class_weights(labels, 10, "one_minus_share"), expected)


def test_inverse_share_gives_every_class_the_same_sum() -> None:
    weights = class_weights(LABELS, 4, "inverse_share")
    assert weights is not None
    torch.testing.assert_close(weights, torch.tensor([6 / (4 * 3), 6 / 4, 6 / 4, 6 / 4]))
    torch.testing.assert_close(torch.bincount(LABELS) * weights, torch.full((4,), 1.5))


def test_a_class_without_rows_has_a_finite_weight() -> None:
    for kind in ("one_minus_share", "inverse_share"):
        weights = class_weights(LABELS, 5, kind)
        assert weights is not None
        assert weights.shape == (5,) and weights.isfinite().all()


def test_no_weights() -> None:
    assert class_weights(LABELS, 4, "none") is None


@pytest.mark.parametrize("kind", ["one_minus_share", "inverse_share"])
def test_weighted_loss_is_torchs_weighted_mean(kind: str) -> None:
    weights = class_weights(LABELS, 4, kind)
    assert weights is not None
    loss = LabeledLoss.build(training_params(class_weights=kind), LABELS, 4)(LOGITS, LABELS)
    torch.testing.assert_close(loss, functional.cross_entropy(LOGITS, LABELS, weight=weights.double()))
    assert abs(loss - functional.cross_entropy(LOGITS, LABELS)) > 1e-3


def test_build_takes_both_techniques_from_the_parameters() -> None:
    loss = LabeledLoss.build(training_params(label_smoothing=0.2, class_weights="inverse_share"), LABELS, 4)
    smoothed = torch.full((6, 4), 0.2 / 3, dtype=torch.float64).scatter(1, LABELS[:, None], 0.8)
    each = -(smoothed * LOGITS.log_softmax(dim=1)).sum(dim=1)
    weights = torch.tensor([0.5, 0.5, 0.5, 1.5, 1.5, 1.5], dtype=torch.float64)
    torch.testing.assert_close(loss(LOGITS, LABELS), (weights * each).sum() / weights.sum())


@pytest.mark.parametrize(("classes", "fraction"), [(10, 0.3), (3, 0.5), (2, 1.0)])
def test_disturbed_labels_have_the_papers_statistics(classes: int, fraction: float) -> None:
    count = 200_000
    labels = torch.arange(count) % classes
    disturbed = disturb(labels, fraction, classes, torch.Generator().manual_seed(1))
    stays = (disturbed == labels).double().mean().item()
    assert stays == pytest.approx(1 - (classes - 1) / classes * fraction, abs=0.005)
    others = (disturbed - labels)[disturbed != labels].remainder(classes)
    shares = torch.bincount(others, minlength=classes)[1:] / count
    torch.testing.assert_close(
        shares, torch.full((classes - 1,), fraction / classes), atol=0.003, rtol=0
    )  # evenly to every other class


def test_disturbing_leaves_the_given_labels_alone() -> None:
    labels = torch.arange(1000) % 7
    disturbed = disturb(labels, 0.5, 7, torch.Generator().manual_seed(1))
    assert torch.equal(labels, torch.arange(1000) % 7) and not torch.equal(disturbed, labels)
    assert disturbed.dtype == labels.dtype


def test_nothing_is_disturbed_at_zero() -> None:
    generator = torch.Generator().manual_seed(1)
    before = generator.get_state()
    assert torch.equal(disturb(LABELS, 0.0, 4, generator), LABELS)
    assert torch.equal(generator.get_state(), before)  # nor is anything drawn
