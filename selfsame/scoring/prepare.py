"""From rows as people have them to a model's inputs, by what the model's folder records of its columns.

The functions that turn columns into features, and photos into squares, are those of training.
"""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import Column, TableInfo, inputs_of
from selfsame.sources.california_housing import CENSUS, NAME, features_of_census
from selfsame.sources.columns import TRUTHS, as_numbers, encode, is_text, to_words, typed_column
from selfsame.sources.faults import listed
from selfsame.sources.files import Reading
from selfsame.sources.photo import read_photo, square_photo

TARGET = CENSUS[-1]
CENSUS_INPUTS = list(CENSUS[:-1])
SHOWN = 3  # words of a column that the model has never seen


class Preparation:
    """How rows become a model's inputs, and what didn't fit.

    Attributes:
        columns: those that a table must have, in the order of their features; none of a model of images.
        reading: how the words of training's CSV files were read.
        ignored: columns of tables that the model has no use for.
        unseen: of every column of text, the words that the model has never seen, and in how many rows.
    """

    def __init__(self, info: TableInfo) -> None:
        self.info = info
        self.columns = info.columns or tuple(Column(name, "number") for name in info.features)
        self.reading = Reading(**info.reading)
        self.ignored: dict[str, None] = {}
        self.unseen: dict[str, Counter[str]] = {}

    @property
    def names(self) -> list[str]:
        """Names of the columns that a table must have."""
        return [column.name for column in self.columns]

    def columns_to_read(self, names: Sequence[str], place: str) -> list[str]:
        """Return which of a table's columns are needed, and remember those that are of no use.

        Raises:
            SelfsameError: naming every column that is missing, and what may have been meant.
        """
        if not self.columns:
            height, width = self.info.image_shape[1:]
            raise SelfsameError(
                f"{place}: a table, but the model takes images of {width}×{height} pixels",
                "give photos, or an idx or npz file",
            )
        if self.info.source == NAME and set(CENSUS) <= {*names, TARGET}:
            return CENSUS_INPUTS
        missing = [name for name in self.names if name not in names]
        if missing:
            near = {name: get_close_matches(name, names, n=1) for name in missing}
            meant = [f"{name!r} may be {found[0]!r}" for name, found in near.items() if found]
            raise SelfsameError(
                f"{place}: it lacks the column{'s' * (len(missing) > 1)} {listed(missing, 20)}",
                "; ".join(meant) if meant else f"the model needs the columns {', '.join(self.names)}",
            )
        self.ignored |= dict.fromkeys(name for name in names if name not in self.names)
        return self.names

    def of_batch(self, rows: pa.RecordBatch, place: str, first: int) -> np.ndarray:
        """Return the inputs (N, F) of a table's rows.

        Args:
            rows: with the columns ``names``, as a file or a program gives them.
            first: the number of the first of these rows in ``place``.

        Raises:
            SelfsameError: naming the column, the row and the value that can't be used.
        """
        if CENSUS_INPUTS[0] in rows.schema.names and self.info.source == NAME:
            rows = self._of_census(rows, place, first)
        ready = {}
        for column in self.columns:
            values = rows.column(column.name)
            made = self._typed(values, column, place, first)
            if column.kind == "text":
                self._count_unseen(made, column)
            ready[column.name] = made
        inputs = encode(pa.record_batch(ready), self.columns)
        if not np.isfinite(inputs.sum()) and (places := np.argwhere(np.isinf(inputs))).size:
            row, feature = places[0]
            raise SelfsameError(
                f"{place}: column {self.info.features[feature]!r} is infinite in row {first + row}",
                "mend the value, or leave it empty",
            )
        return inputs

    def of_examples(self, rows: pa.RecordBatch, info: TableInfo, place: str) -> np.ndarray:
        """Return the inputs of rows of a table of examples, as the stages write them.

        Raises:
            SelfsameError: it isn't of the kind that the model was trained on.
        """
        if (info.input_shape, info.features) != (self.info.input_shape, self.info.features):
            raise SelfsameError(
                f"{place}: a table of examples of {info.source}, whose inputs are not those of the model",
                f"the model was trained on {self.info.source}",
            )
        return inputs_of(rows, info)

    def of_array(self, rows: np.ndarray, place: str) -> np.ndarray:
        """Return the inputs of an array: numbers (N, F), or images (N, C, H, W), (N, H, W, C) or (N, H, W).

        Raises:
            SelfsameError: its shape, its type or a value is not what the model takes.
        """
        shape = self.info.image_shape
        if not shape:
            return self._features(rows, place)
        channels, height, width = shape
        if rows.shape[1:] == (height, width, channels) != shape:
            rows = np.moveaxis(rows, 3, 1)
        elif rows.shape[1:] == (height, width) and channels == 1:
            rows = rows[:, None]
        if rows.shape[1:] != shape or rows.dtype.kind not in "uif":
            raise SelfsameError(
                f"{place}: an array of {rows.dtype} of the shape {rows.shape}",
                f"the model takes images of uint8, of the shape (N, {channels}, {height}, {width})",
            )
        with np.errstate(invalid="ignore"):
            images = rows.astype(np.uint8)
        if not np.array_equal(images, rows):
            raise SelfsameError(
                f"{place}: its values aren't whole numbers from 0 to 255",
                "give the pixels as uint8, unscaled",
            )
        return np.ascontiguousarray(images)

    def of_image(self, image: Any, place: str) -> np.ndarray:
        """Return the input (C, H, W) of a PIL image, or of what PIL opens as one.

        Of a model of colour images it is prepared as training prepares photos; one of grey images takes no
        other size than its own.

        Raises:
            SelfsameError: it can't be read, or is of another size.
        """
        if not self.info.image_shape:
            raise SelfsameError(
                f"{place}: an image, but the model takes a table",
                f"it needs the columns {', '.join(self.names)}",
            )
        channels, height, width = self.info.image_shape
        from PIL import Image

        photo = channels == 3 and height == width
        try:
            if isinstance(image, str | Path):
                if photo:
                    return read_photo(Path(image), height)
                with Image.open(image) as opened:
                    pixels = np.asarray(opened.convert("L"))
            elif photo:
                return square_photo(image, height, place)
            else:
                pixels = np.asarray(image.convert("L"))
        except SelfsameError:
            raise
        except Exception as error:  # a broken file lets Pillow's parsers raise whatever there is
            raise SelfsameError(f"{place}: can't be read as an image: {error}", "replace the file") from None
        if pixels.shape != (height, width):
            raise SelfsameError(
                f"{place}: {pixels.shape[1]}×{pixels.shape[0]} pixels; the model's images: {width}×{height}",
                "bring it to that size as the images were that the model learned",
            )
        return pixels[None].copy()

    def notes(self) -> list[str]:
        """Say what was ignored and what the model has never seen, with numbers."""
        said = [f"ignored, the model has no use for them: {listed(self.ignored, 20)}"] if self.ignored else []
        for name, words in self.unseen.items():
            rows, shown = sum(words.values()), words.most_common(SHOWN)
            more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
            said.append(
                f"column {name!r}: {rows} rows have a value that the model has never seen: "
                f"{', '.join(f'{word!r} ({count})' for word, count in shown)}{more}; for it they have none"
            )
        return said

    def _features(self, rows: np.ndarray, place: str) -> np.ndarray:
        words = [column.name for column in self.columns if column.kind in ("text", "date")]
        if words:
            raise SelfsameError(
                f"{place}: an array of numbers, but the model's columns {listed(words)} are no numbers",
                "give a table with named columns (Arrow, pandas, polars)",
            )
        if rows.ndim != 2 or rows.shape[1] != len(self.columns) or rows.dtype.kind not in "buif":
            raise SelfsameError(
                f"{place}: an array of {rows.dtype} of the shape {rows.shape}",
                f"the model takes numbers of the shape (N, {len(self.columns)}): {', '.join(self.names)}",
            )
        inputs = rows.astype(np.float64) + 0.0
        if np.isinf(inputs).any():
            row, feature = np.argwhere(np.isinf(inputs))[0]
            raise SelfsameError(
                f"{place}: column {self.names[feature]!r} is infinite in row {row}",
                "mend the value, or make it NaN",
            )
        return inputs

    def _of_census(self, rows: pa.RecordBatch, place: str, first: int) -> pa.RecordBatch:
        """Make of rows of the census the features that training made of them."""
        numbers = {
            name: as_numbers(self._typed(rows.column(name), Column(name, "number"), place, first))
            for name in CENSUS_INPUTS
        }
        with np.errstate(divide="ignore", invalid="ignore"):
            return pa.record_batch(features_of_census(numbers))

    def _typed(self, values: pa.Array, column: Column, place: str, first: int) -> pa.Array:
        """Return values as their column's kind.

        Raises:
            SelfsameError: one is not of that kind, and no word for a missing one either.
        """
        if pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            raise SelfsameError(
                f"{place}: column {column.name!r} is of the type {values.type}, not {column.kind}",
                "give it plain values",
            )
        made = typed_column(values, column, self.reading)
        if column.kind == "boolean" and is_text(made.type):
            made = pc.if_else(pc.is_in(pc.utf8_lower(made), value_set=pa.array(TRUTHS)), made, None)
        if made.null_count == values.null_count:
            return made
        given = to_words(values, self.reading) if is_text(values.type) else values.cast(pa.string())
        lost = pc.and_(made.is_null(), given.is_valid())
        if pc.any(lost).as_py():
            row = pc.index(lost, True).as_py()
            what = {"number": "number", "boolean": "truth value", "date": "date"}.get(column.kind, "text")
            raise SelfsameError(
                f"{place}: column {column.name!r} has {given[row].as_py()!r} in row {first + row}: no {what}",
                "mend the value, or leave it empty",
            )
        return made

    def _count_unseen(self, words: pa.Array, column: Column) -> None:
        known = pa.array(column.values, pa.string())
        new = words.filter(pc.invert(pc.is_in(words, value_set=known))).drop_null()
        if len(new):
            counts = {each["values"].as_py(): each["counts"].as_py() for each in pc.value_counts(new)}
            self.unseen.setdefault(column.name, Counter()).update(counts)
