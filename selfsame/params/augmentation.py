"""The limits of random changes, as several sections name them."""

from typing import Annotated

from pydantic import Field

from selfsame.core.params import Section

Fraction = Annotated[float, Field(ge=0, le=1)]


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
