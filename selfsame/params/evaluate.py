"""Section ``evaluate``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section


class EvaluateParams(Section):
    """When the student is promoted, and how the report is headed."""

    metric: Annotated[
        Literal["accuracy", "macro_f1", "balanced_accuracy", "r2"] | None,
        Field(
            description="Score that promotion, first words and report go by; null: accuracy, r2 of values. "
            "By macro_f1 and balanced_accuracy each class counts alike, however rare."
        ),
    ] = None
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
