"""The section ``pseudo_label``: which machine-made labels are good enough to learn from."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from selfsame.core.errors import SelfsameError
from selfsame.core.params import Section


class PseudoLabelParams(Section):
    """Section ``pseudo_label``: which machine-made labels are good enough to learn from."""

    rule: Literal["threshold", "target_precision", "agreement"]
    threshold: float = Field(ge=0, le=1)
    target_precision: float = Field(gt=0, lt=1)
    confidence_level: float = Field(gt=0, lt=1)
    per_class: bool
    balance: Literal["none", "top_k", "prior"]
    rows_per_class: int = Field(ge=1)
    class_prior: list[float] | None
    largest_spread: float = Field(ge=0)

    @model_validator(mode="after")
    def _prior_is_a_distribution(self) -> Self:
        shares = self.class_prior
        if shares is not None and (min(shares, default=0) < 0 or abs(sum(shares) - 1) > 1e-6):
            raise ValueError(f"class_prior = {shares} must be shares of 0 or more that add up to 1")
        return self

    def prior(self, classes: int) -> np.ndarray:
        """Return the shares (K,) that accepted labels are compared with, and matched to.

        Raises:
            SelfsameError: they are not one for each class.
        """
        shares = self.class_prior if self.class_prior is not None else [1 / classes] * classes
        if len(shares) != classes:
            raise SelfsameError(
                f"params.yaml: pseudo_label.class_prior has {len(shares)} shares, the data {classes} classes",
                "give one share for each class, or null for equal ones",
            )
        return np.array(shares)

    def check_rule(self, target: Literal["classification", "regression"]) -> None:
        """Make sure that the gate is one for what is learned.

        Raises:
            SelfsameError: it isn't.
        """
        if (self.rule == "agreement") != (target == "regression"):
            other = "agreement" if target == "regression" else "threshold or target_precision"
            raise SelfsameError(
                f"params.yaml: pseudo_label.rule = {self.rule!r} is no gate for a {target}",
                f"set pseudo_label.rule to {other}",
            )
        if self.rule == "agreement" and self.balance != "none":
            raise SelfsameError(
                f"params.yaml: pseudo_label.balance = {self.balance!r}, but a regression has no classes",
                "set pseudo_label.balance to none",
            )
