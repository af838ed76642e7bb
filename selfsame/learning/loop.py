"""The training loop: it knows batches, steps and checkpoints, but no method."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from selfsame.core.errors import SelfsameError
from selfsame.learning.augment import augment
from selfsame.learning.inputs import Examples, Scaling, endless_batches, prepare
from selfsame.learning.methods import Method, PoolBatch, losses
from selfsame.learning.nets import detached_state
from selfsame.learning.objective import Objective, build_objective
from selfsame.learning.optimize import MovingAverage, build_optimizer, learning_rate
from selfsame.learning.params import AugmentationParams, TrainingParams

Row = dict[str, float]
EVALUATION_ROWS = 4096


@dataclass(frozen=True)
class TrainingData:
    """What a training sees; ``pool`` holds the rows that the method learns from, with their labels."""

    labeled: Examples
    validation: Examples
    pool: Examples | None
    scaling: Scaling
    classes: int  # 0 for a regression, whose labels are standardised float32


@dataclass(frozen=True)
class Plan:
    """How one training goes.

    Attributes:
        max_epochs: passes over the labeled rows, at most.
        patience_epochs: epochs without a better checkpoint after which it stops.
        pool_batch_size: pool rows in a step.
        strong: the strong view of pool rows, for methods that want one.
    """

    method: Method
    seed: int
    max_epochs: int
    patience_epochs: int
    pool_batch_size: int = 1
    strong: AugmentationParams | None = None


def train(
    net: nn.Module,
    data: TrainingData,
    plan: Plan,
    training: TrainingParams,
    on_epoch: Callable[[Row], None],
) -> list[Row]:
    """Train ``net`` in place and leave it with the weights of its best checkpoint.

    With ``ema_decay`` the checkpoints are those of the moving average.

    Args:
        on_epoch: told each epoch's row of the history as soon as it is known.

    Returns:
        One row per epoch: epoch, learning_rate, the step's losses (means over the epoch), validation_loss
        and validation_accuracy, or for a regression validation_r2.

    Raises:
        SelfsameError: the loss is no longer a finite number.
    """
    torch.manual_seed(plan.seed)  # dropout
    steps_per_epoch = math.ceil(len(data.labeled) / training.batch_size)
    optimizer = build_optimizer(net, training)
    average = MovingAverage(net, training.ema_decay)
    objective = build_objective(training, data.labeled.labels, data.classes)
    # Labeled rows and the pool draw from random streams of their own, so that neither moves the other.
    labeled_batches = _labeled_batches(
        data, objective, training, torch.Generator().manual_seed(2 * plan.seed)
    )
    pool_batches = _pool_batches(data, plan, training, torch.Generator().manual_seed(2 * plan.seed + 1))
    history: list[Row] = []
    best = Best(training.checkpoint, average.net)
    for epoch in range(plan.max_epochs):
        net.train()
        sums: Row = {}
        for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            rate = learning_rate(training, (step + 0.5) / (plan.max_epochs * steps_per_epoch), epoch)
            optimizer.param_groups[0]["lr"] = rate
            uses_pool = pool_batches is not None and plan.method.ramp_up.at(epoch) > 0
            pool = next(pool_batches) if uses_pool else None
            made = losses(plan.method, net, average.net, next(labeled_batches), pool, objective.loss, epoch)
            optimizer.zero_grad(set_to_none=True)
            made["training_loss"].backward()
            if training.gradient_clip_norm is not None:
                nn.utils.clip_grad_norm_(net.parameters(), training.gradient_clip_norm)
            optimizer.step()
            average.update()
            for name, value in made.items():
                sums[name] = sums.get(name, 0.0) + value.item()
        row = {
            "epoch": epoch + 1,
            "learning_rate": rate,
            **{name: total / steps_per_epoch for name, total in sums.items()},
            **validate(average.net, data.validation, data.scaling, objective),
        }
        history.append(row)
        on_epoch(row)
        for name in ("training_loss", "validation_loss"):
            if not math.isfinite(row[name]):
                raise SelfsameError(
                    f"the {name.replace('_', ' ')} became {row[name]} in epoch {epoch + 1}",
                    "lower training.learning_rate",
                )
        best.offer(row)
        if row["epoch"] - best.epoch >= plan.patience_epochs:
            break
    net.load_state_dict(best.state)
    return _with_all_columns(history)


class Best:
    """The best checkpoint so far by ``training.checkpoint``; of equals, the first."""

    def __init__(self, criterion: str, net: nn.Module) -> None:
        self._criterion, self._net = criterion, net
        self._score = -math.inf
        self.epoch, self.state = 0, detached_state(net)

    def offer(self, row: Row) -> None:
        """Keep the net's present weights if this epoch is better."""
        column = "epoch" if self._criterion == "last" else self._criterion
        score = -row[column] if column == "validation_loss" else row[column]
        if score > self._score:
            self._score, self.epoch, self.state = score, int(row["epoch"]), detached_state(self._net)


@torch.inference_mode()
def validate(net: nn.Module, examples: Examples, scaling: Scaling, objective: Objective) -> Row:
    """Return what the objective measures on validation rows."""
    net.eval()
    parts = torch.arange(len(examples), device=examples.labels.device).split(EVALUATION_ROWS)
    outputs = torch.cat([net(prepare(examples.inputs[rows], scaling)) for rows in parts])
    return objective.measure(outputs, examples.labels)


def _labeled_batches(
    data: TrainingData, objective: Objective, training: TrainingParams, generator: torch.Generator
) -> Iterator[Examples]:
    balanced = training.class_sampling == "balanced"
    for batch in endless_batches(data.labeled, training.batch_size, generator, balanced):
        inputs = augment(prepare(batch.inputs, data.scaling), training.augmentation, generator)
        labels = objective.disturb(batch.labels, generator)
        yield Examples(inputs, labels)


def _pool_batches(
    data: TrainingData, plan: Plan, training: TrainingParams, generator: torch.Generator
) -> Iterator[PoolBatch] | None:
    if data.pool is None or not len(data.pool):
        return None

    def batches(pool: Examples) -> Iterator[PoolBatch]:
        for batch in endless_batches(pool, plan.pool_batch_size, generator):
            inputs = prepare(batch.inputs, data.scaling)
            weak = augment(inputs, training.augmentation, generator)
            strong = None
            if plan.method.wants_strong_view:
                assert plan.strong is not None
                strong = augment(inputs, plan.strong, generator)
            yield PoolBatch(weak, strong, batch.labels)

    return batches(data.pool)


def _with_all_columns(history: list[Row]) -> list[Row]:
    """Give every row the same columns: a pool loss is NaN in epochs that saw no pool."""
    columns = dict.fromkeys(name for row in history for name in row)
    return [{name: row.get(name, math.nan) for name in columns} for row in history]
