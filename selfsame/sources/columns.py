"""From the columns of a table to numbers: pure functions of what is recorded of the columns, and of rows.

A column of text becomes one feature for each of its values, named ``column=value``, which is 1 where the
row has it and 0 elsewhere; a date becomes its year, month, weekday, hour and age. What is missing is NaN, in
every feature of its column. Nothing is fitted to labels here.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.dates import to_moments
from selfsame.core.tables import Column
from selfsame.sources.files import Reading
from selfsame.sources.words import tidy

RESERVED = ("example_id", "label", "source_row", "source_role")  # the other columns of a table of examples
TRUTHS = ("false", "true")
SECONDS_OF_A_DAY = 86_400


def feature_names(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the features that columns become."""
    return tuple(name for each in columns for name in features_of(each))


def features_of(column: Column) -> list[str]:
    """Return the features that one column becomes."""
    if column.kind == "text":
        return [f"{column.name}={value}" for value in column.values]
    return [f"{column.name}.{part}" for part in column.values] if column.kind == "date" else [column.name]


def encode(rows: pa.Table | pa.RecordBatch, columns: Sequence[Column]) -> np.ndarray:
    """Return the features of some rows: (N, F) float64. Text that is none of its column's values is 0 in all.

    Args:
        rows: with a column for each of ``columns``, as ``typed_column`` returns them.
    """
    found = np.empty((len(rows), len(feature_names(columns))))
    place = 0
    for each in columns:
        for feature in _features(rows[each.name], each):
            found[:, place] = feature
            place += 1
    return _one_kind(found)


def _features(values: pa.Array | pa.ChunkedArray, column: Column) -> list[np.ndarray]:
    if column.kind == "text":
        words = values if is_text(values.type) else values.cast(pa.string())
        codes = pc.index_in(words.cast(pa.string()), value_set=pa.array(column.values, pa.string()))
        places = np.asarray(codes.fill_null(-1))
        missing = np.asarray(values.is_null())
        return [np.where(missing, np.nan, places == place) for place in range(len(column.values))]
    if column.kind == "date":
        return _date_features(values, column)
    return [_plain_numbers(values)]


def _date_features(values: pa.Array, column: Column) -> list[np.ndarray]:
    moments = values.cast(pa.timestamp("s"), safe=False)
    latest = pa.scalar(column.latest).cast(pa.timestamp("s"))
    parts = {
        "year": lambda: pc.year(moments),
        "month": lambda: pc.month(moments),
        "weekday": lambda: pc.day_of_week(moments),
        "hour": lambda: pc.hour(moments),
        "age_days": lambda: pc.divide(
            pc.subtract(latest, moments).cast(pa.int64()).cast(pa.float64()), SECONDS_OF_A_DAY
        ),
    }
    return [_plain_numbers(parts[part]()) for part in column.values]


def as_numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return (N,) float64 with one kind of NaN, for null too, and one kind of zero: ids are of the bytes.

    Text must be ``true`` or ``false``, of any case: 1 and 0.
    """
    return _one_kind(np.array(_plain_numbers(column)))


def _plain_numbers(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return (N,) float64, perhaps the column's own memory."""
    if column.type != pa.float64():
        if is_text(column.type):
            column = pc.index_in(pc.utf8_lower(column.cast(pa.string())), value_set=pa.array(TRUTHS))
        if pa.types.is_boolean(column.type):
            column = column.cast(pa.int8())
        column = column.cast(pa.float64(), safe=False)
    return np.asarray(column)


