"""The sections that several stages share: ``compute``, ``model`` and ``training``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class ComputeParams(Section):
    """Section ``compute``: where tensors live and how many threads work on them."""

    device: Literal["auto", "cpu", "cuda"]
    cpu_threads: int = Field(ge=1)


class ModelParams(Section):
    """Section ``model``: the architecture that baseline and student share."""

    architecture: Literal["cnn", "mlp"]
    widths: list[Positive] = Field(min_length=1)
    halve_after: list[Positive]
    dropout: float = Field(ge=0, lt=1)
    batch_norm: bool

    @model_validator(mode="after")
    def _halving_follows_a_convolution(self) -> Self:
        last = len(self.widths) if self.architecture == "cnn" else 0
        if any(position > last for position in self.halve_after):
            raise ValueError(
                f"halve_after = {self.halve_after} names layers that this {self.architecture} doesn't have "
                f"(it has {last} convolutions)"
            )
        return self


class AugmentationParams(Section):
    """Limits of the random change that one example undergoes each time it is seen."""

    shift_pixels: float = Field(ge=0)
    rotate_degrees: float = Field(ge=0, le=180)
    scale_fraction: float = Field(ge=0, lt=1)
    erase_fraction: float = Field(ge=0, lt=1)
    noise_std: float = Field(ge=0)


class TrainingParams(Section):
    """Section ``training``: how both trainings step."""

    batch_size: int = Field(ge=3)  # then no batch has fewer than two rows
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: float = Field(gt=0)
    momentum: float = Field(ge=0, lt=1)
    weight_decay: float = Field(ge=0)
    schedule: Literal["constant", "step", "cosine", "one_cycle"]
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
    disturb_value_fraction: Fraction
    disturb_value_std: float = Field(ge=0)
