"""A gate written as its stages do, and a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from made import CLASSES, class_record, target
from pages import Browse, open_in_browser

from selfsame.core.table_writer import TableWriter
from selfsame.report.gate import Gate


@pytest.fixture
def write_gate(tmp_path: Path) -> Callable[..., Gate]:
    """Write pseudo-labels and hidden labels as their stages do, and measure them."""

    def write(
        labels: list[int],
        confidence: list[float],
        hidden: dict[int, int],
        threshold: float = 0.9,
        batch_rows: int = 2,
        **changes: Any,
    ) -> Gate:
        ids = [f"{row:032x}" for row in range(len(labels))]
        scored = np.array(confidence, dtype=np.float32)
        pseudo = pa.table(
            {
                "example_id": ids,
                "pseudo_label": pa.array(labels, pa.int64()),
                "confidence": pa.array(scored),
                "calibrated_confidence": pa.array(scored / 2),
                "accepted": pa.array(scored >= np.float32(threshold)),
            }
        )
        pseudo = pseudo.cast(class_record(threshold, len(CLASSES), **changes).attach(pseudo.schema))
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
        return target().gate(tmp_path / "pseudo_labels", tmp_path / "hidden_labels.parquet")

    return write


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    """Open a page in Chromium, offline; the test is skipped where there is none."""
    return lambda html: open_in_browser(html, tmp_path)
