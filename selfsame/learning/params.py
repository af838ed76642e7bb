"""The sections that several stages share: ``compute``, ``model`` and ``training``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section

Fraction = Annotated[float, Field(ge=0, le=1)]


class ComputeParams(Section):
    """Section ``compute``: where tensors live and how many threads work on them."""

    device: Literal["auto", "cpu", "cuda"]
    cpu_threads: int = Field(ge=1)


class ModelParams(Section):
    """Section ``model``: the architecture that baseline and student share."""

    architecture: Literal["cnn", "mlp"]
    widths: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class AugmentationParams(Section):
    """Limits of the random affine map that training applies to every image, each time it is seen."""

    shift_pixels: float = Field(ge=0)
    rotate_degrees: float = Field(ge=0, le=180)
    scale_fraction: float = Field(ge=0, lt=1)


class TrainingParams(Section):
    """Section ``training``: how both trainings step."""

    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warm_up_fraction: Fraction
    augmentation: AugmentationParams
