"""Section ``model``."""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from selfsame.core.params import Section

Positive = Annotated[int, Field(ge=1)]

Family = Literal["linear", "gaussian_process", "boosting", "forest", "support_vectors"]
FAMILIES: tuple[str, ...] = get_args(Family)
OF_TABLES = (*FAMILIES, "committee")  # architectures that are no nets: scikit-learn fits them

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
    "members": ("committee",),
}


class ModelParams(Section):
    """Section ``model``: the architecture that baseline and student share."""

    architecture: Literal["cnn", "mlp", "resnet18", "wrn_28_2", "torchvision", "committee"] | Family
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
    members: list[Family] | None = None

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

    @model_validator(mode="after")
    def _no_family_sits_twice(self) -> Self:
        if self.members is not None and len(set(self.members)) < max(len(self.members), 2):
            raise ValueError(f"members = {self.members}: a committee has two families or more, each once")
        return self

    @property
    def families(self) -> list[Family]:
        """The families that a committee has, or the one that this is."""
        if self.architecture == "committee":
            return self.members or ["linear", "gaussian_process", "boosting"]
        return [self.architecture]  # type: ignore[list-item]
