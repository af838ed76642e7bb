"""The gate's figures against plain counting."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made import VALUES, class_findings, class_gate, class_record, target, value_gate

from selfsame.core import space
from selfsame.core.errors import SelfsameError
from selfsame.report import gallery
from selfsame.report.class_page import class_rows
from selfsame.report.classes import THRESHOLDS
from selfsame.report.findings import metrics
from selfsame.report.gate import Gate
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share

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
    assert gate.of_accepted.right == Share(len(right), len(known))
    by_class = class_rows(target(), class_findings(gate))
    for index, row in enumerate(by_class):
        assert row.of_accepted == Share(sum(labels[each] == index for each in accepted), len(accepted))
        assert row.precision.part == sum(labels[each] == index for each in right)
    assert [each.level for each in gate.explored] == THRESHOLDS.tolist()
    for threshold, found in zip(THRESHOLDS, gate.explored, strict=True):
        kept = [row for row in range(500) if np.float32(confidence[row]) >= threshold]
        known = [row for row in kept if row in hidden]
        assert found.coverage == Share(len(kept), 500)
        assert found.right == Share(sum(hidden[row] == labels[row] for row in known), len(known))
        if kept:
            assert found.expected == pytest.approx(np.mean([confidence[row] / 2 for row in kept]))
        assert gate.at(float(threshold)).coverage == found.coverage


def figures(gate: Gate) -> tuple[object, ...]:
    own = VALUES if gate.errors is not None else target()
    sides = [each.examples for each in gallery.gate_galleries(own, gate, Path("pool"))]
    by_class = None if gate.errors is not None else gate.by_class.tolist()
    return gate.explored, gate.of_accepted, gate.of_rejected, gate.at(0.6), gate.coverage, sides, by_class


def test_a_pool_in_a_file_has_the_same_figures_to_the_bit(
    write_gate: WriteGate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    random = np.random.default_rng(2)
    confidence = np.round(random.uniform(0.3, 1, 700), 2)
    hidden = {row: int(random.integers(0, 3)) for row in range(0, 700, 2)}
    own = (random.integers(0, 3, 700).tolist(), confidence.tolist(), hidden)
    error = np.where(np.arange(20) % 3, random.normal(0, 7, 20), np.nan)
    monkeypatch.setattr(gallery, "examples", lambda _, *columns: [each.tolist() for each in columns])
    whole = [figures(gate) for gate in (class_gate(*own, threshold=0.8), value_gate(error))]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(space, "SMALL", 16)
    monkeypatch.setattr(space, "PIECE", 7)
    mapped = write_gate(*own, threshold=0.8, batch_rows=37)
    rows = (mapped.labels, mapped.trust, mapped.accepted, mapped.truth, mapped.right, mapped.calibrated)
    assert all(isinstance(each, np.memmap) for each in rows)
    assert repr([figures(mapped), figures(value_gate(error))]) == repr(whole)


def test_nothing_accepted(write_gate: WriteGate) -> None:
    gate = write_gate([0, 1], [0.5, 0.6], {0: 0, 1: 1})
    assert (gate.coverage, gate.of_accepted.right.value) == (Share(0, 2), None)


def test_no_hidden_labels(write_gate: WriteGate) -> None:
    gate = write_gate([0, 1], [0.95, 0.6], {})
    assert (gate.coverage, gate.of_accepted.right) == (Share(1, 2), Share(0, 0))


def test_an_empty_pool(write_gate: WriteGate) -> None:
    gate = write_gate([], [], {})
    assert (gate.coverage, gate.of_accepted.expected) == (Share(0, 0), None)
    assert metrics(class_findings(gate))["pool"]["prior_divergence"] is None


def test_the_record_travels_with_the_table(write_gate: WriteGate) -> None:
    told = {"thresholds": (None, 0.9, 0.8), "guarantee": (0.9, 0.95), "guaranteed": ((0.8, 0.5), (0.9, None))}
    gate = write_gate([0, 1, 0], [0.99, 0.95, 0.5], {}, **told)
    assert gate.record == class_record(0.9, 3, **told)
    assert gate.level == 0.8
    assert gate.of_accepted.expected == pytest.approx((0.99 + 0.95) / 4)
    assert metrics(class_findings(gate))["pool"]["prior_divergence"] == pytest.approx(1 / 3, abs=1e-6)


def test_a_table_without_a_record_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"example_id": ["a"]}), tmp_path / "plain.parquet")
    with pytest.raises(SelfsameError, match="not a table of pseudo-labels"):
        GateRecord.of(tmp_path / "plain.parquet")


def test_hidden_labels_of_another_pool_are_refused(write_gate: WriteGate) -> None:
    with pytest.raises(SelfsameError, match="not those of"):
        write_gate([0, 1, 2], [0.9, 0.9, 0.9], {2: 0, 0: 1})
