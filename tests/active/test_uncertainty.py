"""Uncertainty: the larger, the more uncertain, whatever the measure."""

import numpy as np
import pytest
import torch
from torch import nn

from selfsame.active.uncertainty import (
    bald,
    dropout_masks,
    dropout_samples,
    entropy,
    least_confidence,
    margin,
    softmax,
)

CERTAIN, DOUBTFUL, LOST = [0.98, 0.01, 0.01], [0.5, 0.45, 0.05], [1 / 3, 1 / 3, 1 / 3]


@pytest.mark.parametrize("measure", [least_confidence, margin, entropy])
def test_the_less_certain_has_the_larger_score(measure: object) -> None:
    assert callable(measure)
    scores = measure(np.array([CERTAIN, LOST, DOUBTFUL]))
    assert scores[0] < scores[2] < scores[1]


def test_the_measures_are_their_formulas() -> None:
    rows = np.array([[0.2, 0.7, 0.1], [1.0, 0.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(least_confidence(rows), [0.3, 0], atol=1e-6)
    np.testing.assert_allclose(margin(rows), [0.5, 0], atol=1e-6)
    expected = -(0.2 * np.log(0.2) + 0.7 * np.log(0.7) + 0.1 * np.log(0.1))
    np.testing.assert_allclose(entropy(rows), [expected, 0], atol=1e-6)


def test_bald_is_what_the_samples_disagree_about() -> None:
    one, other = np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.1, 0.9], [0.5, 0.5]])
    scores = bald([one, other])
    assert scores[1] == pytest.approx(0)  # however uncertain, all samples say the same
    assert scores[0] == pytest.approx(np.log(2) - entropy(one)[0])


def test_dropout_samples_are_those_of_the_net() -> None:
    torch.manual_seed(0)
    layer, rate, draws = nn.Linear(12, 3), 0.4, 4000
    layer.weight.data *= 5
    features = torch.rand(5, 12)
    weights, biases = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    masks = dropout_masks(draws, 12, rate, seed=3)
    made = np.mean(list(dropout_samples(features.numpy(), masks, weights, biases)), axis=0)
    with torch.no_grad():
        net = nn.Sequential(nn.Dropout(rate), layer, nn.Softmax(dim=1)).train()
        expected = net(features.expand(draws, 5, 12).reshape(-1, 12)).reshape(draws, 5, 3).mean(dim=0).numpy()
    np.testing.assert_allclose(made, expected, atol=0.02)
    assert np.abs(made - softmax(features.numpy() @ weights.T + biases)).max() > 0.06
    np.testing.assert_array_equal(masks, dropout_masks(draws, 12, rate, seed=3))
