"""Moments from text, as people write them; a day that no calendar has is none."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ISO = r"^\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?$"
ZONE = r" ?(Z|[+-]\d{2}:?\d{2})$"


def to_moments(words: pa.Array, pattern: str | None) -> pa.Array:
    """Return text as timestamps in seconds, null where it is none.

    A zone behind an ISO 8601 moment is not looked at: what the clock there showed counts.

    Args:
        pattern: how they are written, as ``strptime`` has it; None for ISO 8601.
    """
    if pattern is None:
        short = pc.utf8_slice_codeunits(pc.replace_substring_regex(words, ZONE, ""), 0, 19)
        short = pc.replace_substring(short, "T", " ")
        fitting = pc.if_else(pc.match_substring_regex(short, ISO), short, None)
        try:
            return fitting.cast(pa.timestamp("s"))
        except pa.ArrowInvalid:
            return _checked(fitting, fitting, None).cast(pa.timestamp("s"))
    found = pc.strptime(words, format=pattern, unit="s", error_is_null=True)
    # The 31st of April becomes the 1st of May, and the 30th of February the 1st or 2nd of March.
    carried = pc.less_equal(pc.day(found), 3).fill_null(False)
    return _checked(found, pc.if_else(carried, words, None), pattern)


def _checked(found: pa.Array, doubtful: pa.Array, pattern: str | None) -> pa.Array:
    """Return null in the place of each doubtful word that Python doesn't read."""
    coded = doubtful.dictionary_encode()
    fits = np.array([_is_moment(word, pattern) for word in coded.dictionary.to_pylist()] + [True])
    codes = coded.indices.fill_null(len(fits) - 1).to_numpy(zero_copy_only=False)
    return pc.if_else(pa.array(fits[codes]), found, None)


def _is_moment(word: str, pattern: str | None) -> bool:
    try:
        datetime.fromisoformat(word) if pattern is None else datetime.strptime(word, pattern)
    except ValueError as error:
        return "directive" in str(error)  # one that the C library knows and Python doesn't
    return True
