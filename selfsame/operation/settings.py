"""Section ``operation``: how a flow treats the stages and the network. No stage reads it."""

from typing import Annotated, Self

from pydantic import Field, ValidationError, model_validator

from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.core.params import PARAMS_FILE, Section, all_schemas, load_params

Positive = Annotated[float, Field(gt=0)]


class OperationParams(Section):
    """Section ``operation``; it can't change an output, so editing it reruns nothing."""

    stage_minutes: Positive | None
    stage_minutes_of: dict[str, Positive]
    retries: Annotated[int, Field(ge=0)]
    retry_seconds: Positive
    keep_runs_days: Annotated[float, Field(ge=1)] = 90.0
    alert_hours: Positive = 30.0

    @model_validator(mode="after")
    def _limits_are_of_stages(self) -> Self:
        stages = list(read_stages())
        if unknown := [name for name in self.stage_minutes_of if name not in stages]:
            raise ValueError(f"stage_minutes_of: no stage {unknown[0]}; there are {', '.join(stages)}")
        return self

    def limit_seconds(self, stage: str) -> float | None:
        """Return how long a stage may take, in seconds; None for as long as it likes."""
        minutes = self.stage_minutes_of.get(stage, self.stage_minutes)
        return None if minutes is None else 60 * minutes

    def retry_delays(self) -> list[float]:
        """Return the pauses before each further try, in seconds, each twice the one before."""
        return [self.retry_seconds * 2**number for number in range(self.retries)]


PARAMS = {"operation": OperationParams}


def load_operation() -> OperationParams:
    """Read this section alone: checking all of them would import every stage's module.

    Raises:
        SelfsameError: naming everything that is wrong with ``params.yaml``.
    """
    try:
        return OperationParams.model_validate(read_yaml(PARAMS_FILE)["operation"])
    except (ValidationError, KeyError, TypeError):
        load_params(all_schemas())
        raise
