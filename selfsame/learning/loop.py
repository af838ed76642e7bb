"""The training loop: it knows batches, steps and checkpoints, but no method."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import torch
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS
from selfsame.learning.batches import EndlessBatches, Examples, PoolExamples, balanced
from selfsame.learning.methods import Method, losses
from selfsame.learning.objective import Objective, build_objective
from selfsame.learning.optimize import MovingAverage, build_optimizer, learning_rate
from selfsame.learning.pool import Pool
from selfsame.learning.resume import Checkpoints, Moving, MovingNet, MovingOptimizer, MovingRandom, Row
from selfsame.model.augment import augment
from selfsame.model.inputs import Scaling, in_batches, prepare
from selfsame.model.nets import detached_state, for_prediction
from selfsame.params.augmentation import AugmentationParams
from selfsame.params.training import TrainingParams

_STANDING = "/standing"  # no parameter is named so


@dataclass(frozen=True)
class TrainingData:
    """What a training sees; ``pool`` holds the rows that the method learns from, with their labels.

    Without validation rows nothing is measured between epochs, and the checkpoint must be the last one.
    """

    labeled: Examples
    validation: Examples | None
    pool: PoolExamples | None
    scaling: Scaling
    classes: int  # 0 for a regression, whose labels are standardised float32

    def to(self, device: torch.device) -> Self:
        """Return the same rows on another device."""
        validation = None if self.validation is None else self.validation.to(device)
        pool = None if self.pool is None else self.pool.to(device)
        return replace(self, labeled=self.labeled.to(device), validation=validation, pool=pool)


@dataclass(frozen=True)
class Plan:
    """How one training goes.

    Attributes:
        max_epochs: passes over the labeled rows, at most.
        patience_epochs: epochs without a better checkpoint after which it stops; None for never.
        pool_batch_size: pool rows in a step.
        strong: the strong view of pool rows, for methods that want one.
        stop_epochs: stop after so many of ``max_epochs``, by which the schedules still go; None for all.
    """

    method: Method
    seed: int
    max_epochs: int
    patience_epochs: int | None
    pool_batch_size: int = 1
    strong: AugmentationParams | None = None
    stop_epochs: int | None = None


def train(
    net: nn.Module,
    data: TrainingData,
    plan: Plan,
    training: TrainingParams,
    on_epoch: Callable[[Row], None],
    checkpoints: Checkpoints | None = None,
    in_steps: Callable[[nn.Module], nn.Module] = lambda net: net,
) -> tuple[list[Row], Pool | None]:
    """Train ``net`` in place and leave it with the weights of its best checkpoint.

    With ``ema_decay`` the checkpoints are those of the moving average.

    Args:
        on_epoch: told each row of the history as soon as it is known.
        checkpoints: where to go on after a kill; None for a training that nobody will take up.
        in_steps: makes of a net the one that the steps call, with the same weights (``steps.StepNet``).

    Returns:
        One row for every ``training.validate_every_epochs`` epochs: epoch, learning_rate, the steps' losses
        (means over those epochs), validation_loss and validation_accuracy, or for a regression
        validation_r2. And the pool with the record of what was taught; None where no method learns from one.

    Raises:
        SelfsameError: the loss is no longer a finite number.
    """
    torch.manual_seed(plan.seed)  # dropout
    steps_per_epoch = math.ceil(len(data.labeled) / training.batch_size)
    optimizer = build_optimizer(net, training)
    average = MovingAverage(net, training.ema_decay)
    objective = build_objective(training, data.labeled.labels, data.classes)
    # Labeled rows and the pool draw from random streams of their own, so that neither moves the other.
    labeled = EndlessBatches(
        torch.arange(len(data.labeled)),
        training.batch_size,
        torch.Generator().manual_seed(2 * plan.seed),
        balanced(data.labeled.labels) if training.class_sampling == "balanced" else None,
    )
    best = Best(training.checkpoint, average.net)
    moving: dict[str, Moving] = {
        "net": MovingNet(net),
        "optimizer": MovingOptimizer(optimizer),
        "random": MovingRandom(),
        "average": average,
        "best": best,
        "labeled": labeled,
    }
    pool: Pool | None = None
    pool_limits: AugmentationParams = training.augmentation
    if data.pool is not None and len(data.pool) and plan.method.pool_rows != "none":
        stream = torch.Generator().manual_seed(2 * plan.seed + 1)
        pool = moving["pool"] = Pool(data.pool, plan.method, plan.pool_batch_size, stream)
        if plan.method.strong_view:
            assert plan.strong is not None
            pool_limits = plan.strong
    history = checkpoints.restore(moving) if checkpoints is not None else []
    for row in history:
        on_epoch(row)
    step_net = in_steps(net)
    epochs = plan.stop_epochs or plan.max_epochs
    sums: dict[str, Tensor] = {}
    steps: Counter[str] = Counter()  # behind each sum
    for epoch in range(int(history[-1]["epoch"]) if history else 0, epochs):
        weight = plan.method.ramp_up.at(epoch)
        if pool is not None and weight:
            # The teacher sees each row in an ordinary view, drawn anew: what it is wrong about once need not
            # stay wrong. On MNIST with 100 labels worth half a point against the rows as they are.
            weak = training.augmentation
            view = partial(_changed, scaling=data.scaling, limits=weak, stream=pool.batches)
            pool.relabel_if_due(epoch, steps_per_epoch, average.net, partial(predicted, average.net, view))
        net.train()
        for step in range(epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch):
            rate = learning_rate(training, (step + 0.5) / (plan.max_epochs * steps_per_epoch), epoch)
            optimizer.param_groups[0]["lr"] = rate
            batch = data.labeled[next(labeled)]
            inputs = _changed(batch.inputs, data.scaling, training.augmentation, labeled)
            batch = Examples(inputs, objective.disturb(batch.labels, labeled.generator))
            rows, unlabeled = None, None
            if pool is not None and weight and len(pool):
                rows, drawn = pool.draw(epoch)
                inputs = _changed(drawn.inputs, data.scaling, pool_limits, pool.batches)
                unlabeled = Examples(inputs, drawn.labels)
            made, taught = losses(plan.method, objective, step_net, batch, unlabeled, epoch)
            optimizer.zero_grad(set_to_none=True)
            made["training_loss"].backward()
            if training.gradient_clip_norm is not None:
                nn.utils.clip_grad_norm_(net.parameters(), training.gradient_clip_norm)
            optimizer.step()
            average.update()
            if pool is not None and rows is not None and taught is not None:
                pool.note(rows, taught)
            for name, value in made.items():  # doubles on the device: one transfer a row
                sums[name] = sums.get(name, 0.0) + value.detach().double()
            steps.update(made.keys())
        if (epoch + 1) % training.validate_every_epochs and epoch + 1 < epochs:
            continue
        totals = torch.stack(list(sums.values())).tolist()
        means = {name: total / steps[name] for name, total in zip(sums, totals, strict=True)}
        sums.clear()
        steps.clear()
        if "pool_loss" in means and pool is not None:
            means["pool_taught"] = pool.share_taught
        row = {
            "epoch": epoch + 1,
            "learning_rate": rate,
            **means,
            **_validated(average.net, data, objective),
        }
        history.append(row)
        on_epoch(row)
        for name in ("training_loss", "validation_loss"):
            if not math.isfinite(row.get(name, 0.0)):
                raise SelfsameError(
                    f"the {name.replace('_', ' ')} became {row[name]} in epoch {epoch + 1}",
                    "lower training.learning_rate",
                )
        best.offer(row)
        if plan.patience_epochs is not None and row["epoch"] - best.epoch >= plan.patience_epochs:
            break
        if checkpoints is not None:
            checkpoints.offer(moving, history, done=epoch + 1 == epochs)
    net.load_state_dict(best.weights)
    return _with_all_columns(history), pool


class Best:
    """The best checkpoint so far by ``training.checkpoint``; of equals, the first."""

    def __init__(self, criterion: str, net: nn.Module) -> None:
        self._criterion, self._net = criterion, net
        self._score = -math.inf
        self.epoch, self.weights = 0, detached_state(net)

    def offer(self, row: Row) -> None:
        """Keep the net's present weights if this epoch is better."""
        score = checkpoint_score(row, self._criterion)
        if score > self._score:
            self._score, self.epoch, self.weights = score, int(row["epoch"]), detached_state(self._net)

    def state(self) -> dict[str, Tensor]:
        """Return the checkpoint with its score and epoch, to go on from there another time."""
        standing = torch.tensor([self._score, self.epoch], dtype=torch.float64)
        return {**self.weights, _STANDING: standing}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._score, self.epoch = state[_STANDING][0].item(), int(state[_STANDING][1])
        for name, value in self.weights.items():
            value.copy_(state[name])


