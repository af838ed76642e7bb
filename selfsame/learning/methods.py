"""Methods: what one step learns from a labeled batch and a pool batch.

The training loop knows no method. A method is given scaled inputs and returns named losses, of which
``training_loss`` is the one to descend.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.inputs import Examples

Losses = dict[str, Tensor]


class Method(Protocol):
    """One way to learn; ``progress`` runs from 0 at the first step to 1 at the last."""

    def losses(self, net: nn.Module, labeled: Examples, pool: Examples | None, progress: float) -> Losses:
        """Return the losses of one step."""
        ...

    def uses_pool(self, progress: float) -> bool:
        """Tell whether this step needs a pool batch."""
        ...


class Supervised:
    """Cross-entropy on labeled rows alone."""

    def uses_pool(self, progress: float) -> bool:
        """Never."""
        return False

    def losses(self, net: nn.Module, labeled: Examples, pool: Examples | None, progress: float) -> Losses:
        """Return the mean cross-entropy of the labeled batch."""
        return {"training_loss": functional.cross_entropy(net(labeled.inputs), labeled.labels)}


class Offline:
    """Cross-entropy on labeled rows, plus a ramped-up share of it on fixed pseudo-labels.

    Loss = L_labeled + w(t) · L_pseudo (Lee, "Pseudo-Label", ICML workshop 2013, equation 15), with w
    growing linearly from 0 to ``unlabeled_weight`` over the first ``ramp_up_fraction`` of all steps.
    While w is 0 the step is the supervised one, bit for bit.
    """

    def __init__(self, unlabeled_weight: float, ramp_up_fraction: float) -> None:
        self._weight, self._ramp_up = unlabeled_weight, ramp_up_fraction

    def weight(self, progress: float) -> float:
        """Return w at this point of the training."""
        return self._weight * (min(1.0, progress / self._ramp_up) if self._ramp_up else 1.0)

    def uses_pool(self, progress: float) -> bool:
        """Whenever the weight isn't zero."""
        return self.weight(progress) > 0

    def losses(self, net: nn.Module, labeled: Examples, pool: Examples | None, progress: float) -> Losses:
        """Return the labeled, the pseudo-label and the combined loss."""
        if pool is None:
            return Supervised().losses(net, labeled, pool, progress)
        # One pass for both, so that batch normalization sees labeled and pool rows together.
        logits = net(torch.cat([labeled.inputs, pool.inputs]))
        on_labeled = functional.cross_entropy(logits[: len(labeled)], labeled.labels)
        on_pseudo = functional.cross_entropy(logits[len(labeled) :], pool.labels)
        return {
            "training_loss": on_labeled + self.weight(progress) * on_pseudo,
            "labeled_loss": on_labeled.detach(),
            "pseudo_loss": on_pseudo.detach(),
        }
