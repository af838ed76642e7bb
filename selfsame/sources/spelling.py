"""How the words of a column would be numbers or dates, if they were written, or read, otherwise."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from selfsame.sources.columns import number_pattern
from selfsame.sources.faults import counted, listed
from selfsame.sources.files import Reading
from selfsame.sources.seen import Seen
from selfsame.sources.words import ANY_NUMBER, COMMA_NUMBER, POINT_THOUSANDS, THOUSANDS, UNIT

Unlike = tuple[str, str, tuple[str, Any] | None]  # why, fix, and the key of section ``data`` that would help
DATE_PATTERNS = [
    f"{day}{time}"
    for day in (
        "%d.%m.%Y",
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%Y/%m/%d",
        "%d-%m-%Y",
        "%m-%d-%Y",
        "%Y.%m.%d",
        "%d.%m.%y",
        "%m/%d/%y",
        "%b %d, %Y",
        "%B %d, %Y",
        "%d %b %Y",
        "%d %B %Y",
        "%d-%b-%Y",
    )
    for time in ("", " %H:%M", " %H:%M:%S", " %H.%M.%S")
]
TIME_PATTERNS = ["%H:%M", "%H:%M:%S", "%H.%M.%S", "%H.%M", "%I:%M %p"]
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d:?\d\d))?)?")
FEW_WORDS = 20  # different ones may be categories, numbers among them or not
STRAYS = 3  # words among numbers that may mean one thing each; more are ids
NO_GUESS = ("", None)
BLANK = re.compile(r"\W*|#\w+/?\w*!?|n/?a|none|null|nan|missing|unknown|unk|inf|-?9{3,}", re.IGNORECASE)


def numbers_written_otherwise(seen: Seen, reading: Reading, line: Callable[[Any], str]) -> Unlike | None:
    """Say why a column that could be numbers is none; None if it isn't like that."""
    words = seen.words
    known = re.compile(number_pattern(reading), re.ASCII)
    odd = [word for word in words if not known.fullmatch(word)]
    many = (
        len(words) > STRAYS * len(odd) and len(words) > FEW_WORDS // 2
    )  # though one word stands in most rows
    if odd and (many or share_of(words, known.fullmatch) >= 0.5):
        total = counted(sum(words[word] for word in odd), "row")
        return (
            f"is numbers but for {listed(odd)} in {total}, first {odd[0]!r} in {line(seen.first[odd[0]])}",
            "if they mean a missing value, set data.missing_values to a list with them; else mend them; or "
            f"add {seen.name!r} to data.category_columns",
            _odd_words(seen, odd),
        )
    return _signs(words, reading, known) or _unit(seen)


def _odd_words(seen: Seen, odd: list[str]) -> tuple[str, Any]:
    """Return the key that would help with words among numbers, and its value, or ``NO_GUESS``."""
    if all(map(BLANK.fullmatch, odd)):
        return "missing_values", odd
    if any(map(ANY_NUMBER.fullmatch, odd)):
        return NO_GUESS
    if len(seen.words) <= FEW_WORDS:
        return "category_columns", [seen.name]
    if len(odd) > STRAYS:
        return "ignore_columns", [seen.name]
    repeated = all(seen.words[word] > 1 and not re.search(r"\d", word) for word in odd)
    return ("missing_values", odd) if repeated else NO_GUESS


def looks_like_numbers(seen: Seen, reading: Reading) -> Unlike | None:
    """Say that most words are numbers in some other way of writing than is set, or in several."""
    words = seen.words
    if len(words) <= 3 or share_of(words, ANY_NUMBER.fullmatch) < 0.5:
        units = share_of(
            words, lambda word: (found := UNIT.fullmatch(word)) and (found["before"] or found["after"])
        )
        if len(words) <= FEW_WORDS or units < 0.9:
            return None
    return (
        f"has numbers, but not all as data.decimal = {reading.decimal!r} and data.thousands = "
        f"{reading.thousands!r} say: {listed(words, 3)}",
        f"write them all in one way, without units; or add {seen.name!r} to data.ignore_columns",
        NO_GUESS,
    )


def _signs(words: Mapping[str, int], reading: Reading, known: re.Pattern[str]) -> Unlike | None:
    """Say that the sign before decimals or between thousands is another one."""
    commas = share_of(words, lambda word: COMMA_NUMBER.fullmatch(word) or known.fullmatch(word))
    thousands = share_of(words, lambda word: THOUSANDS.fullmatch(word) or known.fullmatch(word))
    grouped = list(filter(THOUSANDS.fullmatch, words))
    if thousands >= 0.5 and thousands >= commas and reading.thousands is None and grouped:
        sign = next(sign for sign in grouped[0] if not sign.isalnum() and sign not in "+-")
        also = "; or data.decimal, if it is the decimal sign" if sign == "," else ""
        return (
            f"has numbers with a sign between thousands, such as {listed(grouped, 2)}",
            f"set data.thousands to {sign!r}{also}",
            ("thousands", sign),
        )
    in_points = [word for word in words if POINT_THOUSANDS.fullmatch(word)]
    pointed = share_of(words, lambda word: POINT_THOUSANDS.fullmatch(word) or known.fullmatch(word))
    if in_points and pointed >= 0.5 and reading.decimal == "," and reading.thousands is None:
        why = f"has numbers with points between thousands, such as {listed(in_points, 2)}"
        return why, 'set data.thousands to "."', ("thousands", ".")
    if commas >= 0.5 and reading.decimal != ",":
        points = any("." in word for word in words)
        in_commas = [word for word in words if COMMA_NUMBER.fullmatch(word)]
        return (
            f"has numbers with a decimal comma, such as {listed(in_commas, 2)}",
            'set data.decimal to ","' + (' and data.thousands to "."' if points else ""),
            ("decimal", ","),
        )
    if share_of(words, THOUSANDS.fullmatch) >= 0.5:
        return (
            f"has numbers with other signs than data.thousands = {reading.thousands!r}: {listed(words, 2)}",
            "correct data.thousands, or data.decimal",
            None,
        )
    return None


def _unit(seen: Seen) -> Unlike | None:
    """Say that all numbers have the same unit behind or before them."""
    found = [UNIT.fullmatch(word) for word in seen.words]
    units = {((each["before"] or "") + (each["after"] or "")).strip() if each else "" for each in found}
    if len(units) != 1 or len(found) < 3 or not (unit := units.pop()):
        return None
    return (
        f"has numbers with a unit, such as {listed(seen.words, 2)}",
        f"leave {unit!r} away in the file; or add {seen.name!r} to data.category_columns",
        None,
    )


def date_pattern(words: Iterable[str]) -> str | None:
    """Return how dates or times are written, as ``strptime`` has it; None for ISO 8601, "" if nothing fits.

    Where day and month could be either, the day comes first after points and hyphens, not after slashes.
    """
    some = list(words)[:1000]
    if all(map(ISO_DATE.fullmatch, some)):
        return None
    return next((each for each in (*DATE_PATTERNS, *TIME_PATTERNS) if _fits(each, some)), "")


def _fits(pattern: str, words: list[str]) -> bool:
    try:
        return all(datetime.strptime(word, pattern) for word in words)
    except ValueError:
        return False


def share_of(words: Mapping[str, int], fits: Callable[[str], Any]) -> float:
    """Return in which share of the rows a word fits."""
    total = sum(words.values())
    return sum(count for word, count in words.items() if fits(word)) / total if total else 0.0
