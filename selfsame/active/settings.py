"""Section ``active_learning``: which pool rows people are asked to label."""

from typing import Literal, Self

from pydantic import Field, model_validator

from selfsame.core.params import Section


class ActiveLearningParams(Section):
    """Section ``active_learning``; no stage reads it, so editing it reruns nothing."""

    model: Literal["champion", "baseline", "student"]
    strategy: Literal["least_confidence", "margin", "entropy", "bald", "random"]
    rows: int = Field(ge=1)
    diversity: Literal["none", "k_means", "core_set"]
    candidates_per_row: int = Field(ge=1)
    dropout_samples: int = Field(ge=2)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _random_is_random(self) -> Self:
        if self.strategy == "random" and self.diversity != "none":
            raise ValueError(
                f"diversity = {self.diversity!r} would choose among the rows that strategy = 'random' has "
                "drawn, which would be no random draw: set it to none"
            )
        return self


PARAMS = {"active_learning": ActiveLearningParams}
