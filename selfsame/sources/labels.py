"""From the words of a target column, or the names of class folders, to classes: which word is which."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from selfsame.core.labels import UNLABELED
from selfsame.sources.faults import Fault, counted, listed
from selfsame.sources.words import (
    ANY_NUMBER,
    LEADING_ZERO,
    NUMBER,
    UNIT,
    is_doubtful,
    is_no_label,
    twins,
)

MOST_CLASSES = 1000
FEW_CLASSES = 20


@dataclass
class Classes:
    """What the words of a target column are.

    Attributes:
        names: the classes, in order: as given, else numbers by size, text by alphabet.
        of_word: a class's index for every word, or ``UNLABELED``.
        rows: of every class.
        unlabeled: rows without a label, by the word that says so; "" for an empty one.
        doubtful: classes that look like a mark for rows without a label.
    """

    names: tuple[str, ...] = ()
    of_word: dict[str, int] = field(default_factory=dict)
    rows: tuple[int, ...] = ()
    unlabeled: dict[str, int] = field(default_factory=dict)
    doubtful: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def settle_classes(
    words: Mapping[str, int],
    where: str,
    unlabeled: list[str] | None = None,
    given: Sequence[str] | None = None,
    noun: str = "row",
) -> Classes:
    """Tell classes from marks for rows without a label; nothing doubtful passes in silence.

    Args:
        words: how often each tidy word stands there; "" for an empty one.
        where: the column or folder, for messages.
        unlabeled: ``data.unlabeled_values``.
        given: ``data.classes``: every class there is; None takes what is there.
    """
    found = Classes()
    named = {word: count for word, count in words.items() if word not in (given or ())}
    found.unlabeled = {word: count for word, count in named.items() if is_no_label(word, unlabeled)}
    named = {word: count for word, count in words.items() if word not in found.unlabeled}
    canonical = _canonical(named)
    rows: Counter[str] = Counter()
    for word, name in canonical.items():
        rows[name] += named[word]
    found.names = tuple(given) if given is not None else tuple(sorted(rows, key=_order(rows)))
    found.rows = tuple(rows[name] for name in found.names)
    found.of_word = dict.fromkeys(found.unlabeled, UNLABELED)
    found.of_word |= {
        word: found.names.index(name) for word, name in canonical.items() if name in found.names
    }
    found.faults = [
        *_strangers(rows, where, given, noun),
        *_faults(found, rows, where, unlabeled, given, noun),
    ]
    return found


def _canonical(words: Mapping[str, int]) -> dict[str, str]:
    """Return every word's class: ``1.0`` is 1 where all are whole numbers, True is true; ``01`` stays."""
    if words and {word.casefold() for word in words} <= {"true", "false"}:
        return {word: word.lower() for word in words}
    if all(NUMBER.fullmatch(word) for word in words) and not any(map(LEADING_ZERO.fullmatch, words)):
        whole = {word: word.removesuffix(".0").removesuffix(".") for word in words}
        if all(name.lstrip("+-").isdigit() for name in whole.values()):
            return {word: str(int(name)) for word, name in whole.items()}
    return {word: word for word in words}


def _order(names: Mapping[str, int]) -> Callable[[str], Any]:
    numeric = all(NUMBER.fullmatch(name) for name in names)
    return (lambda name: (float(name), name)) if numeric else (lambda name: name)


def _strangers(rows: Mapping[str, int], where: str, given: Sequence[str] | None, noun: str) -> list[Fault]:
    """Return a fault for what isn't one of the given classes."""
    strange = [name for name in rows if name not in (given if given is not None else rows)]
    if not strange:
        return []
    near = [match for name in strange for match in get_close_matches(name, given or (), n=1)]
    hint = f"did you mean {near[0]!r}? mend them" if near else "mend them"
    return [
        Fault(
            f"{where}: {listed(strange)} ({counted(sum(rows[name] for name in strange), noun)}) is none of "
            f"data.classes",
            f"{hint}, or add them to data.classes, or to data.unlabeled_values",
        )
    ]


def _like_number(word: str) -> bool:
    """Tell whether a word is a number with a unit, or with other signs than a plain one."""
    unit = UNIT.fullmatch(word)
    return not NUMBER.fullmatch(word) and bool(
        ANY_NUMBER.fullmatch(word) or (unit and (unit["before"] or unit["after"]))
    )


def _faults(
    found: Classes,
    rows: Mapping[str, int],
    where: str,
    unlabeled: list[str] | None,
    given: Sequence[str] | None,
    noun: str,
) -> list[Fault]:
    faults = []
    found.doubtful = [name for name in found.names if given is None and is_doubtful(name, unlabeled)]
    for name in found.doubtful:
        markers = [*(word for word in found.unlabeled if word), name]
        faults.append(
            Fault(
                f"{where}: {name!r} ({counted(rows[name], noun)}) would be a class of its own, but looks "
                "like a mark for no label",
                f"if it is one, set data.unlabeled_values to {markers}; if it is a class, set data.classes "
                "to the list of all classes",
            )
        )
    if given is None:
        faults += [
            Fault(
                f"{where}: the classes "
                + " and ".join(f"{name!r} ({counted(rows[name], noun)})" for name in group)
                + " differ in spelling alone",
                "write them alike; or, if they differ, set data.classes to the list of all classes",
            )
            for group in twins(found.names)
        ]
    present = [name for name in found.names if rows.get(name)]
    if absent := [name for name in found.names if not rows.get(name)]:
        faults.append(
            Fault(
                f"{where}: no {noun} is of the class {listed(absent)}", "label some, or correct data.classes"
            )
        )
    elif len(present) < 2:
        faults.append(
            Fault(
                f"{where}: two classes or more are needed, found: {listed(present) or 'none'}",
                "label some of another class" + (", or take another column" if noun == "row" else ""),
            )
        )
    if len(present) > MOST_CLASSES:
        faults.append(
            Fault(
                f"{where}: {len(present):,} different classes, such as {listed(present, 3)}",
                "set data.target_kind to regression, or take a column with the classes",
            )
        )
    elif len(present) > FEW_CLASSES and 2 * sum(map(_like_number, present)) > len(present):
        faults.append(
            Fault(
                f"{where}: {len(present):,} different classes, and most look like numbers that are written "
                f"otherwise: {listed(present, 3)}",
                "to predict values, write them as plain numbers, or set data.decimal and data.thousands, and "
                "set data.target_kind to regression; if they are classes, set data.classes",
            )
        )
    elif all(NUMBER.fullmatch(name) for name in present) and any("." in name for name in present):
        faults.append(
            Fault(
                f"{where}: {listed(present)} are no whole numbers, so they can't be classes",
                "set data.target_kind to regression",
            )
        )
    return faults
