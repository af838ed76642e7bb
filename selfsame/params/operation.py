"""Section ``operation``: how a flow treats the stages and the network. No stage reads it."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from selfsame.core.graph_file import read_stages
from selfsame.core.params import Section

Duration = Annotated[float, Field(gt=0)]


class OperationParams(Section):
    """How a flow treats stages and network."""

    stage_minutes: Annotated[
        Duration | None, Field(description="Minutes after which a stage is killed; null: never.")
    ] = None
    stage_minutes_of: Annotated[
        dict[str, Duration],
        Field(description="Other limits for single stages, in minutes, for example {retrain: 600}."),
    ] = {}
    retries: Annotated[
        int,
        Field(ge=0, description="Further tries of refresh, pull, push and commit; never of a stage."),
    ] = 3
    retry_seconds: Annotated[
        Duration, Field(description="Seconds before the first of them; each pause is twice the one before.")
    ] = 10
    keep_runs_days: Annotated[
        float, Field(ge=1, description="Days after which the record of a finished flow run is removed.")
    ] = 90.0
    alert_hours: Annotated[
        Duration, Field(description="Hours without a successful scheduled run after which an alert is sent.")
    ] = 30.0
    refresh_url: Annotated[
        str | None,
        Field(
            pattern="^(https?|s3)://",
            description="Address of a file that a run with refresh fetches into data.path, if it changed; or "
            "s3://bucket/folder, whose listing it fetches.",
        ),
    ] = None

    signing_key: Annotated[
        str | None,
        Field(description="PEM file of the private key by which runs with --commit sign their records."),
    ] = None

    @model_validator(mode="after")
    def _limits_are_of_stages(self) -> Self:
        stages = list(read_stages()) if self.stage_minutes_of else []
        if unknown := [name for name in self.stage_minutes_of if name not in stages]:
            raise ValueError(f"stage_minutes_of: no stage {unknown[0]}; there are {', '.join(stages)}")
        return self

    def limit_seconds(self, stage: str) -> float | None:
        """Return how long a stage may take, in seconds; None for as long as it likes."""
        minutes = self.stage_minutes_of.get(stage, self.stage_minutes)
        return None if minutes is None else 60 * minutes

    @property
    def signing_key_file(self) -> Path | None:
        """The key's file, if records are to be signed."""
        return None if self.signing_key is None else Path(self.signing_key).expanduser()

    def retry_delays(self) -> list[float]:
        """Return the pauses before each further try, in seconds, each twice the one before."""
        return [self.retry_seconds * 2**number for number in range(self.retries)]
