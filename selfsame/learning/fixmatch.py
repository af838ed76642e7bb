"""FixMatch: confident labels of the weak view are taught on the strong view.

Two things known from its successors are keys here: a threshold that follows the teacher, and distribution
alignment, which keeps classes that the teacher prefers from crowding out the others.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.methods import Memory, PoolBatch, RampUp, Step, together
from selfsame.learning.targets import pseudo_targets


@dataclass(frozen=True)
class FixMatch:
    """Sohn et al., "FixMatch", NeurIPS 2020, equation 4.

    The teacher is the moving average of the student (as in Mean Teacher, Tarvainen and Valpola, 2017), or
    the student itself where ``ema_decay`` is 0.

    Attributes:
        threshold: lowest confidence that is taught, inclusive; None lets it follow the teacher.
        alignment: strength of the distribution alignment, from 0 (none) to 1 (the shares of ``prior``).
        soft_temperature: that of soft pseudo-labels; None for hard ones.
        prior: the shares (K,) that the pool's classes are thought to have, each above 0; None for equal ones.
    """

    ramp_up: RampUp
    threshold: float | None
    alignment: float
    soft_temperature: float | None
    prior: tuple[float, ...] | None = None
    pool_rows: Literal["all"] = "all"
    wants_strong_view = True

    def pool_losses(
        self, net: nn.Module, teacher: nn.Module, labeled: Tensor, pool: PoolBatch, memory: Memory
    ) -> Step:
        """Mask rows below the threshold (inclusive) and average over the whole batch."""
        assert pool.strong is not None
        probabilities = teacher_probabilities(teacher, pool.weak)
        prior = self._prior(probabilities)
        if self.alignment:
            probabilities = aligned(probabilities, self.alignment, memory, prior)
        confidence, made = probabilities.max(dim=1)
        lowest = self.threshold
        if lowest is None:
            lowest = following_thresholds(probabilities, memory, prior)[made]
        mask = (confidence >= lowest).float()
        logits, pool_logits = together(net, labeled, pool.strong)
        targets = pseudo_targets(probabilities, self.soft_temperature)
        each = functional.cross_entropy(pool_logits, targets, reduction="none")
        return Step(logits, (mask * each).mean(), mask.mean())

    def _prior(self, probabilities: Tensor) -> Tensor:
        classes = probabilities.shape[1]
        return probabilities.new_tensor(self.prior or [1 / classes] * classes)


@torch.no_grad()
def teacher_probabilities(teacher: nn.Module, weak: Tensor) -> Tensor:
    """Return the teacher's probabilities (N, K) without dropout, gradient or a trace in it."""
    training = teacher.training
    teacher.eval()
    probabilities = teacher(weak).softmax(dim=1)
    teacher.train(training)
    return probabilities


def aligned(probabilities: Tensor, strength: float, memory: Memory, prior: Tensor) -> Tensor:
    """Return probabilities (N, K) moved towards the shares (K,) that ``prior`` gives the classes.

    Distribution alignment (Berthelot et al., "ReMixMatch", ICLR 2020, section 3.1): p · (target / mean of p
    over the pool) ** strength, normalised. With equal shares and at strength 1 it is also the full debiasing
    of Wang et al. (CVPR 2022).
    """
    shares = memory.average("shares", probabilities.mean(dim=0), start=1 / len(prior))
    moved = probabilities * (prior * shares.reciprocal()) ** strength
    return moved / moved.sum(dim=1, keepdim=True)


def following_thresholds(probabilities: Tensor, memory: Memory, prior: Tensor) -> Tensor:
    """Return every class's threshold (K,): the teacher's mean confidence, less for classes said too rarely.

    The self-adaptive threshold of Wang et al., "FreeMatch", ICLR 2023, equations 5–8. There the shares should
    be equal; here they are held against those that ``prior`` (K,) gives.
    """
    start = 1 / len(prior)
    confidence = memory.average("confidence", probabilities.amax(dim=1).mean(), start=start)
    shares = memory.average("aligned_shares", probabilities.mean(dim=0), start=start)
    relative = shares * (prior.min() / prior)  # a factor of exactly 1 where they are equal
    return confidence * relative / relative.max()
