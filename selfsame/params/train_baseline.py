"""Section ``train_baseline``."""

from typing import Annotated

from pydantic import Field

from selfsame.core.params import Positive, Section, Seed

PATIENCE = "Epochs without a better checkpoint after which training stops; null: never."


class TrainBaselineParams(Section):
    """How long the baseline trains, and how many nets stand beside it."""

    seed: Annotated[Seed, Field(description="Seed of first weights and batches.")] = 0
    max_epochs: Annotated[Positive, Field(description="Passes over the labeled rows, at most.")] = 200
    patience_epochs: Annotated[Positive | None, Field(description=PATIENCE)] = None
    ensemble_members: Annotated[
        int,
        Field(ge=0, le=100, description="Regression: further nets, of other seeds; classes need none."),
    ] = 0
