"""Section ``feedback``: what the feedback loop aims at, may change and may cost. No stage reads it."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Positive, Section, Seed

Number = int | float
Choice = str | int | float | bool | None


class Range(Section):
    """Values between two ends, whole numbers if both ends are; ``log``: evenly by their logarithm."""

    low: Number
    high: Number
    log: bool = False

    @model_validator(mode="after")
    def _ends_are_in_order(self) -> Self:
        if not self.low <= self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self.low} to {self.high} is no range" + " of logarithms" * self.log)
        return self

    @property
    def is_whole(self) -> bool:
        """Tell whether the values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: object) -> bool:
        kinds = (int,) if self.is_whole else (int, float)
        return isinstance(value, kinds) and self.low <= value <= self.high

    @property
    def size(self) -> float:
        """The number of values."""
        return self.high - self.low + 1 if self.is_whole or self.low == self.high else math.inf


class Choices(Section):
    """One of several values."""

    choices: Annotated[list[Choice], Field(min_length=1)]

    def __contains__(self, value: object) -> bool:
        return value in self.choices

    @property
    def size(self) -> float:
        """The number of values."""
        return len(self.choices)


class FeedbackParams(Section):
    """What the feedback loop aims at and may change; it can't change an output."""

    metric: Annotated[
        str,
        Field(
            pattern=r"^models/[^:]+:[^:]+$",
            description="Figure of every trial: a model's file, and a key in it.",
        ),
    ] = "models/student/validation.json:accuracy"
    direction: Annotated[
        Literal["maximize", "minimize"], Field(description="Whether more of it is better, or less.")
    ] = "maximize"
    target: Annotated[float, Field(description="The loop stops when the metric is as good as this.")] = 0.97
    max_trials: Annotated[Positive, Field(description="The loop stops after so many trials.")] = 30
    max_minutes: Annotated[
        float, Field(gt=0, description="The loop stops when its trials have taken so many minutes.")
    ] = 120
    seed: Annotated[Seed, Field(description="Seed of the suggestions.")] = 0
    search: Annotated[
        dict[str, Range | Choices],
        Field(
            description="Keys that may change: {low, high, log}, whole numbers if both ends are, or "
            "{choices: [...]}."
        ),
    ] = {"retrain.unlabeled_weight": Range(low=0.1, high=3.0, log=True)}

    @property
    def metric_file(self) -> str:
        """The file that has the metric."""
        return self.metric.partition(":")[0]

    @property
    def metric_key(self) -> str:
        """Its dotted key there."""
        return self.metric.partition(":")[2]

    def reaches_target(self, value: float) -> bool:
        """Tell whether a value is as good as the target."""
        return value >= self.target if self.direction == "maximize" else value <= self.target

    @property
    def size(self) -> float:
        """The number of different combinations that can be tried; infinite with a range of real numbers."""
        return math.prod(space.size for space in self.search.values())
