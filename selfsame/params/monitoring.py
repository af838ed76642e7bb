"""Section ``monitoring``: how a training can be watched, and what of it outlives a kill."""

from typing import Annotated

from pydantic import Field

from selfsame.core.params import Section


class MonitoringParams(Section):
    """What can't change an output: no stage reads it."""

    tensorboard: Annotated[
        bool, Field(description="Whether a training writes event files to .scratch/tensorboard.")
    ] = False
    checkpoint_seconds: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds between checkpoints, from which a killed training goes on; 0: each epoch.",
        ),
    ] = 60.0
