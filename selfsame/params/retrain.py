"""Section ``retrain``: how the student learns from the pool."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from selfsame.core.params import Fraction, Positive, Section, Seed, check_prior
from selfsame.params.augmentation import (
    Contrast,
    ErasedBox,
    ErasedFeatures,
    ImageAugmentation,
    Noise,
    Rotation,
    Scale,
    Shear,
    Shift,
    TableAugmentation,
)

PATIENCE = "Epochs without a better checkpoint after which training stops; null: never."


class StrongImage(ImageAugmentation):
    """The strong view of an image."""

    shift_pixels: Shift = 1.5
    rotate_degrees: Rotation = 20.0
    scale_fraction: Scale = 0.2
    shear_fraction: Shear = 0.3
    contrast_fraction: Contrast = 0.6
    erase_fraction: ErasedBox = 0.25


class StrongTable(TableAugmentation):
    """The strong view of a row of features."""

    erase_fraction: ErasedFeatures = 0.3
    noise_std: Noise = 0.5


STRONG = Annotated[StrongImage | StrongTable, Field(discriminator="name")]


class Hard(Section):
    """The most probable class."""

    name: Literal["hard"] = "hard"


class Soft(Section):
    """The teacher's distribution."""

    name: Literal["soft"]
    temperature: Annotated[
        float,
        Field(gt=0, le=1, description="1 leaves the distribution as it is, less sharpens it."),
    ] = 0.5


class RetrainParams(Section):
    """A way to learn from the pool."""

    method: str
    seed: Annotated[Seed, Field(description="Seed of first weights and batches.")] = 1
    max_epochs: Annotated[Positive, Field(description="Passes over the labeled rows, at most.")] = 1000
    patience_epochs: Annotated[Positive | None, Field(description=PATIENCE)] = None
    pool_batch_size: Annotated[Positive, Field(description="Pool rows in a step.")] = 128
    unlabeled_weight: Annotated[float, Field(ge=0, description="Factor on the pool's loss.")] = 1.0
    ramp_up_start_epochs: Annotated[int, Field(ge=0, description="Epochs before which that factor is 0.")] = 0
    ramp_up_end_epochs: Annotated[
        int, Field(ge=0, description="Epochs until which it then grows linearly.")
    ] = 0

    @model_validator(mode="after")
    def _ramp_up_is_within_the_training(self) -> Self:
        start, end = self.ramp_up_start_epochs, self.ramp_up_end_epochs
        # A training may end within the ramp: then the pool's weight never grows whole.
        if end < start:
            raise ValueError(f"ramp_up_end_epochs = {end} is before ramp_up_start_epochs = {start}")
        if start >= self.max_epochs:
            raise ValueError(
                f"ramp_up_start_epochs = {start} is not before max_epochs = {self.max_epochs}: "
                "the pool would never be learned"
            )
        return self

    @property
    def temperature(self) -> float | None:
        """That of soft pseudo-labels; None for hard ones."""
        return None


class WithLabels(RetrainParams):
    """A method that can learn hard labels or soft ones."""

    pseudo_labels: Annotated[
        Annotated[Hard | Soft, Field(discriminator="name")],
        Field(description="What of a label is learned: its most probable class, or its distribution."),
    ] = Hard()

    @property
    def temperature(self) -> float | None:
        """That of soft pseudo-labels; None for hard ones."""
        return self.pseudo_labels.temperature if isinstance(self.pseudo_labels, Soft) else None


class Offline(WithLabels):
    """Learn the accepted labels, made once."""

    method: Literal["offline"]


class Online(WithLabels):
    """Learn what the net in training holds most probable itself."""

    method: Literal["online"]

    @model_validator(mode="after")
    def _soft_labels_teach_something(self) -> Self:
        if self.temperature == 1:
            raise ValueError(
                "pseudo_labels.temperature = 1 teaches nothing online: the net has this distribution already"
            )
        return self


class SelfTraining(WithLabels):
    """Learn the accepted labels on strong views, then, round by round, those of the student's own average."""

    method: Literal["self_training"] = "self_training"
    relabel_every_epochs: Annotated[
        Positive,
        Field(description="After so many epochs the teacher labels the pool anew, and a new round begins."),
    ] = 50
    relabel_threshold: Annotated[
        Fraction | None,
        Field(description="Lowest confidence taught in later rounds, inclusive; null follows the teacher."),
    ] = None
    strong_augmentation: Annotated[STRONG, Field(description="The strong view.")] = StrongImage()
    distribution_alignment: Annotated[
        Fraction, Field(description="How far labels are moved towards the classes' shares; 0: not, 1: fully.")
    ] = 1.0
    class_prior: Annotated[
        list[Fraction] | None,
        Field(description="Those shares, in the classes' order; null: the labeled rows' own."),
    ] = None

    @model_validator(mode="after")
    def _prior_is_a_distribution(self) -> Self:
        shares = self.class_prior
        if shares is not None and (min(shares, default=0) <= 0 or abs(sum(shares) - 1) > 1e-6):
            raise ValueError(f"class_prior = {shares} must be shares above 0 that add up to 1")
        return self

    def prior(self, labels: np.ndarray, classes: int) -> tuple[float, ...]:
        """Return the shares (K,) that the pool's classes are thought to have: given, or of ``labels`` (N,).

        Raises:
            SelfsameError: they are not one for each class.
        """
        check_prior("retrain", self.class_prior, classes)
        if self.class_prior is not None:
            return tuple(self.class_prior)
        return tuple((np.bincount(labels, minlength=classes) / len(labels)).tolist())


RETRAIN = Annotated[SelfTraining | Offline | Online, Field(discriminator="method")]
