"""The rounds of machine-made labels, counted from the record that a training leaves."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from made import class_findings, target, value_findings

from selfsame.core.layout import LEARNED_KEY
from selfsame.core.table_writer import TableWriter
from selfsame.report.findings import metrics
from selfsame.report.learned import LearnedRound, read_learned
from selfsame.report.model_card import render_card
from selfsame.report.report_page import render_report
from selfsame.stats.share import Share


def write(path: Path, labels: list[list[int | None]], uses: list[list[int]]) -> Path:
    rounds = [{"first_epoch": 1, "teacher": "ab"}, {"first_epoch": 5, "teacher": None}]
    columns = {
        "example_id": pa.array([f"{row:032x}" for row in range(len(labels))]),
        "labels": pa.array(labels, pa.list_(pa.int64())),
        "uses": pa.array(uses, pa.list_(pa.int64())),
    }
    rows = pa.record_batch(columns)
    schema = rows.schema.with_metadata({LEARNED_KEY: json.dumps({"method": "x", "rounds": rounds})})
    with TableWriter(path, schema) as writer:
        writer.write(rows.cast(schema))
    return path


def test_rounds_are_counted_by_hand(tmp_path: Path) -> None:
    labels = [[0, 1], [1, 1], [None, 2], [2, None]]
    uses = [[3, 1], [0, 4], [0, 2], [1, 0]]
    path = write(tmp_path / "learned.parquet", labels, uses)
    truth = np.array([1, 1, np.nan, 2])
    found = read_learned(path, truth, lambda one, other: target().differ(one, other, None))
    assert found == (
        LearnedRound(1, "ab", taught=3, used=2, changed=0, right=Share(1, 2)),
        LearnedRound(5, None, taught=3, used=3, changed=1, right=Share(2, 2)),
    )


def test_without_a_record_there_are_none(tmp_path: Path) -> None:
    assert read_learned(tmp_path / "learned.parquet", np.empty(0), np.not_equal) == ()


def test_report_card_and_metrics_tell_of_them() -> None:
    findings = class_findings()
    html = render_report(findings)
    assert "2 rounds of pseudo-labels, 7\n" in html and "<code>abababababab</code>" in html
    assert "in the last, 3 pool rows, 100.0" in render_card(findings)
    learned = metrics(findings)["learned"]
    assert learned == {
        "rounds": 2, "labels_used": 7, "rows_in_last_round": 3, "right_in_last_round": pytest.approx(1.0)
    }  # fmt: skip
    assert "No machine-made label: the labeled rows alone." in render_report(value_findings())
