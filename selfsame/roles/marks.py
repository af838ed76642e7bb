"""The group and the time of each row, from a column that is no input, or from one that is."""

import re
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.dates import to_moments
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams

SHOWN = 20  # names in a message


def words_of(
    name: str, key: str, kept: Mapping[str, pa.Array], inputs: np.ndarray, info: TableInfo
) -> pa.Array:
    """Return a column of some rows as text, null where a row has no value.

    Args:
        key: the parameter that names the column, for messages.
        kept: columns that are no input.
        inputs: (N, F) features, or images.

    Raises:
        SelfsameError: there is no such column.
    """
    if name in kept:
        return kept[name]
    if name in info.features:
        return _numbers(inputs[:, info.features.index(name)])
    column = next((each for each in info.columns if each.name == name), None)
    if column is not None and column.kind == "text":
        places = [info.features.index(f"{name}={value}") for value in column.values]
        hot = np.nan_to_num(inputs[:, places])
        words = pa.array(column.values, pa.string())
        return words.take(pa.array(hot.argmax(axis=1), mask=~hot.any(axis=1)))
    if column is not None and "age_days" in column.values:
        return _numbers(-inputs[:, info.features.index(f"{name}.age_days")])
    names = [*kept, *(each.name for each in info.columns or ())] or list(info.features)
    raise SelfsameError(
        f"params.yaml: split.{key} = {name!r}: the data have no such column",
        f"they have {', '.join(map(repr, names[:SHOWN])) or 'none'}",
    )


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values)).cast(pa.string())


def groups(words: pa.Array, ids: np.ndarray, params: SplitParams) -> np.ndarray:
    """Return (N,) uint64, the same for rows of one group: a digest of its name, whatever others there are.

    A row without a value is a group of its own, by its id.

    Args:
        ids: (N, 2) uint64.
    """
    found = _found(words, params.group_pattern, "group_pattern").dictionary_encode()
    names = [
        int.from_bytes(blake2b(each.encode(), digest_size=8).digest(), "big")
        for each in found.dictionary.to_pylist()
    ]
    alone = found.is_null().to_numpy(zero_copy_only=False)
    codes = found.indices.fill_null(0).to_numpy(zero_copy_only=False)
    marks: np.ndarray = np.where(alone, ids[:, 0], np.array([*names, 0], np.uint64)[codes])
    return marks


def times(words: pa.ChunkedArray, params: SplitParams) -> np.ndarray:
    """Return (N,) float64, NaN where a row has none.

    Raises:
        SelfsameError: a value is neither a number nor a time as ``split.time_format`` says.
    """
    found = _found(words, params.time_pattern, "time_pattern").combine_chunks()
    if params.time_format is None:
        with suppress(pa.ArrowInvalid):
            return _floats(found.cast(pa.float64()))
    moments = to_moments(found, params.time_format)
    bad = pc.and_(moments.is_null(), found.is_valid()).to_numpy(zero_copy_only=False)
    if bad.any():
        written = params.time_format or "a number or ISO 8601 (2024-12-31)"
        row = int(np.flatnonzero(bad)[0])
        raise SelfsameError(
            f"params.yaml: split.time_column = {params.time_column}: {int(bad.sum())} values are not "
            f"{written}; first {found[row].as_py()!r} in row {row}",
            "set split.time_format to how they are written, such as '%d.%m.%Y'; or split.time_pattern",
        )
    return _floats(moments.cast(pa.int64()).cast(pa.float64()))


def _floats(values: pa.Array) -> np.ndarray:
    return np.array(values.to_numpy(zero_copy_only=False), np.float64)


def _found(words: pa.Array | pa.ChunkedArray, pattern: str | None, key: str) -> Any:
    """Return what the first parentheses of a pattern find in each word; null where it doesn't fit."""
    if pattern is None:
        return words
    try:
        if re.compile(pattern).groups < 1:
            raise re.error("it has no parentheses")
        named = re.sub(r"\((?!\?)", "(?P<it>", pattern, count=1)
        return pc.struct_field(pc.extract_regex(words, pattern=named), "it")
    except (re.error, pa.ArrowException) as error:
        raise SelfsameError(
            f"params.yaml: split.{key} = {pattern!r}: {error}", r"write one such as 'patient(\d+)'"
        ) from None
