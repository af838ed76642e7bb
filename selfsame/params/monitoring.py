"""Section ``monitoring``: how a training is watched, what of it outlives a kill, and when drift alarms."""

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
            description="Seconds between checkpoints, from which a killed training goes on; 0: for every row "
            "of its history.",
        ),
    ] = 60.0
    drift_psi: Annotated[
        float,
        Field(
            gt=0,
            description="Population stability index of a column, or of the predictions, above which a "
            "scoring alarms.",
        ),
    ] = 0.2
    drift_new: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Share of rows beyond the training's range, or of a value that it never had, above "
            "which a scoring alarms.",
        ),
    ] = 0.02
    drift_level: Annotated[
        float,
        Field(gt=0, lt=1, description="How often a scoring of rows like the training's may alarm, at most."),
    ] = 0.01
