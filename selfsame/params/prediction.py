"""Section ``prediction``: how a trained model is applied; no training reads it."""

from typing import Annotated

from pydantic import Field

from selfsame.core.params import Section


class PredictionParams(Section):
    """How a model predicts a row."""

    test_time_augmentation: Annotated[
        int,
        Field(
            ge=1,
            le=256,
            description="A prediction is the mean over this many views of a row, the first the row itself.",
        ),
    ] = 1
