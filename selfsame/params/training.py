"""Section ``training``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Section
from selfsame.params.augmentation import AugmentationParams, Fraction

Positive = Annotated[int, Field(ge=1)]


class TrainingParams(Section):
    """Section ``training``: how both trainings step."""

    batch_size: int = Field(ge=3)  # then no batch has fewer than two rows
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    schedule: Literal["constant", "step", "cosine", "cosine_7_16", "one_cycle"]
    warm_up_fraction: Fraction
    step_every_epochs: Positive
    step_factor: float = Field(gt=0, le=1)
    gradient_clip_norm: float | None = Field(gt=0)
    ema_decay: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
    disturb_label_fraction: Fraction
    class_sampling: Literal["as_is", "balanced"]
    class_weights: Literal["none", "one_minus_share", "inverse_share"]
    checkpoint: Literal["validation_loss", "validation_accuracy", "last"]
    augmentation: AugmentationParams
    nesterov: bool
    refit_on_validation: bool
    prediction_views: Positive
    disturb_value_fraction: Fraction
    disturb_value_std: float = Field(ge=0)

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise ValueError("nesterov = true needs optimizer = sgd and momentum above 0")
        return self
