"""Methods: what one step learns from a labeled batch and a pool batch.

The training loop knows no method. A method is given two batches and returns named losses, of which
``training_loss`` is the one to descend; the others are kept for the curves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.batches import Examples
from selfsame.learning.targets import pseudo_targets

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class PoolBatch:
    """Pool rows as one step sees them.

    Attributes:
        weak: the rows under the ordinary augmentation, scaled.
        strong: the same rows under the strong one; None unless the method wants it.
        labels: accepted pseudo-labels, (N,) int64 or, soft, (N, K) float32; meaningless to methods that make
            their own.
    """

    weak: Tensor
    strong: Tensor | None
    labels: Tensor


@dataclass(frozen=True)
class RampUp:
    """The unlabeled weight: 0 until one epoch, then linear up to ``weight`` at another, then constant."""

    weight: float
    start_epochs: int
    end_epochs: int

    def at(self, epoch: int) -> float:
        """Return the weight in an epoch, counted from 0."""
        if epoch < self.start_epochs:
            return 0.0
        if epoch >= self.end_epochs:
            return self.weight
        return self.weight * (epoch - self.start_epochs) / (self.end_epochs - self.start_epochs)


class Memory:
    """Moving averages that a method keeps from step to step; the loop makes a new one for each training.

    It forgets in about a hundred steps: soon enough to follow a teacher that learns, and long enough that
    a few hundred pool batches smooth the shares of ten classes.
    """

    DECAY = 0.99

    def __init__(self) -> None:
        self._averages: dict[str, Tensor] = {}

    def average(self, name: str, value: Tensor, start: float) -> Tensor:
        """Move an average, which begins at ``start`` everywhere, towards ``value`` and return it."""
        before = self._averages.get(name, torch.full_like(value, start))
        self._averages[name] = before.to(value.device).lerp(value, 1 - self.DECAY)
        return self._averages[name]

    def state(self) -> dict[str, Tensor]:
        """Return the averages, to go on from there another time."""
        return dict(self._averages)

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        self._averages = dict(state)


class Method(Protocol):
    """One way to learn.

    Attributes:
        pool_rows: which pool rows it learns from; ``accepted`` means those whose pseudo-label was.
        wants_strong_view: whether it needs the strong view of pool rows.
        ramp_up: the unlabeled weight. While it is 0 no pool batch is drawn and the step is the
            supervised one, bit for bit.
    """

    pool_rows: Literal["none", "accepted", "all"]
    wants_strong_view: bool
    ramp_up: RampUp

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: "Memory"
    ) -> "Step":
        """Return the labeled rows' logits and the pool's loss."""
        ...


@dataclass(frozen=True)
class Step:
    """What a method makes of one step.

    Attributes:
        labeled_logits: (N, K) logits of the labeled batch.
        pool_loss: the loss on pool rows, to be weighted.
        kept: share of the pool batch that took part.
    """

    labeled_logits: Tensor
    pool_loss: Tensor
    kept: Tensor


def losses(
    method: Method,
    net: nn.Module,
    teacher: nn.Module,
    labeled: Examples,
    pool: PoolBatch | None,
    memory: "Memory",
    labeled_loss: Callable[[Tensor, Tensor], Tensor],
    epoch: int,
) -> Losses:
    """Return a step's losses: L_labeled, or L_labeled + w · L_pool when there is a pool batch."""
    if pool is None:
        return {"training_loss": labeled_loss(net(labeled.inputs), labeled.labels)}
    step = method.pool_losses(net, teacher, labeled.inputs, pool, memory)
    on_labeled = labeled_loss(step.labeled_logits, labeled.labels)
    return {
        "training_loss": on_labeled + method.ramp_up.at(epoch) * step.pool_loss,
        "labeled_loss": on_labeled.detach(),
        "pool_loss": step.pool_loss.detach(),
        "pool_kept": step.kept,
    }


class Supervised:
    """Labeled rows alone."""

    pool_rows: Literal["none"] = "none"
    wants_strong_view = False
    ramp_up = RampUp(0.0, 0, 0)

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: Memory
    ) -> Step:
        """Never called: the weight is 0 throughout."""
        raise AssertionError("the supervised method has no pool")


@dataclass(frozen=True)
class Offline:
    """Cross-entropy on pseudo-labels that were made and accepted once, before this training.

    Loss = L_labeled + w(t) · L_pseudo (Lee, "Pseudo-Label", ICML workshop 2013, equation 15).
    """

    ramp_up: RampUp
    pool_rows: Literal["accepted"] = "accepted"
    wants_strong_view = False

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: Memory
    ) -> Step:
        """Learn the accepted labels as if they were given."""
        logits, pool_logits = together(net, labeled, pool.weak)
        return Step(logits, functional.cross_entropy(pool_logits, pool.labels), pool_logits.new_ones(()))


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
class Online:
    """Pseudo-labels made in every step by the model in training itself (Lee 2013, as in the paper).

    Attributes:
        soft_temperature: that of soft pseudo-labels; None for hard ones, as in the paper.
    """

    ramp_up: RampUp
    soft_temperature: float | None
    pool_rows: Literal["all"] = "all"
    wants_strong_view = False

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: Memory
    ) -> Step:
        """Learn what the net itself holds most probable; no gradient flows through the label."""
        logits, pool_logits = together(net, labeled, pool.weak)
        made = pseudo_targets(pool_logits.detach().softmax(dim=1), self.soft_temperature)
        return Step(logits, functional.cross_entropy(pool_logits, made), pool_logits.new_ones(()))


def together(net: nn.Module, labeled: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
    """Pass both in one batch, so that batch normalization sees labeled and pool rows together."""
    logits = net(torch.cat([labeled, pool]))
    return logits[: len(labeled)], logits[len(labeled) :]
