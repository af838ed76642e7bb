"""Section ``split`` of ``params.yaml``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section

Rows = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class SplitParams(Section):
    """How many rows get which role.

    A whole number is so many rows of every class, a fraction that share of a class's labeled rows: of all of
    them for the holdout, of those that aren't holdout for the others, and one row at least. ``all`` is
    every labeled row that no other role takes. A regression's rows are all of one class. null takes the
    rows that the source itself sets aside for validation or holdout.
    """

    seed: int = Field(ge=0)
    labels_per_class: Rows | Share | Literal["all"]
    validation_per_class: Rows | Share | None
    calibration_fraction: float = Field(ge=0, lt=1)
    holdout_fraction: Share | None
    duplicates: Literal["stop", "drop", "drop_contradicting"]
    empty_pool: Literal["stop", "allow"] = "stop"
    exclude: list[str]
