"""A model with all around it that its predictions need, in scikit-learn's words."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CALIBRATION, CONFIG, PREDICTION, WEIGHTS
from selfsame.scoring.columns import ClassColumns, Columns, ValueColumns, Wish
from selfsame.scoring.given import inputs_of_rows
from selfsame.scoring.prepare import Preparation
from selfsame.selection.calibration import calibrate, calibrated_confidence
from selfsame.selection.confidence import Calibration

if TYPE_CHECKING:
    from selfsame.model.models import Model


class Predictor:
    """What classifiers and regressors share.

    Attributes:
        folder: the model's.
        model: the net, or what else predicts, with its scaling.
        calibration: what its confidence or intervals are worth; None of a folder that is no champion's.
        digests: sha256 of every file that a prediction rests on, by its name in the folder.
        preparation: from rows as people have them to the model's inputs.
    """

    def __init__(self, folder: Path, model: Model, calibration: Calibration | None) -> None:
        self.folder, self.calibration, self.model = folder, calibration, model.ready()
        self.info = model.info
        self.preparation = Preparation(model.info)
        names = (WEIGHTS, CONFIG, PREDICTION, CALIBRATION)
        self.digests = {name: sha256_file(folder / name) for name in names if (folder / name).is_file()}

    @property
    def temperature(self) -> float | None:
        """That of the calibrated softmax; None where there is none."""
        return self.calibration.temperature if self.calibration else None

    @property
    def about(self) -> dict[str, Any]:
        """What every output says of the model."""
        return {
            "model": self.digests,
            "source": self.info.source,
            "target": self.info.target,
            "calibrated": self.calibration is not None,
        }

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns that a table must have, (F,) str; none of a model of images."""
        return np.array([column.name for column in self.preparation.columns], dtype=str)

    @property
    def n_features_in_(self) -> int:
        """How many columns these are; of images, how many values one has."""
        return len(self.preparation.columns) or int(np.prod(self.info.input_shape))


class Classifier(Predictor):
    """A model of classes."""

    @cached_property
    def classes_(self) -> np.ndarray:
        """Names of the classes, (K,) str, in the order of ``predict_proba``'s columns."""
        return np.array(self.info.classes, dtype=str)

    def predict(self, rows: Any) -> np.ndarray:
        """Return the most probable class of every row, by its name: (N,) str.

        Args:
            rows: a table (of Arrow, or a data frame of pandas or polars) with the columns
                ``feature_names_in_``; an array (N, F) of numbers; images as an array of uint8 (N, C, H, W),
                (N, H, W, C) or (N, H, W), or as PIL images; or paths of what ``selfsame predict`` reads.

        Raises:
            SelfsameError: the rows don't fit the model; the message names the column and the value.
        """
        return self.classes_[self.probabilities(inputs_of_rows(rows, self.preparation)).argmax(axis=1)]

    def predict_proba(self, rows: Any) -> np.ndarray:
        """Return the calibrated probability of every class, (N, K) float32, of what ``predict`` takes."""
        return self.calibrated(self.probabilities(inputs_of_rows(rows, self.preparation)))

    def columns(self, wish: Wish) -> Columns:
        """Return what makes the columns of predictions in a file."""
        return ClassColumns(self, wish)

    def probabilities(self, inputs: np.ndarray) -> np.ndarray:
        """Return (N, K) float32 as the model says them, of inputs as a table of examples holds them."""
        from selfsame.model.models import predict_inputs

        return predict_inputs(self.model, inputs)

    def calibrated(self, probabilities: np.ndarray) -> np.ndarray:
        """Return (N, K) float32 calibrated; as they are, if the folder has no calibration."""
        return probabilities if self.temperature is None else calibrate(probabilities, self.temperature)

    def confidence(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the largest of every row of ``calibrated``, (N,) float32."""
        if self.temperature is None:
            return probabilities.max(axis=1)
        return calibrated_confidence(probabilities, self.temperature)


class Regressor(Predictor):
    """A model of values."""

    @property
    def unit(self) -> float:
        """Standard deviation of the labeled rows' values."""
        assert self.model.scaling.target is not None
        return self.model.scaling.target[1]

    def predict(self, rows: Any) -> np.ndarray:
        """Return the value of every row, (N,) float64, in the target's own unit.

        It takes and refuses what ``Classifier.predict`` does.
        """
        return self.values(inputs_of_rows(rows, self.preparation))

    def predict_interval(self, rows: Any, level: float = 0.9) -> np.ndarray:
        """Return the interval that holds the truth of a share ``level`` of rows like these: (N, 2) float64.

        Raises:
            SelfsameError: the model's folder has no interval of this level.
        """
        half = self.half_width(level)
        if half is None:
            raise SelfsameError(
                f"{self.folder}: too few rows judged it for an interval of level {level:g}",
                "take a lower level, or a champion with more validation rows",
            )
        values = self.predict(rows)
        return np.stack([values - half, values + half], axis=1)

    def half_width(self, level: float) -> float | None:
        """Return half of the width of an interval of this level; None if too few rows judged the model.

        Raises:
            SelfsameError: the model's folder knows nothing of this level.
        """
        known = self.calibration.half_widths if self.calibration else {}
        if f"{level:g}" not in known:
            raise SelfsameError(
                f"{self.folder}: it has no interval of level {level:g}",
                f"take one of {', '.join(known)}" if known else "take a champion, which has a calibration",
            )
        return known[f"{level:g}"]

    def columns(self, wish: Wish) -> Columns:
        """Return what makes the columns of predictions in a file."""
        return ValueColumns(self, wish)

    def values(self, inputs: np.ndarray) -> np.ndarray:
        """Return (N,) float64 of inputs as a table of examples holds them."""
        from selfsame.model.models import predict_inputs

        return predict_inputs(self.model, inputs)


def load_model(
    folder: str | Path, device: Literal["auto", "cpu", "cuda"] = "auto", threads: int | None = None
) -> Classifier | Regressor:
    """Read a model's folder.

    On a CPU a row's prediction has the same bits whatever else is predicted with it, and for any number of
    threads.

    Args:
        folder: such as ``models/champion``, wherever it was copied to.
        device: where to compute; ``auto`` takes a GPU if there is one.
        threads: of the CPU; None leaves torch its own number.

    Raises:
        SelfsameError: there is no model in the folder, it is of another format, or it is damaged.
    """
    from selfsame.model import models
    from selfsame.model.device import choose_device

    path = Path(folder)
    model = models.load_model(path, choose_device(device, threads=threads))
    kind = Classifier if model.info.classes else Regressor
    return kind(path, model, Calibration.load(path))
