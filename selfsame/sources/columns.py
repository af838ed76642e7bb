"""From the columns of a table to numbers: features and labels.

A column of text becomes one feature for each of its values, named ``column=value``, which is 1 where the
row has it and 0 elsewhere. What is missing is NaN, in every feature of its column. Nothing is fitted
here: the values of a column are a property of the file, not of the labels.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import Column
from selfsame.sources.source import UNLABELED

RESERVED = ("example_id", "label", "source_row", "source_role")  # the other columns of a table of examples
MOST_VALUES = 100  # of a column of text; more are an id or free text
MOST_CLASSES = 1000
IGNORE = "name the column in data.ignore_columns, or mend it"


def describe_columns(inputs: pa.Table) -> tuple[Column, ...]:
    """Return what each column is.

    Raises:
        SelfsameError: a column is empty, holds dates, lists or free text, or has a name that is taken.
    """
    columns = []
    for name in inputs.column_names:
        if name in RESERVED or not name:
            raise SelfsameError(f"data.path: a column is called {name!r}, which can't be a feature", IGNORE)
        column = inputs[name]
        if column.null_count == len(column):
            raise SelfsameError(f"data.path: column {name!r} has no values", IGNORE)
        if is_text(column.type):
            columns.append(Column(name, "text", tuple(_values_of(column, name))))
        elif is_number(column.type):
            columns.append(Column(name, "boolean" if pa.types.is_boolean(column.type) else "number"))
        else:
            raise SelfsameError(
                f"data.path: column {name!r} is of the type {column.type}, neither number nor text", IGNORE
            )
    if not columns:
        raise SelfsameError("data.path: the table has no column beside the target", "give it some")
    names = feature_names(columns)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SelfsameError(f"data.path: two features would be called {twice!r}", "rename a column")
    return tuple(columns)


def feature_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the features that columns become."""
    return tuple(
        name
        for each in columns
        for name in (
            [f"{each.name}={value}" for value in each.values] if each.kind == "text" else [each.name]
        )
    )


def encode(inputs: pa.Table, columns: Sequence[Column]) -> np.ndarray:
    """Return the features of some rows: (N, F) float64. Text that is none of its column's values is 0 in all.

    Raises:
        SelfsameError: a value is infinite.
    """
    found = np.empty((len(inputs), len(feature_names(columns))))
    place = 0
    for each in columns:
        if each.kind == "text":
            text = _as_text(inputs[each.name])
            for value in each.values:
                found[:, place] = as_numbers(pc.equal(text, value))
                place += 1
            continue
        numbers = as_numbers(inputs[each.name])
        if np.isinf(numbers).any():
            row = int(np.flatnonzero(np.isinf(numbers))[0])
            raise SelfsameError(f"data.path: column {each.name!r} is infinite in row {row}", IGNORE)
        found[:, place] = numbers
        place += 1
    return found


def class_names(column: pa.ChunkedArray, name: str) -> tuple[str, ...]:
    """Return a target column's classes: numbers by size, text by alphabet."""
    if pa.types.is_floating(column.type):
        column = _whole_numbers(column, name)
    values = sorted(pc.unique(column.drop_null()).to_pylist())
    if len(values) < 2:
        raise SelfsameError(
            f"data.target_column = {name!r}: two classes or more are needed, found: {values or 'none'}",
            "take another column, or label rows of another class",
        )
    if len(values) > MOST_CLASSES:
        raise SelfsameError(
            f"data.target_column = {name!r}: it has {len(values)} different values",
            "set data.target_kind to regression, or take a column with the classes",
        )
    return tuple(_word(value) for value in values)


def label_values(column: pa.ChunkedArray, name: str, classes: tuple[str, ...]) -> np.ndarray:
    """Return (N,) int64 class indices, ``UNLABELED`` where null; without classes (N,) float64, then NaN."""
    if not classes:
        return _target_numbers(column, name)
    if pa.types.is_floating(column.type):
        column = _whole_numbers(column, name)
    places = pc.index_in(_as_text(column), value_set=pa.array(classes))
    return np.asarray(places.fill_null(UNLABELED), dtype=np.int64)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column holds numbers; true and false are 1 and 0."""
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(check(kind) for check in checks)


def as_numbers(column: pa.ChunkedArray) -> np.ndarray:
    """Return (N,) float64 with one kind of NaN, for null too, and one kind of zero: ids are of the bytes."""
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    numbers = np.array(column.cast(pa.float64(), safe=False).to_numpy())
    numbers[np.isnan(numbers)] = np.nan
    return numbers + 0.0


def _values_of(column: pa.ChunkedArray, name: str) -> list[str]:
    values = sorted(pc.unique(_as_text(column).drop_null()).to_pylist())
    if len(values) > MOST_VALUES:
        words = [value for value in values if not _is_number_word(value)]
        hint = f"; among numbers it has {words[0]!r}" if 0 < len(words) < len(values) / 2 else ""
        raise SelfsameError(
            f"data.path: column {name!r} is text with {len(values)} values, such as {values[0]!r}{hint}",
            f"{IGNORE}; at most {MOST_VALUES} values can be categories",
        )
    return values


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.string())


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole_numbers(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        raise SelfsameError(
            f"data.target_column = {name!r}: its values are no whole numbers, so they can't be classes",
            "set data.target_kind to regression",
        ) from None


def _target_numbers(column: pa.ChunkedArray, name: str) -> np.ndarray:
    if is_text(column.type):
        words = column.to_pylist()
        row = next(row for row, word in enumerate(words) if word and not _is_number_word(word))
        raise SelfsameError(
            f"data.target_column = {name!r}: {words[row]!r} in row {row} is no number",
            "set data.target_kind to classification, or mend the value",
        )
    if not is_number(column.type):
        raise SelfsameError(
            f"data.target_column = {name!r}: of the type {column.type}, no number", "take another column"
        )
    numbers = as_numbers(column)
    if np.isinf(numbers).any():
        row = int(np.flatnonzero(np.isinf(numbers))[0])
        raise SelfsameError(f"data.target_column = {name!r}: infinite in row {row}", "mend the value")
    if np.isnan(numbers).all():
        raise SelfsameError(f"data.target_column = {name!r}: no row has a value", "label some rows")
    return numbers


def _is_number_word(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
