"""What the rows were like that a model learned from: a few counts for each variable, kept with the model.

New rows are counted into the same bins, so that they can be compared without the old ones. A variable is a
column of numbers, one of text, or of images the brightness and the contrast of a channel; the predictions
have variables of their own.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import PROFILE
from selfsame.core.tables import TableInfo

BINS = 10  # of a variable of numbers, between the smallest and the largest
MOST_VARIABLES = 500  # of the inputs, evenly spaced, so that a profile stays small
FORMAT = 1  # of PROFILE
NEW, MISSING = "never seen", "missing"
INPUT, PREDICTION = "input", "prediction"  # kinds of variables
CLASS, CONFIDENCE, BELOW, VALUE = "class", "confidence", "below the threshold", "value"  # of predictions
BELOW_WORDS = ("no", "yes")


@dataclass(frozen=True)
class Variable:
    """How many rows fell into each bin.

    Attributes:
        kind: what it is of: ``INPUT`` or ``PREDICTION``.
        edges: of numbers, (B + 1) ascending; a bin holds its lower edge, the last one both. Empty for words.
        words: of text, the values. Empty for numbers.
        counts: of the bins; then of rows below the first or above the last edge, or of another word; then of
            missing values.
    """

    name: str
    kind: str
    edges: tuple[float, ...]
    words: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def bins(self) -> list[str]:
        """Names of the bins, one for each count."""
        pairs = zip(self.edges, self.edges[1:], strict=False)
        return [*self.words, *(f"{low:.4g} to {high:.4g}" for low, high in pairs), NEW, MISSING]

    def count(self, values: np.ndarray) -> np.ndarray:
        """Return the counts (B + 2,) int64 of some rows.

        Args:
            values: (N,) float64 numbers; or codes of words, −1 for one that isn't among them. NaN: missing.
        """
        if self.words:
            places = np.where(values < 0, len(self.words), values)
            size = len(self.words)
        else:
            size = len(self.edges) - 1
            places = np.searchsorted(self.edges, values, side="right") - 1.0
            places[values == self.edges[-1]] = size - 1
            places[(places < 0) | (places >= size)] = size
        places = np.where(np.isnan(values), size + 1, places)
        return np.bincount(places.astype(np.int64), minlength=size + 2)

    def with_counts(self, counts: Sequence[int] | np.ndarray) -> Self:
        """Return the same bins with other counts."""
        return type(self)(self.name, self.kind, self.edges, self.words, tuple(int(each) for each in counts))


def of_numbers(name: str, values: np.ndarray, kind: str = INPUT) -> Variable:
    """Return the bins of some numbers, of about equally many rows each, with their counts.

    Few different values have a bin each. There is one bin at least.
    """
    known = np.unique(values[~np.isnan(values)])
    if len(known) <= BINS:
        inner = (known[1:] + known[:-1]) / 2
    else:
        inner = np.quantile(values[~np.isnan(values)], np.linspace(0, 1, BINS + 1)[1:-1])
    ends = known[[0, -1]] if len(known) else np.zeros(2)
    edges = np.unique([*ends, *inner]) if ends[0] < ends[1] else ends
    empty = Variable(name, kind, tuple(edges.tolist()), (), ())
    return empty.with_counts(empty.count(values))


def of_words(name: str, words: Sequence[str], codes: np.ndarray, kind: str = INPUT) -> Variable:
    """Return the bins of text, one for each word, with their counts."""
    empty = Variable(name, kind, (), tuple(words), ())
    return empty.with_counts(empty.count(codes.astype(np.float64)))


def columns_of(inputs: np.ndarray, info: TableInfo) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """Yield the variables of rows: name, words if it is text, and what ``Variable.count`` takes of them.

    Args:
        inputs: (N, F) float64 or (N, C, H, W) uint8, as a table of examples holds them.
    """
    if info.image_shape:
        for channel in range(info.image_shape[0]):
            pixels = inputs[:, channel].reshape(len(inputs), -1).astype(np.float64)
            of = f" of channel {channel}" if info.image_shape[0] > 1 else ""
            yield f"brightness{of}", (), pixels.mean(axis=1)
            yield f"contrast{of}", (), pixels.std(axis=1)
        return
    groups, place = [], 0
    for column in info.columns:
        if column.kind == "text":
            groups.append((column.name, column.values, place, place + len(column.values)))
            place += len(column.values)
        else:
            ends = place + (len(column.values) if column.kind == "date" else 1)
            groups += [(info.features[each], (), each, each + 1) for each in range(place, ends)]
            place = ends
    groups = groups or [(name, (), each, each + 1) for each, name in enumerate(info.features)]
    chosen = range(len(groups))
    if len(groups) > MOST_VARIABLES:
        chosen = np.linspace(0, len(groups) - 1, MOST_VARIABLES).astype(int).tolist()
    for name, words, start, stop in (groups[each] for each in chosen):
        values = inputs[:, start:stop]
        if words:
            codes = np.where(values.any(axis=1), values.argmax(axis=1), -1).astype(np.float64)
            values = np.where(np.isnan(values[:, 0]), np.nan, codes)[:, None]
        yield name, words, values[:, 0]


def of_classes(
    classes: Sequence[str], said: np.ndarray, confidence: np.ndarray, threshold: float | None
) -> tuple[Variable, ...]:
    """Return the variables of predicted classes.

    Args:
        said: (N,) indices of classes.
        confidence: (M,) calibrated, of rows that the model has not learned.
        threshold: below which rows are abstained from; None if there is none.
    """
    made = [of_words(CLASS, classes, said, PREDICTION), of_numbers(CONFIDENCE, confidence, PREDICTION)]
    if threshold is not None:
        made.append(of_words(BELOW, BELOW_WORDS, confidence < threshold, PREDICTION))
    return tuple(made)


@dataclass(frozen=True)
class Profile:
    """The variables of a model's rows and of its predictions."""

    variables: tuple[Variable, ...]

    @classmethod
    def of_inputs(cls, inputs: np.ndarray, info: TableInfo) -> Self:
        """Count rows into bins that suit them."""
        made = (
            of_words(name, words, values) if words else of_numbers(name, values)
            for name, words, values in columns_of(inputs, info)
        )
        return cls(tuple(made))

    def having(self, *variables: Variable) -> Self:
        """Return it with further variables."""
        return type(self)((*self.variables, *variables))

    def text(self) -> str:
        """Return it as JSON; the inverse of ``parse``."""
        facts = {"format_version": FORMAT, "variables": [asdict(each) for each in self.variables]}
        return json.dumps(facts, ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it from JSON.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """
        facts = json.loads(text)
        if facts["format_version"] != FORMAT:
            raise ValueError(f"format_version = {facts['format_version']}, expected {FORMAT}")
        plain: list[dict[str, Any]] = [
            {key: tuple(each) if isinstance(each, list) else each for key, each in one.items()}
            for one in facts["variables"]
        ]
        return cls(tuple(Variable(**each) for each in plain))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read it from a model's folder; None where there is none.

        Raises:
            SelfsameError: it can't be read.
        """
        if not (folder / PROFILE).is_file():
            return None
        try:
            return cls.parse((folder / PROFILE).read_text(encoding="utf-8"))
        except (ValueError, KeyError, TypeError) as error:
            raise SelfsameError(
                f"{folder / PROFILE}: no profile: {error}",
                "take the model's folder again from where it was made",
            ) from None
