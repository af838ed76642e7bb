"""The target column as its rows go by: the words of classes, or values."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.params.data import Table
from selfsame.sources.columns import is_number, is_text, to_numbers
from selfsame.sources.faults import Fault, counted, listed
from selfsame.sources.files import Reading
from selfsame.sources.labels import Classes, settle_classes
from selfsame.sources.seen import LARGEST, Place
from selfsame.sources.words import UNLABELED_WORDS, is_no_label, tidy


@dataclass
class ClassTarget:
    """A column of classes.

    Attributes:
        words: how often each tidy word stands there; "" for an empty one.
    """

    name: str
    unlabeled: list[str] | None
    given: list[str] | None
    words: Counter[str] = field(default_factory=Counter)
    other_type: str | None = None
    classes: Classes = field(default_factory=Classes)

    def take(self, values: pa.Array, place: Place, reading: Reading) -> tuple[pa.Array, np.ndarray]:
        """Look at the next values; return them as tidy words, and which rows have a label: (N,) bool."""
        if pa.types.is_floating(values.type):
            values = pa.array(values.to_numpy(zero_copy_only=False), from_pandas=True)
        if not (is_text(values.type) or is_number(values.type) or pa.types.is_null(values.type)):
            self.other_type = str(values.type)
            values = pa.nulls(len(values), pa.string())
        coded = values.cast(pa.string(), safe=False).dictionary_encode()
        names = [tidy(word) for word in coded.dictionary.to_pylist()] + [""]
        codes = coded.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
        for name, count in zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True):
            if count:
                self.words[name] += count
        labeled = np.array([not is_no_label(name, self.unlabeled) for name in names])[codes]
        return pa.array(names).take(pa.array(codes)), labeled

    def take_none(self, rows: int) -> None:
        """Count rows of a file without such a column."""
        self.words[""] += rows

    def settle(self, line: Callable[[Place], str]) -> list[Fault]:
        """Decide on the classes; return what is wrong with them."""
        where = f"data.target_column = {self.name!r}"
        if self.other_type is not None:
            return [
                Fault(
                    f"{where}: of the type {self.other_type}, neither text nor number", "take another column"
                )
            ]
        self.classes = settle_classes(self.words, where, self.unlabeled, self.given)
        return self.classes.faults

    def labels(self, words: pa.Array) -> np.ndarray:
        """Return (N,) int64 class indices of tidy words, ``UNLABELED`` where there is none."""
        coded = words.dictionary_encode()
        of_word = self.classes.of_word
        codes = np.array([of_word[word] for word in coded.dictionary.to_pylist()], np.int64)
        return codes[coded.indices.to_numpy(zero_copy_only=False)]

    @property
    def none(self) -> pa.Scalar:
        """Return what stands in the rows of a file that has no such column."""
        return pa.scalar("")


@dataclass
class ValueTarget:
    """A column of values to predict.

    Attributes:
        known: rows that have one.
        marks: rows without one, by the word that says so; "" for an empty one.
    """

    name: str
    unlabeled: list[str] | None
    known: int = 0
    marks: Counter[str] = field(default_factory=Counter)
    other_type: str | None = None
    odd: Counter[str] = field(default_factory=Counter)
    first: dict[str, Place] = field(default_factory=dict)

    def take(self, values: pa.Array, place: Place, reading: Reading) -> tuple[pa.Array, np.ndarray]:
        """Look at the next values; return them as float64, and which rows have one: (N,) bool."""
        if not (is_text(values.type) or is_number(values.type) or pa.types.is_null(values.type)):
            self.other_type = str(values.type)
            return pa.nulls(len(values), pa.float64()), np.zeros(len(values), bool)
        marks = list(UNLABELED_WORDS) if self.unlabeled is None else ["", *self.unlabeled]
        if is_text(values.type):
            words = pc.utf8_trim_whitespace(values.cast(pa.string()))
            lower = pc.utf8_lower(words) if self.unlabeled is None else words
            marked = pc.is_in(lower, value_set=pa.array(marks)).fill_null(True)
            counts = pc.value_counts(words.filter(marked))
            for word, count in zip(counts.field(0).to_pylist(), counts.field(1).to_pylist(), strict=True):
                self.marks[word or ""] += count
            values = pc.if_else(marked, None, words)
        elif values.null_count:
            self.marks[""] += values.null_count
        numbers = to_numbers(values, reading)
        if numbers is None:
            self._take_odd(values, place, reading)
            return pa.nulls(len(values), pa.float64()), np.zeros(len(values), bool)
        found = numbers.to_numpy(zero_copy_only=False)
        known = ~np.isnan(found)
        self.marks[""] += int((~known).sum()) - values.null_count
        self.known += int(known.sum())
        for row in np.flatnonzero(known & ~(np.abs(found) <= LARGEST)):
            self._count_odd(str(values[int(row)]), place, int(row))
        return numbers, known

    def _take_odd(self, words: pa.Array, place: Place, reading: Reading) -> None:
        for row, word in enumerate(words.to_pylist()):
            if word is not None and to_numbers(pa.array([word]), reading) is None:
                self._count_odd(word, place, row)

    def _count_odd(self, word: str, place: Place, row: int) -> None:
        self.odd[word] += 1
        self.first.setdefault(word, (place[0], place[1] + row))

    def take_none(self, rows: int) -> None:
        """Count rows of a file without such a column."""
        self.marks[""] += rows

    def settle(self, line: Callable[[Place], str]) -> list[Fault]:
        """Return what is wrong with the values."""
        where = f"data.target_column = {self.name!r}"
        if self.other_type is not None:
            return [Fault(f"{where}: of the type {self.other_type}, no number", "take another column")]
        if self.odd:
            first = next(iter(self.first))
            words = f"{listed(self.odd)} in {counted(sum(self.odd.values()), 'row')}"
            return [
                Fault(
                    f"{where}: {words} can't be predicted as numbers, first {first!r} in "
                    f"{line(self.first[first])}",
                    "set data.target_kind to classification; or name words for no value in "
                    "data.unlabeled_values; or data.decimal or data.thousands; or mend the values",
                )
            ]
        if not self.known:
            return [Fault(f"{where}: no row has a value", "give some rows a value, or take another column")]
        return []

    def labels(self, numbers: pa.Array) -> np.ndarray:
        """Return (N,) float64, NaN where there is none."""
        return np.asarray(numbers.to_numpy(zero_copy_only=False), np.float64)

    @property
    def none(self) -> pa.Scalar:
        """Return what stands in the rows of a file that has no such column."""
        return pa.scalar(None, pa.float64())


Target = ClassTarget | ValueTarget


def new_target(name: str, params: Table) -> Target:
    """Return the target column as section ``data`` says it is."""
    if params.target_kind == "regression":
        return ValueTarget(name, params.unlabeled_values)
    return ClassTarget(name, params.unlabeled_values, params.classes)
