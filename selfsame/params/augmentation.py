"""The limits of the random change that one example undergoes each time it is seen."""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from selfsame.core.params import Fraction, Section

Share = Annotated[float, Field(ge=0, lt=1)]
StandardDeviations = Annotated[float, Field(ge=0)]
ERASE_BOX = "Height and width of an erased box, as a share of the image's."
ERASE_FEATURES = "Share of the features that is erased."
NOISE = "Standard deviation of added noise, in standard deviations of the labeled rows."


class AugmentationParams(Section):
    """What both kinds of rows have."""

    name: str
    erase_fraction: Share = 0.0
    noise_std: StandardDeviations = 0.0


class ImageAugmentation(AugmentationParams):
    """Images are moved, mirrored, changed in contrast and color, erased and made noisy."""

    name: Literal["image"] = "image"
    shift_pixels: Annotated[float, Field(ge=0, description="Largest shift either way, in pixels.")] = 1.0
    rotate_degrees: Annotated[
        float, Field(ge=0, le=180, description="Largest rotation either way, in degrees.")
    ] = 10.0
    scale_fraction: Annotated[Share, Field(description="Largest change of size either way, as a share.")] = (
        0.1
    )
    shear_fraction: Annotated[
        float, Field(ge=0, description="How far the top moves against the bottom, as a share of the height.")
    ] = 0.2
    flip_fraction: Annotated[Fraction, Field(description="Share of images mirrored left to right.")] = 0.0
    contrast_fraction: Annotated[
        Share, Field(description="Contrast is multiplied by 1 ± up to this share.")
    ] = 0.4
    color_fraction: Annotated[
        Share,
        Field(
            description="Each channel is multiplied by 1 ± up to this share and moved by up to ± as many "
            "standard deviations."
        ),
    ] = 0.0
    erase_fraction: Annotated[Share, Field(description=ERASE_BOX)] = 0.0
    noise_std: Annotated[StandardDeviations, Field(description=NOISE)] = 0.0


class TableAugmentation(AugmentationParams):
    """Rows of features are erased and made noisy."""

    name: Literal["table"]
    erase_fraction: Annotated[Share, Field(description=ERASE_FEATURES)] = 0.0
    noise_std: Annotated[StandardDeviations, Field(description=NOISE)] = 0.0


AUGMENTATION = Annotated[ImageAugmentation | TableAugmentation, Field(discriminator="name")]
_ADAPTER: TypeAdapter[AugmentationParams] = TypeAdapter(AUGMENTATION)


def read_augmentation(written: Any) -> AugmentationParams:
    """Return the limits that a saved model's own record names."""
    return _ADAPTER.validate_python(written)
