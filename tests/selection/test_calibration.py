"""Temperature scaling against truth that is known, and reliability against counting by hand."""

import numpy as np
import pytest
from scipy.special import softmax

from selfsame.selection.calibration import BINS, calibrate, fit_temperature, measure_reliability


def teacher(temperature: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """A teacher whose logits are ``temperature`` times what the labels were really drawn from."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (rows, 4))
    truth = softmax(logits, axis=1)
    labels = (truth.cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    return softmax(logits * temperature, axis=1).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_the_teacher_is_found(temperature: float) -> None:
    probabilities, labels = teacher(temperature)
    found = fit_temperature(probabilities, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    right = probabilities.argmax(axis=1) == labels
    before = measure_reliability(probabilities.max(axis=1), right).error
    after = measure_reliability(calibrate(probabilities, found).max(axis=1), right).error
    assert after < 0.02
    if temperature != 1:
        assert before > 3 * after


def test_a_teacher_without_mistakes_on_few_rows_is_not_called_infallible() -> None:
    probabilities = np.full((10, 2), 0.2, np.float32)
    probabilities[:, 0] = 0.8
    confidence = calibrate(probabilities, fit_temperature(probabilities, np.zeros(10, np.int64)))[0, 0]
    assert 0.9 < confidence < 0.999


def test_calibration_keeps_the_class_and_the_sum() -> None:
    probabilities = np.random.default_rng(1).dirichlet((0.2,) * 5, 300).astype(np.float32)
    probabilities[0] = [1, 0, 0, 0, 0]  # underflow
    for temperature in (0.1, 1.0, 9.0):
        calibrated = calibrate(probabilities, temperature)
        assert calibrated.dtype == np.float32
        np.testing.assert_array_equal(calibrated.argmax(axis=1), probabilities.argmax(axis=1))
        np.testing.assert_allclose(calibrated.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(calibrate(probabilities, 1.0), probabilities, atol=1e-6)


def test_reliability_counts_every_row_once() -> None:
    random = np.random.default_rng(2)
    confidence = np.append(random.random(200), [0.0, 1.0]).astype(np.float32)
    right = random.random(202) < 0.7
    reliability = measure_reliability(confidence, right)
    gap = 0.0
    for index in range(BINS):
        rows = [row for row in range(202) if min(int(confidence[row] * BINS), BINS - 1) == index]
        assert reliability.rows[index] == len(rows)
        assert reliability.right[index] == sum(right[row] for row in rows)
        gap += abs(sum(float(confidence[row]) for row in rows) - reliability.right[index])
    assert reliability.error == pytest.approx(gap / 202)


def test_reliability_of_nothing() -> None:
    assert measure_reliability(np.empty(0, np.float32), np.empty(0, bool)).error == 0
