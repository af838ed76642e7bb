"""Regression: what is learned of the pool's values, and what one model or several predict."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.methods import Memory, PoolBatch, RampUp, Step, together
from selfsame.learning.models import Model, iter_outputs


@dataclass(frozen=True)
class OfflineValues:
    """Squared error on pseudo-targets that were made and accepted once, before this training.

    ``Offline`` (Lee, "Pseudo-Label", ICML workshop 2013) with values in place of classes.
    """

    ramp_up: RampUp
    pool_rows: Literal["accepted"] = "accepted"
    wants_strong_view = False

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: Memory
    ) -> Step:
        """Learn the accepted values as if they were given."""
        outputs, pool_outputs = together(net, labeled, pool.weak)
        loss = functional.mse_loss(pool_outputs[:, 0], pool.labels)
        return Step(outputs, loss, pool_outputs.new_ones(()))


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
