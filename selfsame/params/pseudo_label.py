"""Section ``pseudo_label``: which machine-made labels are good enough to learn from."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from selfsame.core.params import Fraction, Positive, Section, check_prior

Probability = Annotated[float, Field(gt=0, lt=1)]


class Balance(Section):
    """How accepted labels are thinned out, the least confident first, to balance the classes."""

    name: Literal["none", "prior"] = "none"


class TopK(Section):
    """At most so many of every class."""

    name: Literal["top_k"]
    rows_per_class: Annotated[Positive, Field(description="Accepted labels of every class, at most.")] = 1000


class PseudoLabelParams(Section):
    """A gate."""

    rule: str


class ClassGate(PseudoLabelParams):
    """A gate for classes, by the teacher's confidence."""

    balance: Annotated[
        Annotated[Balance | TopK, Field(discriminator="name")],
        Field(description="Which accepted labels are left out to balance the classes; prior matches shares."),
    ] = Balance()
    class_prior: Annotated[
        list[Fraction] | None,
        Field(description="Shares of all classes, in their order, for balance and report; null: equal ones."),
    ] = None

    @model_validator(mode="after")
    def _prior_is_a_distribution(self) -> Self:
        if self.class_prior is not None and abs(sum(self.class_prior) - 1) > 1e-6:
            raise ValueError(f"class_prior = {self.class_prior} must be shares that add up to 1")
        return self

    def prior(self, classes: int) -> np.ndarray:
        """Return the shares (K,) that accepted labels are compared with, and matched to.

        Raises:
            SelfsameError: they are not one for each class.
        """
        check_prior("pseudo_label", self.class_prior, classes)
        return np.array(self.class_prior if self.class_prior is not None else [1 / classes] * classes)


class ThresholdGate(ClassGate):
    """The threshold that is given."""

    rule: Literal["threshold"] = "threshold"
    threshold: Annotated[Fraction, Field(description="Lowest confidence accepted, inclusive.")] = 0.8


class TargetPrecisionGate(ClassGate):
    """The lowest threshold that guarantees a precision."""

    rule: Literal["target_precision"]
    target_precision: Annotated[
        Probability, Field(description="Share of the accepted labels that is right, at least.")
    ] = 0.9
    confidence_level: Annotated[
        Probability,
        Field(description="Confidence of that guarantee; the rows that judge must be enough to show it."),
    ] = 0.95
    per_class: Annotated[bool, Field(description="Whether every class has its own guarantee.")] = False


class AgreementGate(PseudoLabelParams):
    """A gate for values, by the agreement of an ensemble."""

    rule: Literal["agreement"]
    largest_ensemble_std: Annotated[
        float,
        Field(
            ge=0,
            description="Largest ensemble standard deviation accepted, inclusive, in standard deviations of "
            "the labeled values.",
        ),
    ] = 0.2


PSEUDO_LABEL = Annotated[ThresholdGate | TargetPrecisionGate | AgreementGate, Field(discriminator="rule")]
