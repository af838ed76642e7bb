"""What a column is taken for, why, and what speaks against it: by what was seen of it alone."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from selfsame.core.layout import KEPT
from selfsame.core.tables import Column
from selfsame.sources.columns import RESERVED
from selfsame.sources.faults import Fault, counted, listed
from selfsame.sources.files import Reading
from selfsame.sources.seen import Seen
from selfsame.sources.spelling import (
    FEW_WORDS,
    NO_GUESS,
    date_pattern,
    looks_like_numbers,
    numbers_written_otherwise,
    share_of,
)
from selfsame.sources.words import DATE, TIME

MOST_VALUES = 100  # of a column of text; more are an id or free text
MOST_CATEGORIES = 1000  # of one that the user says is of categories
INDEX_NAMES = re.compile(r"|Unnamed: \d+(_level_\d+)?|__index_level_\d+__|index|level_0")
FOR_IDS = "if it means nothing, add it to data.ignore_columns"
ID_NAMES = re.compile(r"(?i)(.*[_ -])?(id|uuid|guid|key|nr|number|serial|idx|rowid)")
ID_SUFFIX = re.compile(r".*[a-z](Id|ID|Nr|Key)")


@dataclass(frozen=True)
class Verdict:
    """What becomes of a column.

    Attributes:
        column: how it is read; None if it can't be a feature.
        kind: what it is taken for, in words.
        why: what says so.
        ignore: whether it is proposed for ``data.ignore_columns``.
        remedy: the key of section ``data`` that would help, and what to add to it or set it to.
        fault: what stops the run, if it isn't ignored.
        note: what is worth knowing, but stops nothing.
    """

    name: str
    column: Column | None
    kind: str
    why: str
    ignore: bool = False
    remedy: tuple[str, Any] | None = None
    fault: Fault | None = None
    note: str | None = None


@dataclass(frozen=True)
class Context:
    """What a verdict goes by besides what was seen.

    Attributes:
        line: where a row stands, for a message.
        categories: ``data.category_columns``.
    """

    reading: Reading
    line: Callable[[tuple[int, int]], str]
    categories: Collection[str] = ()


def judge(seen: Seen, context: Context) -> Verdict:
    """Say what a column is taken for; nothing is guessed in silence."""
    name = seen.name

    def refuse(
        kind: str, why: str, fix: str, ignore: bool = True, remedy: tuple[str, Any] | None = None
    ) -> Verdict:
        remedy = remedy or ("ignore_columns", [name])
        return Verdict(name, None, kind, why, ignore, remedy, Fault(f"column {name!r} {why}", fix))

    ignoring = f"add {name!r} to data.ignore_columns"
    if INDEX_NAMES.fullmatch(name) and (not seen.words or not name):
        return refuse("row number", "has the name that a table's index gets when it is saved", ignoring)
    if name in RESERVED or name.startswith(KEPT):
        return refuse("reserved", "has a name that the project's own tables use", f"rename it, or {ignoring}")
    if seen.other_type is not None and seen.other_type.startswith(("timestamp", "date")):
        fix = f"set data.date_columns to {{{name}: null}}, or {ignoring}"
        return refuse("dates", f"is of the type {seen.other_type}", fix, True, ("date_columns", {name: None}))
    if seen.other_type is not None:
        return refuse(
            "neither",
            f"is of the type {seen.other_type}, neither number nor text",
            f"convert it, or {ignoring}",
        )
    if seen.as_date and (seen.known or seen.bad_dates):
        return _judge_dates(seen, context)
    if not seen.known:
        return refuse("empty", "has no values", ignoring)
    if seen.as_text:
        return _judge_words(seen, context, refuse, ignoring)
    for kind, (count, place, word) in sorted(seen.odd.items()):
        why = f"is {kind} in {counted(count, 'row')}, first {word!r} in {context.line(place)}"
        if kind == "beyond 2^53":
            why += ": such whole numbers become equal when they are computed with"
        return refuse("number", why, f"mend it, or {ignoring}", ignore=kind == "beyond 2^53")
    return _judge_numbers(seen)


def _judge_numbers(seen: Seen) -> Verdict:
    name, spread = seen.name, f"{seen.low:.6g} to {seen.high:.6g}"
    column = Column(name, "boolean" if seen.boolean else "number")
    counting = seen.even and seen.step == 1 and seen.whole and seen.rows > 10
    if counting:
        why = f"whole numbers that count the rows, {spread}"
        note = (
            f"column {name!r} counts the rows: data.ignore_columns is the place for it, if it means nothing"
        )
        return Verdict(name, column, "row number", why, True, note=note)
    if seen.low == seen.high:
        note = f"column {name!r} is {seen.low:g} in every row that has a value"
        return Verdict(name, column, "constant", f"always {seen.low:g}", seen.known == seen.rows, note=note)
    named = ID_NAMES.fullmatch(name) or ID_SUFFIX.fullmatch(name)
    if named and seen.whole and seen.high - seen.low >= 0.5 * seen.known and seen.known > 10:
        note = f"column {name!r} has the name of an id and whole numbers: {FOR_IDS}"
        return Verdict(name, column, "id", f"whole numbers, {spread}", True, note=note)
    if seen.boolean:
        return Verdict(name, column, "true or false", "its type")
    note = (
        f"column {name!r} has numbers with zeros in front, which are lost: for codes, that mean no amounts, "
    )
    note += "data.category_columns is the place"
    why = f"{'whole numbers' if seen.whole else 'all are numbers'}, {spread}"
    return Verdict(name, column, "number", why, note=note if seen.padded else None)


def _judge_dates(seen: Seen, context: Context) -> Verdict:
    name = seen.name
    if seen.bad_dates:
        word, place = next(iter(seen.first.items()))
        written = f"written as {seen.pattern}" if seen.pattern else "ISO 8601 (2024-12-31, 2024-12-31 23:59)"
        why = f"has {counted(seen.bad_dates, 'value')} that are not {written}, first {word!r} in "
        why += context.line(place)
        fix = (
            "correct the format in data.date_columns, as strptime has it (%d.%m.%Y), or mend the values; or "
        )
        fix += f"move {name!r} from there to data.ignore_columns"
        return Verdict(
            name,
            None,
            "date",
            why,
            remedy=NO_GUESS,
            fault=Fault(f"column {name!r} {why}", fix),
        )
    parts = [part for part, values in seen.parts.items() if len(values) > 1]
    day = any(part != "hour" for part in parts)
    column = Column(
        name, "date", (*parts, *(["age_days"] if day or not parts else [])), seen.pattern, seen.latest
    )
    return Verdict(name, column, "date", f"data.date_columns; up to {seen.latest}")


def _judge_words(seen: Seen, context: Context, refuse: Callable[..., Verdict], ignoring: str) -> Verdict:
    name, words = seen.name, seen.words
    category = Verdict(
        name, Column(name, "text", tuple(sorted(words))), "categories", f"{len(words)} different words"
    )
    if name in context.categories:
        if len(words) > MOST_CATEGORIES or seen.overflow:
            return refuse("text", f"has more than {MOST_CATEGORIES} different words", ignoring)
        return category
    if {word.casefold() for word in words} <= {"true", "false"}:
        return Verdict(name, Column(name, "boolean"), "true or false", "it has no other words")
    if unlike := numbers_written_otherwise(seen, context.reading, context.line):
        why, fix, remedy = unlike
        return refuse("numbers written otherwise", why, fix, False, remedy)
    dates = share_of(words, lambda word: DATE.fullmatch(word) or TIME.fullmatch(word))
    if dates > 0.9:
        why = f"has dates or times, such as {listed(words, 2)}"
        pattern = date_pattern(words)
        if pattern == "":
            return refuse(
                "dates",
                f"{why}, in several ways or in one that isn't known",
                f"write them alike, or {ignoring}",
            )
        written = "null" if pattern is None else repr(pattern)
        fix = f"set data.date_columns to {{{name}: {written}}}, or {ignoring}"
        return refuse("dates", why, fix, True, ("date_columns", {name: pattern}))
    if unlike := looks_like_numbers(seen, context.reading):
        why, fix, remedy = unlike
        return refuse("numbers written otherwise", why, fix, False, remedy)
    if len(words) > MOST_VALUES:
        many = f"more than {len(words):,}" if seen.overflow else f"{len(words):,}"
        kind = "id" if len(words) > 0.9 * seen.known or seen.overflow else "free text"
        return refuse(
            kind,
            f"is text with {many} different values, such as {listed(words, 2)}: {kind}, it seems",
            f"{ignoring}; or, if they are categories, to data.category_columns (at most {MOST_CATEGORIES})",
        )
    if len(words) > 0.9 * seen.known and len(words) > 20:
        note = (
            f"column {name!r} has another word in nearly every row: an id or free text, it seems; {FOR_IDS}"
        )
        return Verdict(name, category.column, "id or free text", category.why, True, note=note)
    if len(words) == 1:
        note = f"column {name!r} is {next(iter(words))!r} in every row that has a value"
        return Verdict(name, category.column, "constant", "one word", seen.known == seen.rows, note=note)
    if len(words) > FEW_WORDS and all(word[:1].isdigit() for word in words):
        note = (
            f"column {name!r} has {len(words)} different words that begin with a digit, each a category: if "
        )
        note += "they are numbers, write them as such"
        return replace(category, note=note)
    return category


def of_one_side(seen: Seen) -> str | None:
    """Say that a column, or words of it, stand in labeled rows alone, or in the others alone."""
    name = seen.name
    if not seen.known_labeled:
        return f"column {name!r} has values in rows without a label alone: nothing can be learned from it"
    if seen.known_labeled == seen.known:
        return f"column {name!r} has no value in any row without a label"
    if seen.as_text and (new := sorted({*seen.words} - seen.labeled_words)):
        return f"column {name!r} has {listed(new)} in rows without a label alone"
    return None