def checkpoint_score(row: Row, criterion: str) -> float:
    """Return how good an epoch is by ``training.checkpoint``: more is better."""
    column = "epoch" if criterion == "last" else criterion
    return -row[column] if column == "validation_loss" else row[column]


def _validated(net: nn.Module, data: TrainingData, objective: Objective) -> Row:
    return {} if data.validation is None else validate(net, data.validation, data.scaling, objective)


def validate(net: nn.Module, examples: Examples, scaling: Scaling, objective: Objective) -> Row:
    """Return what the objective measures on validation rows."""
    outputs = predicted(net, partial(prepare, scaling=scaling), examples.inputs)
    return objective.measure(outputs, examples.labels)


def predicted(net: nn.Module, view: Callable[[Tensor], Tensor], raw: Tensor) -> Tensor:
    """Return the outputs (N, K) of a view of raw rows, without dropout; the net's mode stays."""
    training = net.training
    # Merging layers pays on a CPU; a GPU has predicted a few hundred rows before the layers are merged.
    merged = torch.inference_mode()(net.eval() if raw.is_cuda else for_prediction(net))
    made = [in_batches(merged, view(rows), raw.device) for rows in raw.split(BATCH_ROWS)]
    net.train(training)
    return torch.cat(made)


def _changed(raw: Tensor, scaling: Scaling, limits: AugmentationParams, stream: EndlessBatches) -> Tensor:
    """Return raw rows as a net is to see them in one step."""
    return augment(prepare(raw, scaling), limits, stream.generator)


def _with_all_columns(history: list[Row]) -> list[Row]:
    """Give every row the same columns: a pool loss is NaN in epochs that saw no pool."""
    columns = dict.fromkeys(name for row in history for name in row)
    return [{name: row.get(name, math.nan) for name in columns} for row in history]
