"""What a champion's predictions are worth, fitted on rows of known label and kept in its folder.

The rows that judge are those that judge the gate. A model that was refitted on them is described by the one
from before: nobody has unseen labels to judge it by.
"""

import json
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Self

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CALIBRATION, CALIBRATION_FORMAT
from selfsame.selection.calibration import fit_temperature

LEVELS = (0.5, 0.8, 0.9, 0.95)  # of the intervals that a value may be given


@dataclass(frozen=True)
class Calibration:
    """What turns a model's outputs into a confidence or an interval.

    Attributes:
        calibrated_on: the role of the rows that it was fitted on, and how many they are.
        temperature: of classes: that of the softmax; above 1 for an overconfident model.
        threshold: of classes: calibrated confidence below which a person should look; that of the gate, whose
            target precision is a confidence too; None for no such rows.
        half_widths: of values: half of an interval's width, by level; None where the rows are too few.
    """

    calibrated_on: str
    calibration_rows: int
    temperature: float | None = None
    threshold: float | None = None
    half_widths: dict[str, float | None] = field(default_factory=dict)

    @classmethod
    def of_classes(
        cls, probabilities: np.ndarray, labels: np.ndarray, calibrated_on: str, threshold: float | None
    ) -> Self:
        """Fit to (N, K) probabilities and (N,) labels of the rows that judge."""
        return cls(calibrated_on, len(labels), fit_temperature(probabilities, labels), threshold)

    @classmethod
    def of_values(cls, errors: np.ndarray, calibrated_on: str) -> Self:
        """Fit to (N,) errors, predicted − true, of the rows that judge.

        Split conformal prediction (Lei et al., JASA 2018): of rows like these, an interval of a level holds
        the truth of at least that share, if the model has not seen them.
        """
        sizes = np.sort(np.abs(errors))
        ranks = {level: ceil((len(sizes) + 1) * level) for level in LEVELS}
        widths = {
            f"{level:g}": float(sizes[rank - 1]) if rank <= len(sizes) else None
            for level, rank in ranks.items()
        }
        return cls(calibrated_on, len(errors), half_widths=widths)

    def save(self, folder: Path) -> None:
        """Write it into a model's folder."""
        text = json.dumps({"format_version": CALIBRATION_FORMAT, **asdict(self)}, indent=2)
        (folder / CALIBRATION).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read it from a model's folder; None where there is none, as in one that is no champion.

        Raises:
            SelfsameError: it can't be read.
        """
        path = folder / CALIBRATION
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            version = values.pop("format_version")
            if version != CALIBRATION_FORMAT:
                raise ValueError(f"format_version = {version}, expected {CALIBRATION_FORMAT}")
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SelfsameError(
                f"{path}: no calibration: {error}", "take the model's folder again from where it was made"
            ) from None
