"""The training loop: it knows batches, steps and checkpoints, but no method."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from selfsame.core.errors import SelfsameError
from selfsame.learning.augment import augment
from selfsame.learning.inputs import Examples, Scaling, endless_batches, prepare
from selfsame.learning.methods import Method
from selfsame.learning.nets import detached_state
from selfsame.learning.params import TrainingParams

History = list[dict[str, float]]


@dataclass(frozen=True)
class TrainingData:
    """What a training sees; ``pool`` holds accepted rows with their pseudo-labels, or is None."""

    labeled: Examples
    validation: Examples
    pool: Examples | None
    scaling: Scaling


@dataclass(frozen=True)
class Plan:
    """How one training goes: its method, its random seed, how long, and rows of the pool in a step."""

    method: Method
    seed: int
    max_epochs: int
    patience_epochs: int
    pool_batch_size: int = 1


def train(
    net: nn.Module,
    data: TrainingData,
    plan: Plan,
    training: TrainingParams,
    on_epoch: Callable[[dict[str, float]], None],
) -> History:
    """Train ``net`` in place and leave it with the weights of its best validation loss.

    Args:
        on_epoch: told each epoch's row of the history as soon as it is known.

    Returns:
        One row per epoch: epoch, learning_rate, the method's losses (means over the epoch's steps),
        validation_loss and validation_accuracy.

    Raises:
        SelfsameError: the loss is no longer a finite number.
    """
    torch.manual_seed(plan.seed)  # dropout
    steps_per_epoch = math.ceil(len(data.labeled) / training.batch_size)
    total_steps = plan.max_epochs * steps_per_epoch
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.0, weight_decay=training.weight_decay)
    labeled_batches = _views(data.labeled, training.batch_size, data.scaling, training, 2 * plan.seed)
    pool_batches = None
    if data.pool is not None and len(data.pool):  # a random stream of its own: it can't move the labeled one
        pool_batches = _views(data.pool, plan.pool_batch_size, data.scaling, training, 2 * plan.seed + 1)
    history: History = []
    best_loss, best_epoch, best_state = math.inf, 0, detached_state(net)
    for epoch in range(1, plan.max_epochs + 1):
        net.train()
        sums: dict[str, float] = {}
        for step in range((epoch - 1) * steps_per_epoch, epoch * steps_per_epoch):
            progress = step / total_steps
            _set_learning_rate(optimizer, training, progress)
            pool_batch = next(pool_batches) if pool_batches and plan.method.uses_pool(progress) else None
            losses = plan.method.losses(net, next(labeled_batches), pool_batch, progress)
            optimizer.zero_grad(set_to_none=True)
            losses["training_loss"].backward()
            optimizer.step()
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value.item()
        row = {
            "epoch": epoch,
            "learning_rate": optimizer.param_groups[0]["lr"],
            **{name: total / steps_per_epoch for name, total in sums.items()},
            **validate(net, data.validation, data.scaling),
        }
        history.append(row)
        on_epoch(row)
        if not math.isfinite(row["training_loss"]):
            raise SelfsameError(
                f"the training loss became {row['training_loss']} in epoch {epoch}",
                "lower training.learning_rate",
            )
        if row["validation_loss"] < best_loss:
            best_loss, best_epoch, best_state = row["validation_loss"], epoch, detached_state(net)
        if epoch - best_epoch >= plan.patience_epochs:
            break
    net.load_state_dict(best_state)
    return _with_all_columns(history)


@torch.inference_mode()
def validate(net: nn.Module, examples: Examples, scaling: Scaling) -> dict[str, float]:
    """Return mean cross-entropy and accuracy on validation rows."""
    net.eval()
    loss, correct = 0.0, 0
    for rows in torch.arange(len(examples), device=examples.labels.device).split(4096):
        logits = net(prepare(examples.inputs[rows], scaling))
        loss += functional.cross_entropy(logits, examples.labels[rows], reduction="sum").item()
        correct += int((logits.argmax(dim=1) == examples.labels[rows]).sum())
    return {"validation_loss": loss / len(examples), "validation_accuracy": correct / len(examples)}


def _views(
    examples: Examples, batch_size: int, scaling: Scaling, training: TrainingParams, seed: int
) -> Iterator[Examples]:
    """Yield scaled, augmented batches without end; order and augmentation are drawn from ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    for batch in endless_batches(examples, batch_size, generator):
        inputs = prepare(batch.inputs, scaling)
        if inputs.dim() == 4:
            inputs = augment(inputs, training.augmentation, generator)
        yield Examples(inputs, batch.labels)


def _set_learning_rate(optimizer: torch.optim.Optimizer, training: TrainingParams, progress: float) -> None:
    """Warm up linearly, then fall along half a cosine to zero."""
    warm_up = training.warm_up_fraction
    if progress < warm_up:
        factor = progress / warm_up
    else:
        factor = 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / max(1 - warm_up, 1e-9)))
    optimizer.param_groups[0]["lr"] = training.learning_rate * factor


def _with_all_columns(history: History) -> History:
    """Give every row the same columns: a pool loss is NaN in epochs that saw no pool."""
    columns = dict.fromkeys(name for row in history for name in row)
    return [{name: row.get(name, math.nan) for name in columns} for row in history]
