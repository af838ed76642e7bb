"""What the gate keeps of every pool row while it chooses: class and confidence, in a file, part by part."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np

BRIEF = np.dtype([("label", np.int32), ("confidence", np.float32)])  # 8 bytes a row


@dataclass(frozen=True)
class Filtered:
    """The confidences of some rows, to be gone through as often as need be."""

    parts: Callable[[], Iterator[np.ndarray]]
    choose: Callable[[np.ndarray], np.ndarray]

    def __iter__(self) -> Iterator[np.ndarray]:
        for part in self.parts():
            yield part["confidence"][self.choose(part)]


class Briefs:
    """The pool's labels and confidences, one part in memory at a time.

    Args:
        file: where they are put; it belongs to this object alone.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._rows: list[int] = []

    def add(self, part: np.ndarray) -> None:
        """Append a part's rows, (N,) of the type ``BRIEF``."""
        self._file.write(part.tobytes())
        self._rows.append(len(part))

    def parts(self) -> Iterator[np.ndarray]:
        """Yield every part's rows, (N,) of the type ``BRIEF``."""
        self._file.seek(0)
        for rows in self._rows:
            yield np.frombuffer(self._file.read(rows * BRIEF.itemsize), BRIEF)

    def confidences(self, choose: Callable[[np.ndarray], np.ndarray] | None = None) -> Filtered:
        """Return the confidences of all rows, or of those that ``choose`` tells of a part's."""
        return Filtered(self.parts, choose or (lambda part: np.ones(len(part), bool)))


def brief(labels: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Return (N,) labels and confidences as ``Briefs`` holds them."""
    made = np.empty(len(labels), BRIEF)
    made["label"], made["confidence"] = labels, confidence
    return made
