"""What was seen of one column while its rows went by, in memory that doesn't grow with them."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.sources.columns import is_text, to_dates, to_numbers, to_words
from selfsame.sources.files import Reading
from selfsame.sources.words import NUMBER

MOST_WORDS = 5000  # different ones that are remembered of a column
LARGEST = 1e100  # beyond, squares have no room in a float
EXACT = 2.0**53  # beyond, two whole numbers can be one float

Place = tuple[int, int]  # file, row in it


@dataclass
class Seen:
    """One column.

    Attributes:
        as_text: whether its values are taken for words, not for numbers; ``changed`` says that it turned out
            to be so only after some were taken for numbers.
        as_date: whether it is in ``data.date_columns``; then ``pattern`` is how they are written.
        known: rows with a value; ``known_labeled`` those of them that have a label.
        words: how often each word stands there, of those that have no label too, and where first.
        odd: faulty numbers, with their first place: infinite, too large, or whole and beyond 2^53.
        padded: whether some of the first numbers have a zero in front, as codes have.
        step: the difference of all neighbouring values, where it is always the same.
    """

    name: str
    as_text: bool = False
    as_date: bool = False
    pattern: str | None = None
    other_type: str | None = None
    changed: bool = False
    rows: int = 0
    known: int = 0
    known_labeled: int = 0
    words: Counter[str] = field(default_factory=Counter)
    labeled_words: set[str] = field(default_factory=set)
    first: dict[str, Place] = field(default_factory=dict)
    overflow: bool = False
    low: float = np.inf
    high: float = -np.inf
    whole: bool = True
    boolean: bool = True
    step: float | None = None
    last: float | None = None
    even: bool = True
    padded: bool = False
    odd: dict[str, tuple[int, Place, str]] = field(default_factory=dict)
    parts: dict[str, set[int]] = field(default_factory=dict)
    latest: str | None = None
    bad_dates: int = 0

    def take(self, values: pa.Array, labeled: np.ndarray, place: Place, reading: Reading) -> pa.Array:
        """Look at the next values; return them as what they are taken for."""
        if self.as_date:
            found = self._take_dates(values, place, reading)
        elif self.as_text:
            found = self._take_words(values, labeled, place, reading)
        else:
            numbers = to_numbers(values, reading)
            if numbers is None:
                self.changed = self.rows > 0
                self.as_text = True
                found = self._take_words(values, labeled, place, reading)
            else:
                self.boolean &= pa.types.is_boolean(values.type) or pa.types.is_null(values.type)
                found = self._take_numbers(numbers, values, place)
        self.rows += len(values)
        missing = found.is_null().to_numpy(zero_copy_only=False) if found.null_count else None
        self.known += len(values) - found.null_count
        self.known_labeled += int(labeled.sum() if missing is None else (labeled & ~missing).sum())
        return found

    def _take_words(self, values: pa.Array, labeled: np.ndarray, place: Place, reading: Reading) -> pa.Array:
        words = to_words(values, reading).dictionary_encode()
        codes = words.indices.fill_null(len(words.dictionary)).to_numpy(zero_copy_only=False)
        names = words.dictionary.to_pylist()
        counts = np.bincount(codes, minlength=len(names) + 1)
        among = np.bincount(codes[labeled], minlength=len(names) + 1)
        full = len(self.words) >= MOST_WORDS
        new = set()
        for code, name in enumerate(names):
            if name in self.words:
                self.words[name] += int(counts[code])
            elif not full or (len(self.words) < 2 * MOST_WORDS and not NUMBER.fullmatch(name)):
                self.words[name] = int(counts[code])
                new.add(code)
            else:
                self.overflow = True
                continue
            if among[code]:
                self.labeled_words.add(name)
        if new:
            every, rows = np.unique(codes, return_index=True)
            for code, row in zip(every.tolist(), rows.tolist(), strict=True):
                if code in new:
                    self.first[names[code]] = (place[0], place[1] + row)
        return words.cast(pa.string())

    def _take_numbers(self, numbers: pa.Array, values: pa.Array, place: Place) -> pa.Array:
        found = numbers.to_numpy(zero_copy_only=False)
        if self.rows == 0 and is_text(
            values.type
        ):  # looked for in the first rows alone: it costs more than all else
            padded = pc.match_substring_regex(values.cast(pa.string()), r"^\s*0\d+\s*$").fill_null(False)
            self.padded = bool(pc.any(padded).as_py())
        missing = np.isnan(found)
        known = found
        if missing.any():
            known, numbers = found[~missing], pa.array(found, mask=missing)
        if not len(known):
            return numbers
        low, high = float(known.min()), float(known.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.whole = self.whole and bool((known == np.floor(known)).all())
        if max(-low, high) >= EXACT:
            self._take_odd(found, values, place)
        if self.even:
            self._take_steps(known, len(known) == len(found))
        return numbers

    def _take_odd(self, found: np.ndarray, values: pa.Array, place: Place) -> None:
        size = np.abs(found)
        for kind, rows in (
            ("infinite", np.isinf(found)),
            ("too large", (size > LARGEST) & ~np.isinf(found)),
            ("beyond 2^53", (size >= EXACT) & (size <= LARGEST) & _written_whole(values)),
        ):
            if rows.any():
                row = int(np.flatnonzero(rows)[0])
                count, first, word = self.odd.get(kind, (0, (place[0], place[1] + row), str(values[row])))
                self.odd[kind] = (count + int(rows.sum()), first, word)

    def _take_steps(self, known: np.ndarray, whole: bool) -> None:
        steps = np.diff(known if self.last is None else np.r_[self.last, known])
        if len(steps):
            self.step = float(steps[0]) if self.step is None else self.step
            self.even = whole and bool((steps == self.step).all())
        self.last = float(known[-1])

    def _take_dates(self, values: pa.Array, place: Place, reading: Reading) -> pa.Array:
        found = to_dates(values, self.pattern, reading)
        words = to_words(values, reading)
        if (
            bad := pc.and_(found.is_null(), words.is_valid())
            .to_numpy(zero_copy_only=False)
            .nonzero()[0]
            .tolist()
        ):
            self.bad_dates += len(bad)
            for row in bad[:MOST_WORDS]:
                self.first.setdefault(str(words[row]), (place[0], place[1] + row))
        if found.null_count < len(found):
            for part, take in (
                ("year", pc.year),
                ("month", pc.month),
                ("weekday", pc.day_of_week),
                ("hour", pc.hour),
            ):
                self.parts.setdefault(part, set()).update(pc.unique(take(found).drop_null()).to_pylist())
            latest = pc.max(found).as_py().isoformat(sep=" ")
            self.latest = max(self.latest or latest, latest)
        return found


def _written_whole(values: pa.Array) -> np.ndarray:
    """Tell which values are whole numbers as they stand there, not rounded ones: (N,) bool."""
    if pa.types.is_integer(values.type):
        return np.ones(len(values), bool)
    if pa.types.is_floating(values.type) or pa.types.is_boolean(values.type):
        return np.zeros(len(values), bool)  # what they were before, nobody knows any more
    words = values.cast(pa.string())
    return (
        pc.match_substring_regex(words, r"^\s*[+-]?\d+\s*$").fill_null(False).to_numpy(zero_copy_only=False)
    )
