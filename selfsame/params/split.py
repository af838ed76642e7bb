"""Section ``split``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Positive, Section, Seed

RoleName = Literal["labeled", "validation", "calibration", "pool", "holdout"]
Share = Annotated[float, Field(gt=0, lt=1)]


class SplitParams(Section):
    """How many rows get which role.

    A whole number is so many rows of every class, a fraction that share of a class's labeled rows: of all of
    them for the holdout, of those that aren't holdout for the others, and one row at least. A regression's
    rows are all of one class.
    """

    seed: Annotated[Seed, Field(description="Which rows get which role; one seed is one label draw.")] = 0
    labels_per_class: Annotated[
        Positive | Share | Literal["all"],
        Field(description="Labeled rows of every class; below 1 their share; all: all that is left."),
    ] = 5
    validation_per_class: Annotated[
        Positive | Share | None,
        Field(description="Validation rows of every class; below 1 their share; null: the source's own."),
    ] = 5
    calibration_fraction: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Share of the validation rows that is kept as the gate's own calibration set; "
            "at 0 training and gate both use all of them.",
        ),
    ] = 0.0
    holdout_fraction: Annotated[
        Share | None,
        Field(description="Share of every class's rows held out; null: the source's own holdout."),
    ] = 0.25
    duplicates: Annotated[
        Literal["stop", "drop", "drop_contradicting"],
        Field(
            description="What to do with rows of the same content: drop keeps one of them, and "
            "drop_contradicting none where their labels differ."
        ),
    ] = "stop"
    group_column: Annotated[
        str | None,
        Field(description="Column whose rows of one value (a patient, a camera) all get the same role."),
    ] = None
    group_pattern: Annotated[
        str | None,
        Field(description="Regular expression; what its first parentheses find in that column is the group."),
    ] = None
    group_pool: Annotated[
        Literal["apart", "shared"],
        Field(description="Whether rows without a label of a labeled group are left out, or the pool's."),
    ] = "apart"
    time_column: Annotated[
        str | None,
        Field(description="Column by which the latest rows are the holdout, and those before it validation."),
    ] = None
    time_pattern: Annotated[
        str | None,
        Field(description="Regular expression; its first parentheses find the time in that column."),
    ] = None
    time_format: Annotated[
        str | None, Field(description="How times are written, for strptime; null: ISO 8601, or numbers.")
    ] = None
    near_copies: Annotated[
        Literal["stop", "allow"],
        Field(
            description="What to do if many rows that judge have a near copy among those that are learned."
        ),
    ] = "stop"
    empty_pool: Annotated[
        Literal["stop", "allow"], Field(description="What to do if no row is left for the pool.")
    ] = "stop"
    rows_per_part: Annotated[
        Positive,
        Field(
            description="Rows of a part of the pool, at most: what is worked on at once, and repeated after "
            "a kill. A part ends earlier at 256 MB."
        ),
    ] = 1_000_000
    exclude: Annotated[list[str], Field(description="Example ids withdrawn from every role.")] = []
    erased: Annotated[
        dict[str, dict[RoleName, Positive]],
        Field(
            description="How many rows of each class were erased from each role, by `selfsame erase`: their "
            "places stay empty, so that no other row moves. A regression's class is 'all rows'."
        ),
    ] = {}

    def erased_of(self, role: RoleName) -> int:
        """Return how many rows of a role were erased, of all classes."""
        return sum(each.get(role, 0) for each in self.erased.values())
