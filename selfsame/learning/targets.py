"""What is done to labels on their way into the loss: smoothing, disturbing, weighting."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.model.device import sent
from selfsame.params.training import TrainingParams


@dataclass(frozen=True)
class LabeledLoss:
    """Cross-entropy on given labels.

    Attributes:
        smoothing: α of label smoothing, 1 − α for the true class and α / (K − 1) for each other one
            (torch's own ``label_smoothing`` spreads α over all K classes instead).
        class_weights: (K,) factor on each class's rows, or None.
    """

    smoothing: float
    class_weights: Tensor | None

    @classmethod
    def build(cls, params: TrainingParams, labels: Tensor, classes: int) -> "LabeledLoss":
        """Build it for the class counts among ``labels`` (N,)."""
        return cls(params.label_smoothing, class_weights(labels, classes, params.class_weights))

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the (weighted) mean over (N, K) logits and (N,) labels."""
        log_probabilities = functional.log_softmax(logits, dim=1)
        losses = -log_probabilities.gather(1, labels[:, None])[:, 0]
        if self.smoothing:
            others = -log_probabilities.sum(dim=1) - losses
            losses = (1 - self.smoothing) * losses + self.smoothing / (logits.shape[1] - 1) * others
        if self.class_weights is None:
            return losses.mean()
        weights = self.class_weights[labels]
        return (weights * losses).sum() / weights.sum()


def class_weights(labels: Tensor, classes: int, kind: str) -> Tensor | None:
    """Return each class's factor (K,): ``one_minus_share`` 1 − n/N, ``inverse_share`` N/(K·n), or None."""
    if kind == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    if kind == "one_minus_share":
        return 1 - counts / counts.sum()
    return counts.sum() / (classes * counts.clamp(min=1))


def disturb(labels: Tensor, fraction: float, classes: int, generator: torch.Generator) -> Tensor:
    """Replace each label, with the probability ``fraction``, by one drawn from all K classes.

    A label so stays with the probability 1 − (K − 1) / K · fraction (DisturbLabel, Xie et al., CVPR 2016).
    """
    if not fraction:
        return labels
    drawn = torch.randint(classes, labels.shape, generator=generator)
    chosen = torch.rand(labels.shape, generator=generator) < fraction
    return torch.where(sent(chosen, labels.device), sent(drawn, labels.device), labels)


def pseudo_targets(probabilities: Tensor, soft_temperature: float | None) -> Tensor:
    """Return what a teacher's probabilities (N, K) teach.

    Hard: (N,) int64, the most probable class. Soft: (N, K), the distribution itself, p ** (1 / temperature)
    normalised: 1 leaves it, less sharpens it (Berthelot et al., "MixMatch", NeurIPS 2019, equation 7).
    """
    if soft_temperature is None:
        return probabilities.argmax(dim=1)
    # In logarithms: a small probability to a high power would vanish.
    return (probabilities.log() / soft_temperature).softmax(dim=1)


def disturb_values(labels: Tensor, fraction: float, std: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of ``std`` to each value (N,) with the probability ``fraction``.

    DisturbValue: DisturbLabel's regularizer for regression (Xie et al., CVPR 2016, gave it for classes).
    """
    if not fraction:
        return labels
    noise = std * torch.randn(labels.shape, generator=generator)
    chosen = torch.rand(labels.shape, generator=generator) < fraction
    return labels + sent(noise * chosen, labels.device)
