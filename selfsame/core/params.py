"""What all sections of ``params.yaml`` share; their schemas stand in ``selfsame.params``."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from selfsame.core.errors import SelfsameError


class Section(BaseModel):
    """A section of ``params.yaml``, or a group of keys in one; subclasses name the keys, types and ranges.

    Unknown keys are refused, and nothing is converted: ``"3"`` is no number. What isn't written has the
    default that stands in the subclass.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]  # what every random generator in use can take


def check_prior(section: str, shares: list[float] | None, classes: int) -> None:
    """Make sure that there is one share for each class, where any is given.

    Raises:
        SelfsameError: there isn't.
    """
    if shares is not None and len(shares) != classes:
        raise SelfsameError(
            f"params.yaml: {section}.class_prior has {len(shares)} shares, the data {classes} classes",
            "give one share for each class, in their order, or null",
        )
