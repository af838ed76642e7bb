"""Section ``data``: which source, and where it lies. ``path`` is a dependency of stage download."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from selfsame.core.params import Section

Target = Literal["classification", "regression"]


class DataParams(Section):
    """A source of examples.

    Attributes:
        kind: what a row is.
        class_count: how many classes there are, where the source fixes it.
    """

    kind: ClassVar[Literal["image", "table"]]
    class_count: ClassVar[int | None] = None
    source: str
    path: Annotated[
        str,
        Field(
            min_length=1,
            description="File or folder that the source is read from; an empty one: from its publisher.",
        ),
    ]

    @field_validator("path")
    @classmethod
    def _lies_on_a_file_system(cls, path: str) -> str:
        if "://" in path:
            raise ValueError(
                "an address: set operation.refresh_url to it, this to a file such as data/pool.listing, and "
                "run 'selfsame refresh' (docs/scale.md)"
            )
        return path

    @property
    def target(self) -> Target:
        """Whether classes are learned or values."""
        return "classification"


class Digits(DataParams):
    """scikit-learn's handwritten digits: 1,797 grey images of 8×8 pixels, 10 classes."""

    kind = "image"
    class_count = 10
    source: Literal["digits"] = "digits"


class BreastCancer(DataParams):
    """scikit-learn's breast cancer data: 569 rows of 30 features, 2 classes."""

    kind = "table"
    class_count = 2
    source: Literal["breast_cancer"]


class Mirrored(DataParams):
    """MNIST, Fashion-MNIST or CIFAR-10, with their publishers' holdout; 10 classes each."""

    kind = "image"
    class_count = 10
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


class OwnData(DataParams):
    """Data of one's own: where they come from, which classes there are, and what means that there is none."""

    classes: Annotated[
        list[str] | None,
        Field(min_length=2, description="All classes, in order; null takes those that are there."),
    ] = None
    unlabeled_values: Annotated[
        list[str] | None,
        Field(description="Words that mean no label, beside an empty one; null takes the usual ones."),
    ] = None
    license: Annotated[
        str | None, Field(description="Terms of the data, for the manifest and the cards.")
    ] = None
    source_url: Annotated[str | None, Field(description="Where the data come from, likewise.")] = None
    description: Annotated[str | None, Field(description="What the data are, likewise.")] = None


class Table(OwnData):
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
    ignore_columns: Annotated[
        list[str] | Literal["auto"],
        Field(description="Columns that are no input; auto leaves out ids, free text and empty ones."),
    ] = []
    category_columns: Annotated[
        list[str], Field(description="Columns of numbers, or of many words, that are categories.")
    ] = []
    date_columns: Annotated[
        dict[str, str | None],
        Field(
            description="Columns of dates, each with its strptime format, such as %d.%m.%Y; null: ISO 8601."
        ),
    ] = {}
    missing_values: Annotated[
        list[str] | None,
        Field(description="Words that mean a missing value, beside an empty one; null takes the usual ones."),
    ] = None
    decimal: Annotated[Literal[".", ","], Field(description="Sign before decimals.")] = "."
    thousands: Annotated[
        str | None,
        Field(pattern=r"^[^0-9eE+\-\[\]^\\]$", description="Sign between thousands; null: none."),
    ] = None
    separator: Annotated[
        str | None,
        Field(min_length=1, max_length=1, description="Separator of a CSV file; null finds it out."),
    ] = None
    encoding: Annotated[
        str | None, Field(min_length=1, description="Encoding of a CSV file; null: UTF-8.")
    ] = None
    header: Annotated[
        bool, Field(description="Whether the first line names the columns, else column_1, column_2, …")
    ] = True
    skip_rows: Annotated[int, Field(ge=0, description="Lines before that, which hold something else.")] = 0

    @property
    def target(self) -> Target:
        """What the file's owner says it is."""
        return self.target_kind


class Images(OwnData):
    """One's own images: a folder for every class, or a table of labels beside them."""

    kind = "image"
    source: Literal["images"]
    image_size: Annotated[
        int, Field(ge=8, description="Height and width, in pixels, that images are brought to.")
    ] = 64
    target_column: Annotated[
        str | None,
        Field(min_length=1, description="Column of a table of labels; null: its only one beside the names."),
    ] = None


class Arrays(OwnData):
    """One's own images in arrays: idx files or npz."""

    kind = "image"
    source: Literal["arrays"]


DATA = Annotated[
    Digits | BreastCancer | Mirrored | CaliforniaHousing | Table | Images | Arrays,
    Field(discriminator="source"),
]
