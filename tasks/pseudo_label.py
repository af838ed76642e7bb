"""Stage pseudo_label: the baseline, as teacher, labels the pool; confident labels are accepted.

In: ``pool``, ``baseline``, params ``compute pseudo_label``. Out: ``pseudo_labels``, one row for every
pool row, accepted or not, with the decision, its reason and the teacher's digest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pydantic import Field

from selfsame.core.digests import sha256_file
from selfsame.core.params import Section
from selfsame.core.stage import Stage, run_stage
from selfsame.core.tables import TableWriter, count_rows
from selfsame.learning.params import ComputeParams
from selfsame.observe.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST_ROUND = 1
SCHEMA = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("pseudo_label", pa.int64(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
        pa.field("threshold", pa.float32(), nullable=False),
        pa.field("accepted", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("round", pa.int64(), nullable=False),
        pa.field("teacher", pa.string(), nullable=False),
    ]
)


class PseudoLabelParams(Section):
    """Section ``pseudo_label``: which machine-made labels are good enough to learn from."""

    threshold: float = Field(ge=0, le=1)


PARAMS = {"compute": ComputeParams, "pseudo_label": PseudoLabelParams}


def decide(probabilities: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Label every row with its most probable class and accept confidences at or above the threshold.

    Args:
        probabilities: (N, K) float32.

    Returns:
        (N,) int64 pseudo-labels, (N,) float32 confidences, (N,) bool accepted.
    """
    confidence = probabilities.max(axis=1)
    return probabilities.argmax(axis=1), confidence, confidence >= np.float32(threshold)


def to_rows(ids: pa.Array, probabilities: np.ndarray, threshold: float, teacher: str) -> pa.RecordBatch:
    """Return one batch of decisions."""
    labels, confidence, accepted = decide(probabilities, threshold)
    count = len(ids)
    columns: Iterable[pa.Array] = [
        ids,
        pa.array(labels),
        pa.array(confidence),
        pa.array(np.full(count, threshold, np.float32)),
        pa.array(accepted),
        pa.array(np.where(accepted, "confidence at or above threshold", "confidence below threshold")),
        pa.array(np.full(count, FIRST_ROUND)),
        pa.array(np.full(count, teacher)),
    ]
    return pa.record_batch(list(columns), schema=SCHEMA)


def main(stage: Stage) -> None:
    """Stream the pool through the teacher and write every row's decision."""
    from selfsame.learning.device import prepare_device
    from selfsame.learning.models import WEIGHTS, iter_probabilities, load_model

    threshold = stage.section("pseudo_label", PseudoLabelParams).threshold
    device = prepare_device(stage.section("compute", ComputeParams))
    pool, baseline = stage.inputs["pool"], stage.inputs["baseline"]
    teacher = sha256_file(baseline / WEIGHTS)
    model = load_model(baseline, device)
    with (
        TableWriter(stage.outputs["pseudo_labels"], SCHEMA) as writer,
        progress("pseudo_label", total=count_rows(pool), unit="row") as bar,
    ):
        for batch, probabilities in iter_probabilities(model, pool):
            writer.write(to_rows(batch.column("example_id"), probabilities, threshold, teacher))
            bar.update(advance=batch.num_rows)


if __name__ == "__main__":
    run_stage("pseudo_label", main, PARAMS)
