"""What a net's outputs are held against: the classes or the values that labeled rows carry."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.learning.targets import LabeledLoss, disturb, disturb_values
from selfsame.params.training import TrainingParams


class Objective(Protocol):
    """Classes or values: the one place in which trainings of the two differ."""

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the loss to descend on labeled rows."""
        ...

    def pool_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss to descend on pool rows, from what they are taught."""
        ...

    def disturb(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return a batch's labels as one step is to see them."""
        ...

    def measure(self, outputs: Tensor, labels: Tensor) -> dict[str, float]:
        """Return ``validation_loss``, by nothing but the labels themselves, and a score that people know."""
        ...


@dataclass(frozen=True)
class Classes:
    """Logits (N, K) against int64 classes (N,)."""

    labeled_loss: LabeledLoss
    disturbed_fraction: float
    count: int

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy, smoothed and weighted as the parameters say."""
        return self.labeled_loss(outputs, labels)

    def pool_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the plain cross-entropy on classes (N,) or distributions (N, K)."""
        return functional.cross_entropy(outputs, targets)

    def disturb(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Replace some labels at random."""
        return disturb(labels, self.disturbed_fraction, self.count, generator)

    def measure(self, outputs: Tensor, labels: Tensor) -> dict[str, float]:
        """Return mean cross-entropy and accuracy."""
        correct = int((outputs.argmax(dim=1) == labels).sum())
        loss = functional.cross_entropy(outputs, labels, reduction="sum").item()
        return {"validation_loss": loss / len(labels), "validation_accuracy": correct / len(labels)}


@dataclass(frozen=True)
class Values:
    """Outputs (N, 1) against standardised float32 values (N,); losses are in the labeled rows' variance."""

    disturbed_fraction: float
    disturbed_std: float

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean squared error."""
        return functional.mse_loss(outputs[:, 0], labels)

    def pool_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean squared error."""
        return self.loss(outputs, targets)

    def disturb(self, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Add noise to some labels."""
        return disturb_values(labels, self.disturbed_fraction, self.disturbed_std, generator)

    def measure(self, outputs: Tensor, labels: Tensor) -> dict[str, float]:
        """Return mean squared error and R²; without any spread in the labels R² is 0."""
        error = functional.mse_loss(outputs[:, 0].double(), labels.double()).item()
        variance = labels.double().var(correction=0).item()
        return {"validation_loss": error, "validation_r2": 1 - error / variance if variance else 0.0}


def build_objective(params: TrainingParams, labels: Tensor, classes: int) -> Objective:
    """Build the objective of a training.

    Args:
        labels: (N,) of the labeled rows.
        classes: 0 for values.
    """
    if classes:
        return Classes(
            LabeledLoss.build(params, labels, classes), params.disturb_label_fraction, count=classes
        )
    return Values(params.disturb_value_fraction, params.disturb_value_std)
