"""Methods: which pool rows a training is taught, and with which labels.

The training loop knows no method: it asks one for the labels of each round and of each step.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from selfsame.learning.batches import Examples
from selfsame.learning.objective import Objective
from selfsame.learning.targets import pseudo_targets

Losses = dict[str, Tensor]


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


class Method(Protocol):
    """One way to learn from a pool.

    Attributes:
        name: as in ``retrain.method``.
        pool_rows: which rows the first round teaches: none, those that the gate accepted, or all, whose
            labels each step then makes itself.
        strong_view: whether pool rows are seen under the strong augmentation instead of the ordinary one.
        ramp_up: the unlabeled weight. While it is 0 no pool batch is drawn and the step is the
            supervised one, bit for bit.
        relabel_every_epochs: a new round, with labels from the training's own teacher, begins every so many
            epochs; None: never.
    """

    name: str
    pool_rows: Literal["none", "accepted", "all"]
    strong_view: bool
    ramp_up: RampUp
    relabel_every_epochs: int | None

    def targets(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return what a step teaches of pool rows.

        Args:
            outputs: (N, K), what the net makes of the rows, without gradient.
            labels: (N,) or soft (N, K), the rows' labels in the present round.
        """
        ...

    def relabel(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Return a new round's labels, (N,) int64 or soft (N, K), and which rows it teaches, (N,) bool.

        Args:
            probabilities: (N, K), what the teacher says of the rows that the round may draw.
        """
        ...


@dataclass(frozen=True)
class Offline:
    """Labels that were made and accepted once, before this training, throughout.

    Loss = L_labeled + w(t) · L_pseudo (Lee, "Pseudo-Label", ICML workshop 2013, equation 15).
    """

    ramp_up: RampUp
    pool_rows: Literal["none", "accepted", "all"] = "accepted"
    name = "offline"
    strong_view = False
    relabel_every_epochs: int | None = None

    def targets(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the given labels."""
        return labels

    def relabel(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Never called: there is one round."""
        raise AssertionError("the labels are those of the gate")


def supervised() -> Offline:
    """Return the method of the baseline: labeled rows alone."""
    return Offline(RampUp(0.0, 0, 0), pool_rows="none")


@dataclass(frozen=True)
class Online(Offline):
    """Pseudo-labels made in every step by the model in training itself (Lee 2013, as in the paper).

    Attributes:
        soft_temperature: that of soft pseudo-labels; None for hard ones, as in the paper.
    """

    pool_rows: Literal["none", "accepted", "all"] = "all"
    name = "online"
    soft_temperature: float | None = None

    def targets(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return what the net itself holds most probable; no gradient flows through it."""
        return pseudo_targets(outputs.softmax(dim=1), self.soft_temperature)


@dataclass(frozen=True)
class SelfTraining(Offline):
    """Self-training in rounds, taught on strong views.

    The first round teaches the labels that the gate accepted. Every further one lets the training's own
    teacher, the moving average of its weights, label the pool anew, of a large one as many rows as the round
    can draw, and teaches the labels that it is sure of. Hard labels on strongly changed views, a threshold
    for every class and distribution alignment are those of FixMatch (Sohn et al., NeurIPS 2020), FreeMatch
    (Wang et al., ICLR 2023) and ReMixMatch (Berthelot et al., ICLR 2020); where they take moving averages
    over batches, a round knows all its rows.

    Attributes:
        threshold: lowest confidence taught in the rounds after the first, inclusive; None lets it follow
            the teacher.
        alignment: strength of the distribution alignment, from 0 (none) to 1 (the shares of ``prior``).
        soft_temperature: that of soft pseudo-labels in the rounds after the first; None for hard ones.
        prior: the shares (K,) that the pool's classes are thought to have, each above 0; None for equal ones.
    """

    relabel_every_epochs: int | None = 1
    threshold: float | None = None
    alignment: float = 0.0
    soft_temperature: float | None = None
    prior: tuple[float, ...] | None = None
    name = "self_training"
    strong_view = True

    def relabel(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Align the probabilities, and teach each row's most probable class where it is sure enough."""
        classes = probabilities.shape[1]
        prior = probabilities.new_tensor(self.prior or [1 / classes] * classes)
        probabilities = aligned(probabilities, self.alignment, prior)
        confidence, made = probabilities.max(dim=1)
        following = following_thresholds(probabilities, prior)[made]
        lowest = following if self.threshold is None else self.threshold
        return pseudo_targets(probabilities, self.soft_temperature), confidence >= lowest


def losses(
    method: Method, objective: Objective, net: nn.Module, labeled: Examples, pool: Examples | None, epoch: int
) -> tuple[Losses, Tensor | None]:
    """Return a step's losses, of which ``training_loss`` is the one to descend, and what it taught the pool.

    The loss is L_labeled, or L_labeled + w · L_pool when there is a pool batch. Both pass the net together,
    so that batch normalization sees labeled and pool rows as one.
    """
    if pool is None:
        return {"training_loss": objective.loss(net(labeled.inputs), labeled.labels)}, None
    outputs = net(torch.cat([labeled.inputs, pool.inputs]))
    of_pool = outputs[len(labeled) :]
    taught = method.targets(of_pool.detach(), pool.labels)
    on_labeled = objective.loss(outputs[: len(labeled)], labeled.labels)
    on_pool = objective.pool_loss(of_pool, taught)
    made = {
        "training_loss": on_labeled + method.ramp_up.at(epoch) * on_pool,
        "labeled_loss": on_labeled.detach(),
        "pool_loss": on_pool.detach(),
    }
    return made, taught


def aligned(probabilities: Tensor, strength: float, prior: Tensor) -> Tensor:
    """Return probabilities (N, K) moved towards the shares (K,) that ``prior`` gives the pool's classes.

    Distribution alignment (Berthelot et al., "ReMixMatch", ICLR 2020, section 3.1): p · (target / mean of p
    over the pool) ** strength, normalised.
    """
    moved = probabilities * (prior / probabilities.mean(dim=0).clamp(min=1e-12)) ** strength
    return moved / moved.sum(dim=1, keepdim=True)


def following_thresholds(probabilities: Tensor, prior: Tensor) -> Tensor:
    """Return every class's threshold (K,): the teacher's mean confidence, less for classes said too rarely.

    The self-adaptive threshold of Wang et al., "FreeMatch", ICLR 2023, equations 5–8. There the shares should
    be equal; here they are held against those that ``prior`` (K,) gives.
    """
    relative = probabilities.mean(dim=0) * (prior.min() / prior)  # a factor of exactly 1 where they are equal
    return probabilities.amax(dim=1).mean() * relative / relative.max()
