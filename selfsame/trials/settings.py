"""Section ``feedback``: what the feedback loop aims at, may change and may cost. No stage reads it."""

import math
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.params import PARAMS_FILE, Section, all_schemas, load_params

Number = int | float
Choice = str | int | float | bool | None


class Range(BaseModel):
    """Values between two ends, whole numbers if both ends are; ``log``: evenly by their logarithm."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    low: Number
    high: Number
    log: bool

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


class Choices(BaseModel):
    """One of several values."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    choices: Annotated[list[Choice], Field(min_length=1)]

    def __contains__(self, value: object) -> bool:
        return value in self.choices

    @property
    def size(self) -> float:
        """The number of values."""
        return len(self.choices)


class FeedbackParams(Section):
    """Section ``feedback``; it can't change an output, so editing it reruns nothing."""

    metric: Annotated[str, Field(pattern=r"^models/[^:]+:[^:]+$")]
    direction: Literal["maximize", "minimize"]
    target: float
    max_trials: Annotated[int, Field(ge=1)]
    max_minutes: Annotated[float, Field(gt=0)]
    seed: Annotated[int, Field(ge=0)]
    search: dict[str, Range | Choices]

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


PARAMS = {"feedback": FeedbackParams}


def load_feedback() -> FeedbackParams:
    """Read this section alone; what is wrong with it is told as of all others.

    Raises:
        SelfsameError: naming everything that is wrong with ``params.yaml``.
    """
    try:
        return FeedbackParams.model_validate(read_yaml(PARAMS_FILE)["feedback"])
    except (ValidationError, KeyError, TypeError):
        load_params(all_schemas())
        raise SelfsameError(f"{PARAMS_FILE}: section feedback is not readable", "see presets/") from None
