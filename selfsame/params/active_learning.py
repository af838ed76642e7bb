"""Section ``active_learning``: which pool rows people are asked to label. No stage reads it."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Positive, Section, Seed


class Diversity(Section):
    """How rows that differ are chosen among the most uncertain."""

    name: Literal["k_means", "core_set"] = "k_means"
    candidates_per_row: Annotated[
        Positive, Field(description="Uncertain rows to choose among, for every row that is asked for.")
    ] = 5


class NoDiversity(Section):
    """The most uncertain rows, as they are."""

    name: Literal["none"]


class ActiveLearningParams(Section):
    """A strategy."""

    strategy: str
    model: Annotated[
        Literal["champion", "baseline", "student"], Field(description="Whose uncertainty counts.")
    ] = "champion"
    rows: Annotated[Positive, Field(description="Rows asked for at once.")] = 20
    seed: Annotated[Seed, Field(description="Seed of the draws.")] = 0

    @property
    def chosen_by(self) -> str:
        """How rows that differ are chosen: none, k_means or core_set."""
        return "none"

    @property
    def candidates_per_row(self) -> int:
        """Rows to choose among, for every row that is asked for."""
        return 1


class Random(ActiveLearningParams):
    """A random draw."""

    strategy: Literal["random"]


class Uncertain(ActiveLearningParams):
    """The rows that the model is least certain of."""

    strategy: Literal["least_confidence", "margin", "entropy"] = "margin"
    diversity: Annotated[
        Annotated[Diversity | NoDiversity, Field(discriminator="name")],
        Field(description="How rows that differ are chosen among the most uncertain."),
    ] = Diversity()

    @property
    def chosen_by(self) -> str:
        """How rows that differ are chosen: none, k_means or core_set."""
        return self.diversity.name

    @property
    def candidates_per_row(self) -> int:
        """Rows to choose among, for every row that is asked for."""
        return self.diversity.candidates_per_row if isinstance(self.diversity, Diversity) else 1


class Bald(Uncertain):
    """The rows on which nets with different units dropped disagree."""

    strategy: Literal["bald"]  # type: ignore[assignment]  # the tag of a shape of its own
    dropout_samples: Annotated[int, Field(ge=2, description="Draws of the dropout.")] = 20


ACTIVE_LEARNING = Annotated[Random | Uncertain | Bald, Field(discriminator="strategy")]
