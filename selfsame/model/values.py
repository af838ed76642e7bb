"""Regression: what one model or several predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from selfsame.model.models import Model, iter_outputs


@dataclass(frozen=True)
class ValuePredictions:
    """What M models say of a whole table, in the table's order and in the labels' own unit.

    Attributes:
        labels: (N,) float64 true values, NaN where the table has none.
        values: (M, N) float64.
    """

    labels: np.ndarray
    values: np.ndarray


def iter_values(models: Sequence[Model], table: Path) -> Iterator[tuple[pa.RecordBatch, np.ndarray]]:
    """Yield every batch of a table with each model's values: (M, N) float64."""
    for batches in zip(*(iter_outputs(model, table) for model in models), strict=True):
        values = [
            model.scaling.restored(outputs[:, 0]).cpu().numpy()
            for model, (_, outputs) in zip(models, batches, strict=True)
        ]
        yield batches[0][0], np.stack(values)


def predict_values(models: Sequence[Model], table: Path) -> ValuePredictions:
    """Predict a whole table that fits in memory."""
    labels, values = [np.empty(0)], [np.empty((len(models), 0))]
    for batch, made in iter_values(models, table):
        labels.append(batch.column("label").to_numpy(zero_copy_only=False))
        values.append(made)
    return ValuePredictions(np.concatenate(labels), np.concatenate(values, axis=1))
