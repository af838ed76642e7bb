"""Findings made of small arrays, without any model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pages import CHROMIUM, Browse, open_in_browser

from selfsame.core.tables import TableInfo, TableWriter
from selfsame.report.findings import Findings, ModelFindings, ReferenceFindings
from selfsame.report.gallery import Example, Gallery
from selfsame.report.gate import Gate, measure_gate
from selfsame.report.promotion import promote_classifier
from selfsame.report.scores import Scores, score, score_labels
from selfsame.report.watches import Drift, Watches
from selfsame.selection.calibration import measure_reliability
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share

CLASSES = ("cat", "dog", "emu")
LABELS = np.arange(60) % 3


def predictions(wrong: int) -> np.ndarray:
    """(60, 3) probabilities, of which the first ``wrong`` rows name the next class."""
    probabilities = np.full((60, 3), 0.05, dtype=np.float32)
    probabilities[np.arange(60), (LABELS + (np.arange(60) < wrong)) % 3] = 0.9
    return probabilities


def scores(wrong: int) -> Scores:
    return score(LABELS, predictions(wrong), CLASSES)


@pytest.fixture
def write_gate(tmp_path: Path) -> Callable[..., Gate]:
    """Write pseudo-labels and hidden labels as their stages do, and measure them."""

    def write(
        labels: list[int],
        confidence: list[float],
        hidden: dict[int, int],
        threshold: float = 0.9,
        batch_rows: int = 2,
        classes: int = len(CLASSES),
        **changes: Any,
    ) -> Gate:
        ids = [f"{row:032x}" for row in range(len(labels))]
        scored = np.array(confidence, dtype=np.float32)
        right = np.ones(20, dtype=bool)
        record = GateRecord(
            rule="threshold",
            thresholds=(float(np.float32(threshold)),) * classes,
            promise=None,
            verdict="The threshold is a fixed one.",
            judged_on="validation",
            judged_rows=20,
            temperature=1.5,
            before=measure_reliability(np.full(20, 0.95), right),
            after=measure_reliability(np.full(20, 0.99), right),
            balance="none",
            prior=(1 / classes,) * classes,
        )
        record = replace(record, **changes)
        pseudo = pa.table(
            {
                "example_id": ids,
                "pseudo_label": pa.array(labels, pa.int64()),
                "confidence": pa.array(scored),
                "calibrated_confidence": pa.array(scored / 2),
                "threshold": pa.array(np.full(len(ids), threshold, np.float32)),
                "accepted": pa.array(scored >= np.float32(threshold)),
                "teacher": pa.array(["ab" * 32] * len(ids), pa.string()),
            }
        )
        pseudo = pseudo.cast(record.attach(pseudo.schema))
        truth = pa.table(
            {
                "example_id": pa.array([ids[row] for row in hidden], pa.string()),
                "label": pa.array(hidden.values(), pa.int64()),
            }
        )
        for name, table in (("pseudo_labels", pseudo), ("hidden_labels.parquet", truth)):
            with TableWriter(tmp_path / name, table.schema) as writer:
                for batch in table.to_batches(max_chunksize=batch_rows):
                    writer.write(batch)
        return measure_gate(tmp_path / "pseudo_labels", tmp_path / "hidden_labels.parquet", classes)

    return write


@pytest.fixture
def make_findings(write_gate: Callable[..., Gate]) -> Callable[..., Findings]:
    """Build findings from how many of 60 rows each model gets wrong; any field can be replaced."""

    def make(
        baseline_wrong: int = 20,
        student_wrong: int = 6,
        reference_wrong: int = 15,
        promotion_level: float = 0.05,
        classes: tuple[str, ...] = CLASSES,
        **fields: Any,
    ) -> Findings:
        models = {
            name: ModelFindings(
                name,
                validation=score(LABELS, predictions(wrong), classes),
                holdout=score(LABELS, predictions(wrong), classes),
                history={
                    "epoch": np.arange(1.0, 6),
                    "training_loss": np.array([2, 1, 0.5, 0.2, 0.1]),
                    "validation_loss": np.array([2, 1, 0.7, 0.6, 0.8]),
                    "validation_accuracy": np.array([0.3, 0.5, 0.7, 0.8, 0.8]),
                },
            )
            for name, wrong in (("baseline", baseline_wrong), ("student", student_wrong))
        }
        simple = score_labels(LABELS, predictions(reference_wrong).argmax(axis=1), classes)
        values: dict[str, Any] = {
            "reference": ReferenceFindings("logistic regression", 28, validation=simple, holdout=simple),
            "title": "Animals",
            "info": TableInfo("zoo", "classification", classes, features=("weight",)),
            "labeled_per_class": np.array([5, 5, 4]),
            "asked": {},
            "refitted": False,
            "method": "offline",
            "settings": {
                "models/student": {"model.widths": [32, 64]},
                "models/champion": {"evaluate.title": "Animals"},
            },
            "digests": {"data/splits/holdout.parquet": "cd" * 32, "models/student/config.json": "ef" * 32},
            **models,
            **fields,
        }
        values.setdefault(
            "promotion",
            promote_classifier(
                LABELS, predictions(baseline_wrong), predictions(student_wrong), promotion_level
            ),
        )
        values.setdefault(
            "watches",
            Watches(Share(1, 100), Share(2, 100), Share(0, 80), Drift(0.5, Share(0, 1))),
        )
        values.setdefault(
            "galleries",
            (
                Gallery("Accepted", (Example("ab12", np.array([1.25]), 0, 0.91, 1),)),
                Gallery("Rejected", (Example("cd34", np.array([2.5]), 2, 0.42, None),)),
                Gallery("Mistakes", ()),
            ),
        )
        if "gate" not in values:
            values["gate"] = write_gate(
                [0, 1, 2, 1, 0], [0.99, 0.95, 0.9, 0.7, 0.96], {0: 0, 1: 1, 2: 0, 3: 1, 4: 0}
            )
        return Findings(**values)

    return make


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Open a page in Chromium, offline; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    return lambda html: open_in_browser(html, tmp_path)
