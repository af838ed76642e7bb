"""One part of a scoring: a table, or some photos, with what was counted in it."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import TO_SCORE
from selfsame.scoring.columns import Columns, Summary
from selfsame.scoring.read import read_files
from selfsame.scoring.run import predict_rows

COUNTS = "selfsame_counts"  # of a part's metadata


@dataclass(frozen=True)
class Part:
    """What is scored as one.

    Attributes:
        files: one table, or some photos.
        digests: sha256 of each.
        target: the Parquet file that its predictions go to.
    """

    files: tuple[Path, ...]
    digests: tuple[str, ...]
    target: Path


class _Tally:
    """What a part's own metadata says of its rows."""

    key = COUNTS

    def __init__(self, columns: Columns) -> None:
        self._preparation = columns.model.preparation
        self._preparation.ignored, self._preparation.unseen = {}, {}

    def add(self, inputs: np.ndarray, made: list[pa.Array]) -> None:
        """Count rows."""

    def told(self, summary: Summary) -> str:
        """Return it as JSON."""
        own = self._preparation
        counts = {**vars(summary), "ignored": list(own.ignored), "unseen": own.unseen}
        return json.dumps(counts, ensure_ascii=False)


def score_part(part: Part, columns: Columns) -> str:
    """Predict a part, unless it was; return what is wrong with its files, if anything is."""
    if part.target.exists():
        return ""
    preparation = columns.model.preparation
    rows = read_files(part.files, lambda path: path.relative_to(TO_SCORE).as_posix(), preparation)
    try:
        predict_rows(rows, part.files[0], str(part.target), columns, _Tally(columns))
    except SelfsameError as error:
        return error.what
    return ""


def add_up(parts: Iterable[Part], columns: Columns) -> Summary:
    """Return what was counted in all parts; the model's preparation then has what didn't fit in any."""
    preparation, summary = columns.model.preparation, Summary()
    preparation.ignored, preparation.unseen = {}, {}
    for part in parts:
        counts: dict[str, Any] = json.loads(pq.read_metadata(part.target).metadata[COUNTS.encode()])
        summary.rows += counts["rows"]
        summary.abstained += counts["abstained"]
        preparation.ignored |= dict.fromkeys(counts["ignored"])
        for name, words in counts["unseen"].items():
            preparation.unseen.setdefault(name, Counter()).update(words)
    return summary
