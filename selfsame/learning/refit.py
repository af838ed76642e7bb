"""Refit: when validation rows have chosen how long to train, a fresh net learns them too.

The protocol of the textbooks: choose on validation, refit on training and validation rows together, report
on rows that neither has seen. What was chosen by is kept (``models.VALIDATED``): the gate and the promotion
judge on validation rows, so they must judge a net that has not learned them.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from selfsame.learning.batches import Examples
from selfsame.learning.loop import Plan, TrainingData, checkpoint_score, train
from selfsame.learning.pool import Pool
from selfsame.learning.resume import Checkpoints, Row
from selfsame.params.training import TrainingParams


def kept_row(history: list[Row], criterion: str) -> Row:
    """Return the row of the epoch whose weights a training has kept; of equals, the first."""
    return max(history, key=lambda row: checkpoint_score(row, criterion))


def refit(
    net: nn.Module,
    data: TrainingData,
    plan: Plan,
    training: TrainingParams,
    epochs: int,
    on_epoch: Callable[[Row], None],
    checkpoints: Checkpoints | None = None,
    in_steps: Callable[[nn.Module], nn.Module] = lambda net: net,
) -> Pool | None:
    """Train a fresh ``net`` on labeled and validation rows together, for ``epochs`` of the plan's.

    Seed and schedule are those of the training that chose ``epochs``: without any validation row the net
    comes out the same, bit for bit. Returns the pool with the record of what this net was taught.
    """
    assert data.validation is not None
    together = Examples(
        torch.cat([data.labeled.inputs, data.validation.inputs]),
        torch.cat([data.labeled.labels, data.validation.labels]),
    )
    _, pool = train(
        net,
        replace(data, labeled=together, validation=None),
        replace(plan, stop_epochs=epochs),
        training.model_copy(update={"checkpoint": "last"}),
        on_epoch,
        checkpoints,
        in_steps,
    )
    return pool
