"""Section ``evaluate``."""

from typing import Annotated

from pydantic import Field

from selfsame.core.params import Section


class EvaluateParams(Section):
    """When the student is promoted, and how the report is headed."""

    promotion_level: Annotated[
        float,
        Field(
            gt=0,
            le=0.5,  # above, a student that is no better would do
            description="Largest p-value, on validation rows, that lets another model replace the baseline.",
        ),
    ] = 0.3
    scikit_learn_champion: Annotated[
        bool,
        Field(description="Whether the scikit-learn baseline becomes the champion where it is better."),
    ] = True
    title: Annotated[str, Field(min_length=1, description="The report's heading.")] = "Results"
