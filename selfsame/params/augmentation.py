"""The limits of the random change that one example undergoes each time it is seen."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from selfsame.core.params import Fraction, Section

Share = Annotated[float, Field(ge=0, lt=1)]
StandardDeviations = Annotated[float, Field(ge=0)]
# Each limit with its meaning, once: the ordinary and the strong view differ in the values alone.
Shift = Annotated[float, Field(ge=0, description="Largest shift either way, in pixels.")]
Rotation = Annotated[float, Field(ge=0, le=180, description="Largest rotation either way, in degrees.")]
Scale = Annotated[Share, Field(description="Largest change of size either way, as a share.")]
Shear = Annotated[
    float, Field(ge=0, description="How far the top moves against the bottom, as a share of the height.")
]
Flip = Annotated[Fraction, Field(description="Share of images mirrored left to right.")]
Contrast = Annotated[Share, Field(description="Contrast is multiplied by 1 ± up to this share.")]
Color = Annotated[
    Share,
    Field(
        description="Each channel is multiplied by 1 ± up to this share and moved by up to ± as many "
        "standard deviations."
    ),
]
ErasedBox = Annotated[
    Share, Field(description="Height and width of an erased box, as a share of the image's.")
]
ErasedFeatures = Annotated[Share, Field(description="Share of the features that is erased.")]
Noise = Annotated[
    StandardDeviations,
    Field(description="Standard deviation of added noise, in standard deviations of the labeled rows."),
]


class AugmentationParams(Section):
    """What both kinds of rows have."""

    name: str
    erase_fraction: Share = 0.0
    noise_std: StandardDeviations = 0.0


class ImageAugmentation(AugmentationParams):
    """Images are moved, mirrored, changed in contrast and color, erased and made noisy."""

    name: Literal["image"] = "image"
    shift_pixels: Shift = 1.0
    rotate_degrees: Rotation = 10.0
    scale_fraction: Scale = 0.1
    shear_fraction: Shear = 0.2
    flip_fraction: Flip = 0.0
    contrast_fraction: Contrast = 0.4
    color_fraction: Color = 0.0
    erase_fraction: ErasedBox = 0.0
    noise_std: Noise = 0.0


class TableAugmentation(AugmentationParams):
    """Rows of features are erased and made noisy."""

    name: Literal["table"]
    erase_fraction: ErasedFeatures = 0.0
    noise_std: Noise = 0.0


AUGMENTATION = Annotated[ImageAugmentation | TableAugmentation, Field(discriminator="name")]
_ADAPTER: TypeAdapter[AugmentationParams] = TypeAdapter(AUGMENTATION)


def read_augmentation(written: Any) -> AugmentationParams:
    """Return the limits that a saved model's own record names."""
    return _ADAPTER.validate_python(written)
