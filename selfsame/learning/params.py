"""The sections that several stages share: ``compute``, ``model`` and ``training``."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]


class ComputeParams(Section):
    """Section ``compute``: where tensors live, how many threads work on them, and how fast steps are made."""

    device: Literal["auto", "cpu", "cuda"]
    cpu_threads: int = Field(ge=1)
    precision: Literal["float32", "bfloat16"]
    compile: bool


# The keys of section ``model`` that only some architectures obey, and which; elsewhere they must be empty.
MODEL_KEYS = {
    "widths": ("cnn", "mlp"),
    "halve_after": ("cnn",),
    "dense": ("cnn",),
    "torchvision_name": ("torchvision",),
    "weights": ("torchvision",),
    "weights_sha256": ("torchvision",),
    "image_pixels": ("torchvision",),
    "freeze_backbone": ("torchvision",),
}


class ModelParams(Section):
    """Section ``model``: the architecture that baseline and student share."""

    architecture: Literal["cnn", "mlp", "resnet18", "wrn_28_2", "torchvision"]
    widths: list[Positive]
    halve_after: list[Positive]
    dropout: float = Field(ge=0, lt=1)
    batch_norm: bool
    dense: list[Positive] | None
    torchvision_name: str | None
    weights: str | None
    weights_sha256: str | None = Field(pattern="^[0-9a-f]{64}$")
    image_pixels: Positive | None
    freeze_backbone: bool

    @model_validator(mode="after")
    def _every_key_has_a_meaning(self) -> Self:
        for key, architectures in MODEL_KEYS.items():
            value = getattr(self, key)
            if value and self.architecture not in architectures:
                empty = {list: "[]", bool: "false"}.get(type(value), "null")
                raise ValueError(f"{key} = {value} means nothing to {self.architecture}; leave it {empty}")
        return self

    @model_validator(mode="after")
    def _layers_are_named(self) -> Self:
        if self.architecture == "cnn" and not self.widths:
            raise ValueError("widths = []: a cnn has at least one layer")
        if any(position > len(self.widths) for position in self.halve_after):
            raise ValueError(
                f"halve_after = {self.halve_after} names layers that this {self.architecture} doesn't have "
                f"(it has {len(self.widths)} convolutions)"
            )
        return self

    @model_validator(mode="after")
    def _weights_are_named_with_their_digest(self) -> Self:
        if self.architecture == "torchvision" and not self.torchvision_name:
            raise ValueError("torchvision_name = null: name the classifier, e.g. mobilenet_v3_small")
        if self.weights is None and (self.freeze_backbone or self.weights_sha256):
            raise ValueError("weights = null: then freeze_backbone is false and weights_sha256 null")
        return self


class AugmentationParams(Section):
    """Limits of the random change that one example undergoes each time it is seen."""

    shift_pixels: float = Field(ge=0)
    rotate_degrees: float = Field(ge=0, le=180)
    scale_fraction: float = Field(ge=0, lt=1)
    erase_fraction: float = Field(ge=0, lt=1)
    noise_std: float = Field(ge=0)
    flip_fraction: Fraction
    contrast_fraction: float = Field(ge=0, lt=1)
    shear_fraction: float = Field(ge=0)
    colour_fraction: float = Field(ge=0, lt=1)


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
