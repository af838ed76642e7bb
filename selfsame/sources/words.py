"""How people write that a value is missing, that a row has no label, a number, a date: by the text alone."""

import re
import unicodedata
from collections.abc import Iterable

# Read as a missing value of a feature, where data.missing_values says nothing else.
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A")
# Read as "no label", whatever the case, where data.unlabeled_values says nothing else …
UNLABELED_WORDS = ("", "?", "-", "--", "na", "n/a", "#n/a", "nan", "null", "nil", "unlabeled", "unlabelled")
# … and these may be a class or not: the user is asked.
DOUBTFUL_WORDS = (
    "none",
    "unknown",
    "unk",
    "-1",
    "missing",
    "undefined",
    "not labeled",
    "not labelled",
    "no label",
    "unsorted",
    "unclassified",
    "todo",
    "tbd",
)

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
COMMA_NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d{3})*,\d+|[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
THOUSANDS = re.compile(  # in groups of two too, as in India
    r"[+-]?\d{1,3}([,'’ \u00a0\u202f]\d{2,3})*[,'’ \u00a0\u202f]\d{3}(\.\d+)?"
    r"|[+-]?\d{1,3}(\.\d{3}){2,}(,\d+)?",
    re.ASCII,
)
POINT_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d+)?", re.ASCII)
# However it is written: other digits and signs, brackets for a minus, D for an exponent, quotes, thousands.
ANY_NUMBER = re.compile(
    r"(=?[\"'])?[-+(\u2212\u2013]?(\d+|\d{1,3}([.,'’_ \u00a0\u202f]\d{2,3})+)([.,]\d+)?([eEdD][+-]?\d+)?"
    r"\)?[\"']?"
)
UNIT = re.compile(r"(?P<before>[€$£¥]\s?)?[+-]?\d[\d.,]*\s?(?P<after>[^\d\s.,:/-][^\d]*)?")
DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ]\d{1,2}[:.]\d{2}.*)?|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})([T ,].*)?"
    r"|[A-Z][a-z]{2,8} \d{1,2},? \d{4}|\d{1,2}[ -][A-Z][a-z]{2,8}[ -]\d{4}"
)
TIME = re.compile(r"\d{1,2}[:.]\d{2}([:.]\d{2}(\.\d+)?)?( ?[AaPp][Mm])?")
LEADING_ZERO = re.compile(r"0\d+")
JOINT = re.compile(r"(?<=[^\W\d])[\s_-]+(?=\w)|(?<=\w)[\s_-]+(?=[^\W\d])")  # never between two digits


def tidy(word: str) -> str:
    """Return a word without surrounding space, in Unicode's composed form."""
    return unicodedata.normalize("NFC", word.strip())


def is_no_label(word: str, chosen: list[str] | None) -> bool:
    """Tell whether a tidy word of the target column says that a row has no label.

    Args:
        chosen: ``data.unlabeled_values``: exactly these and the empty word; None for ``UNLABELED_WORDS``.
    """
    return word.casefold() in UNLABELED_WORDS if chosen is None else not word or word in chosen


def is_doubtful(word: str, chosen: list[str] | None) -> bool:
    """Tell whether a class looks like a mark for rows without a label, and nobody has said that it isn't."""
    return chosen is None and word.casefold() in DOUBTFUL_WORDS


def twins(words: Iterable[str]) -> list[list[str]]:
    """Return the groups of words that differ in case, spaces, hyphens, zeros in front or form alone."""
    groups: dict[str, list[str]] = {}
    for word in words:
        groups.setdefault(_likeness(word), []).append(word)
    return [group for group in groups.values() if len(group) > 1]


def _likeness(word: str) -> str:
    if NUMBER.fullmatch(word):
        return f"{float(word):.17g}"
    return JOINT.sub("", unicodedata.normalize("NFKC", word).casefold())
