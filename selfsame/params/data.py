"""Section ``data``: which source, and where it lies. ``path`` is a dependency of stage download."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from selfsame.core.params import Section

Target = Literal["classification", "regression"]


class DataParams(Section):
    """A source of examples.

    Attributes:
        kind: what a row is.
        classes: how many there are, where the source fixes it.
    """

    kind: ClassVar[Literal["image", "table"]]
    classes: ClassVar[int | None] = None
    source: str
    path: Annotated[
        str,
        Field(
            min_length=1,
            description="File or folder that the source is read from; an empty one: from its publisher.",
        ),
    ]

    @property
    def target(self) -> Target:
        """Whether classes are learned or values."""
        return "classification"


class Digits(DataParams):
    """scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels, 10 classes."""

    kind = "image"
    classes = 10
    source: Literal["digits"] = "digits"


class BreastCancer(DataParams):
    """scikit-learn's breast cancer data: 569 rows of 30 features, 2 classes."""

    kind = "table"
    classes = 2
    source: Literal["breast_cancer"]


class Mirrored(DataParams):
    """MNIST, Fashion-MNIST or CIFAR-10, with their publishers' holdout; 10 classes each."""

    kind = "image"
    classes = 10
    source: Literal["mnist", "fashion_mnist", "cifar10"]
    mirror: Annotated[str | None, Field(description="Address that is tried before the publisher's own.")] = (
        None
    )


class CaliforniaHousing(DataParams):
    """California housing: 20,640 rows of 8 features, a value to predict."""

    kind = "table"
    source: Literal["california_housing"]

    @property
    def target(self) -> Target:
        """Values are learned."""
        return "regression"


class Table(DataParams):
    """One's own table: CSV, TSV or Parquet files."""

    kind = "table"
    source: Literal["table"]
    target_column: Annotated[
        str,
        Field(min_length=1, description="Column with the labels; a row without one goes to the pool."),
    ]
    target_kind: Annotated[Target, Field(description="Whether that column holds classes or values.")] = (
        "classification"
    )
    ignore_columns: Annotated[list[str], Field(description="Columns that are no input, such as an id.")] = []
    separator: Annotated[
        str | None,
        Field(min_length=1, max_length=1, description="Separator of a CSV file; null finds it out."),
    ] = None

    @property
    def target(self) -> Target:
        """What the file's owner says it is."""
        return self.target_kind


class Images(DataParams):
    """One's own images: a folder for every class."""

    kind = "image"
    source: Literal["images"]
    image_size: Annotated[
        int, Field(ge=8, description="Height and width, in pixels, that images are brought to.")
    ] = 64


DATA = Annotated[
    Digits | BreastCancer | Mirrored | CaliforniaHousing | Table | Images, Field(discriminator="source")
]