def _one_kind(numbers: np.ndarray) -> np.ndarray:
    """Give an array of its own one kind of NaN and of zero, in place, and return it."""
    numbers += 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        some = np.isnan(numbers.sum())  # costs less than to look at each
    if some:
        numbers[np.isnan(numbers)] = np.nan
    return numbers


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column holds text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(check(kind) for check in checks)


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column holds numbers; true and false are 1 and 0."""
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(check(kind) for check in checks)


def is_date(kind: pa.DataType) -> bool:
    """Tell whether a column holds dates or moments."""
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def typed_column(values: pa.Array, column: Column, reading: Reading) -> pa.Array:
    """Return one raw column as its kind."""
    if column.kind == "number":
        numbers = to_numbers(values, reading)
        return _numbers_among(values, reading) if numbers is None else numbers
    if column.kind == "date":
        return to_dates(values, column.format, reading)
    if is_number(values.type) and column.kind == "boolean":
        return values
    return to_words(values, reading)


def to_words(values: pa.Array, reading: Reading) -> pa.Array:
    """Return values as tidy text, null where it says that one is missing."""
    if not is_text(values.type):
        return values.cast(pa.string(), safe=False)
    coded = values if pa.types.is_dictionary(values.type) else values.cast(pa.string()).dictionary_encode()
    missing = set(reading.missing)
    words = [
        None if word is None or word in missing else word for word in map(_tidy, coded.dictionary.to_pylist())
    ]
    return pa.array(words, pa.string()).take(coded.indices)


def _tidy(word: str | None) -> str | None:
    return None if word is None else tidy(word)


def to_numbers(values: pa.Array, reading: Reading) -> pa.Array | None:
    """Return values as float64, or None if some value is no number."""
    if pa.types.is_float64(values.type):
        return values
    if pa.types.is_decimal(values.type):
        return values.cast(pa.string()).cast(
            pa.float64()
        )  # straight to a float it would not be the nearest one
    if is_number(values.type):
        kind = pa.int8() if pa.types.is_boolean(values.type) else values.type
        return values.cast(kind).cast(pa.float64(), safe=False)
    if pa.types.is_null(values.type):
        return values.cast(pa.float64())
    if not is_text(values.type):
        return None
    plain = reading.decimal == "." and reading.thousands is None
    try:
        return values.cast(pa.string()).cast(pa.float64()) if plain else _rewritten(values, reading)
    except pa.ArrowInvalid:
        pass
    words = pc.utf8_trim_whitespace(values.cast(pa.string()))
    words = pc.if_else(pc.is_in(words, value_set=pa.array(reading.missing)), None, words)
    try:
        return words.cast(pa.float64()) if plain else _rewritten(words, reading)
    except pa.ArrowInvalid:
        return None


def _rewritten(words: pa.Array, reading: Reading) -> pa.Array:
    """Return numbers written with other signs than ``1234.5``; raise ArrowInvalid if some are none."""
    words = words.cast(pa.string())
    pattern = number_pattern(reading)
    if not pc.all(pc.match_substring_regex(words, f"^(?:{pattern})$"), min_count=0).as_py():
        raise pa.ArrowInvalid("no number")
    if reading.thousands is not None:
        words = pc.replace_substring(words, reading.thousands, "")
    return pc.replace_substring(words, reading.decimal, ".").cast(pa.float64())


def number_pattern(reading: Reading) -> str:
    """Return the regular expression of a number as ``reading`` has it."""
    point, whole = f"[{reading.decimal}]", r"\d+"
    if reading.thousands is not None:
        sign = f"[{reading.thousands}]"  # in India, groups of two stand before the last one of three
        whole = rf"(?:\d{{1,3}}(?:{sign}\d{{2,3}})*{sign}\d{{3}}|\d+)"
    return rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"


def _numbers_among(values: pa.Array, reading: Reading) -> pa.Array:
    words = to_words(values, reading)
    fits = pc.match_substring_regex(words, f"^(?:{number_pattern(reading)})$")
    kept = to_numbers(pc.if_else(fits, words, None), reading)
    assert kept is not None
    return kept


def to_dates(values: pa.Array, pattern: str | None, reading: Reading) -> pa.Array:
    """Return values as moments, null where one is none.

    Args:
        pattern: how they are written, as ``strptime`` has it; None for ISO 8601.
    """
    if is_date(values.type):
        return values.cast(pa.timestamp("s"), safe=False)
    return to_moments(to_words(values, reading), pattern)


def kept_words(piece: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column that is no feature as text; null where a file doesn't have it, or it can't be text."""
    try:
        return piece.column(name).cast(pa.string(), safe=False)
    except (KeyError, pa.ArrowException):
        return pa.nulls(len(piece), pa.string())


def text_of_bytes(values: pa.Array) -> pa.Array:
    """Return bytes as text, if they are UTF-8."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:
        return values


def blank_rows(piece: pa.RecordBatch) -> int:
    """Count the rows that have no value in any column."""
    if not all(column.null_count for column in piece.columns):
        return 0
    missing = [column.is_null().to_numpy(zero_copy_only=False) for column in piece.columns]
    return int(np.logical_and.reduce(missing).sum())
