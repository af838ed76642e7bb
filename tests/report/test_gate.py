"""The gate's figures against plain counting."""

from collections.abc import Callable

import numpy as np
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.report.gate import THRESHOLDS, Gate
from selfsame.report.scores import Share

WriteGate = Callable[..., Gate]


def test_random_pool_agrees_with_counting_by_hand(write_gate: WriteGate) -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, 500).tolist()
    confidence = np.round(random.uniform(0.3, 1, 500), 2).tolist()  # many rows at a threshold exactly
    hidden = {row: int(random.integers(0, 3)) for row in range(500) if random.random() < 0.6}
    gate = write_gate(labels, confidence, hidden, threshold=0.8, batch_rows=37)

    accepted = [row for row in range(500) if np.float32(confidence[row]) >= np.float32(0.8)]
    known = [row for row in accepted if row in hidden]
    right = [row for row in known if hidden[row] == labels[row]]
    assert gate.coverage == Share(len(accepted), 500)
    assert gate.precision == Share(len(right), len(known))
    assert gate.accepted_per_class.tolist() == [
        sum(labels[row] == index for row in accepted) for index in range(3)
    ]
    assert gate.right_per_class.tolist() == [sum(labels[row] == index for row in right) for index in range(3)]
    for index, threshold in enumerate(THRESHOLDS):
        kept = [row for row in range(500) if np.float32(confidence[row]) >= threshold]
        known = [row for row in kept if row in hidden]
        assert gate.coverage_at(index) == Share(len(kept), 500)
        assert gate.precision_at(index) == Share(sum(hidden[row] == labels[row] for row in known), len(known))


def test_nothing_accepted(write_gate: WriteGate) -> None:
    gate = write_gate([0, 1], [0.5, 0.6], {0: 0, 1: 1})
    assert (gate.coverage, gate.precision.value) == (Share(0, 2), None)


def test_no_hidden_labels(write_gate: WriteGate) -> None:
    gate = write_gate([0, 1], [0.95, 0.6], {})
    assert (gate.coverage, gate.precision) == (Share(1, 2), Share(0, 0))


def test_an_empty_pool(write_gate: WriteGate) -> None:
    gate = write_gate([], [], {})
    assert (gate.coverage, gate.threshold, gate.teachers) == (Share(0, 0), None, ())


def test_hidden_labels_of_another_pool_are_refused(write_gate: WriteGate) -> None:
    with pytest.raises(SelfsameError, match="not those of"):
        write_gate([0, 1, 2], [0.9, 0.9, 0.9], {2: 0, 0: 1})
