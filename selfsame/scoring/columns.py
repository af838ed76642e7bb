"""The columns of predictions: of classes or of values, whichever a model says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.errors import SelfsameError
from selfsame.stats.profile import BELOW, CLASS, CONFIDENCE, VALUE

if TYPE_CHECKING:
    from selfsame.scoring.predictor import Classifier, Predictor, Regressor


@dataclass(frozen=True)
class Wish:
    """What predictions are to say.

    Attributes:
        keep: the rows' own columns too.
        probabilities: of every class, by its name.
        threshold: calibrated confidence below which a row is abstained from; None for the model's own.
        level: of the interval around a value.
    """

    keep: bool = False
    probabilities: bool = False
    threshold: float | None = None
    level: float = 0.9


@dataclass
class Summary:
    """What came of an input; of values nobody is abstained from."""

    rows: int = 0
    abstained: int = 0


class Columns(Protocol):
    """From a model's inputs to the columns of its predictions.

    Attributes:
        facts: what an output says of how the model was asked.
        fields: the columns that a prediction has.
    """

    wish: Wish
    facts: dict[str, Any]
    fields: list[pa.Field]

    @property
    def model(self) -> Predictor:
        """What predicts."""
        ...

    def of(self, inputs: np.ndarray) -> tuple[list[pa.Array], int]:
        """Return the columns of some rows' predictions, and how many are abstained from."""
        ...

    def notes(self, summary: Summary) -> list[str]:
        """Return, sentence by sentence, what a person should know of predictions that were made."""
        ...

    def watched(self, made: list[pa.Array]) -> dict[str, np.ndarray]:
        """Return what a profile has variables for, as ``Variable.count`` takes it, of columns made."""
        ...


class ClassColumns:
    """``predicted`` (the class's name), ``confidence``, ``abstained`` and perhaps ``probability_…``.

    Raises:
        SelfsameError: the threshold is no confidence.
    """

    def __init__(self, model: Classifier, wish: Wish) -> None:
        self.model, self.wish = model, wish
        own = model.calibration.threshold if model.calibration else None
        self.threshold = own if wish.threshold is None else wish.threshold
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise SelfsameError(f"a threshold of {self.threshold:g}", "name a confidence from 0 to 1")
        self.facts: dict[str, Any] = {"threshold": self.threshold}
        named = model.info.classes if wish.probabilities else ()
        self.fields = [
            pa.field("predicted", pa.string()),
            pa.field("confidence", pa.float32()),
            pa.field("abstained", pa.bool_()),
            *(pa.field(f"probability_{name}", pa.float32()) for name in named),
        ]

    def of(self, inputs: np.ndarray) -> tuple[list[pa.Array], int]:
        """Return the columns of some rows' predictions, and how many are abstained from."""
        said = self.model.probabilities(inputs)
        confidence = self.model.confidence(said)
        abstained = confidence < np.float32(-1 if self.threshold is None else self.threshold)
        names = pa.DictionaryArray.from_arrays(said.argmax(axis=1), pa.array(self.model.info.classes))
        columns = [names.cast(pa.string()), pa.array(confidence), pa.array(abstained)]
        if self.wish.probabilities:
            calibrated = self.model.calibrated(said)
            columns += [pa.array(np.ascontiguousarray(column)) for column in calibrated.T]
        return columns, int(abstained.sum())

    def watched(self, made: list[pa.Array]) -> dict[str, np.ndarray]:
        """Return what a profile has variables for; of the model's own threshold, whatever was wished for."""
        confidence = made[1].to_numpy()
        codes = pc.index_in(made[0], value_set=pa.array(self.model.info.classes)).to_numpy()
        watched = {CLASS: codes.astype(np.float64), CONFIDENCE: confidence.astype(np.float64)}
        own = self.model.calibration and self.model.calibration.threshold
        return watched if own is None else watched | {BELOW: (confidence < own).astype(np.float64)}

    def notes(self, summary: Summary) -> list[str]:
        """Return, sentence by sentence, what a person should know of predictions that were made."""
        said = [] if self.model.calibration else [f"{_uncalibrated(self.model)}: so is the confidence"]
        if self.threshold is None:
            return [*said, "no threshold is known: nobody is abstained from"]
        return [
            *said,
            f"abstained from {summary.abstained} of {summary.rows} rows, whose confidence is below "
            f"{self.threshold:g}: a person should look at them",
        ]


class ValueColumns:
    """``predicted``, and the interval from ``low`` to ``high``, which is null where there is none.

    Raises:
        SelfsameError: something is wished for that only classes have, or a level that nobody has measured.
    """

    def __init__(self, model: Regressor, wish: Wish) -> None:
        for name, given in (("probabilities", wish.probabilities), ("threshold", wish.threshold is not None)):
            if given:
                raise SelfsameError(f"{model.folder}: a model of values has no {name}", f"leave out --{name}")
        self.model, self.wish = model, wish
        self.half_width = model.half_width(wish.level) if model.calibration else None
        self.facts = {"interval_level": None if self.half_width is None else wish.level}
        self.fields = [pa.field(name, pa.float64()) for name in ("predicted", "low", "high")]

    def of(self, inputs: np.ndarray) -> tuple[list[pa.Array], int]:
        """Return the columns of some rows' predictions, and how many are abstained from."""
        values = self.model.values(inputs)
        if self.half_width is None:
            return [pa.array(values), *2 * [pa.nulls(len(values), pa.float64())]], 0
        return [pa.array(each) for each in (values, values - self.half_width, values + self.half_width)], 0

    def watched(self, made: list[pa.Array]) -> dict[str, np.ndarray]:
        """Return what a profile has variables for."""
        return {VALUE: made[0].to_numpy()}

    def notes(self, summary: Summary) -> list[str]:
        """Return, sentence by sentence, what a person should know of predictions that were made."""
        if self.model.calibration is None:
            return [f"{_uncalibrated(self.model)}: there are no intervals"]
        if self.half_width is None:
            return [f"too few rows judged {self.model.folder} for an interval of level {self.wish.level:g}"]
        return []


def _uncalibrated(model: Predictor) -> str:
    return f"{model.folder} is not calibrated, as a champion is"
