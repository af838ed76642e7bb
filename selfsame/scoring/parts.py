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
from selfsame.stats.profile import INPUT, PREDICTION, Profile, columns_of

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

    def __init__(self, columns: Columns, profile: Profile | None) -> None:
        self._columns = columns
        self._preparation = columns.model.preparation
        self._preparation.ignored, self._preparation.unseen = {}, {}
        self._variables = profile.variables if profile else ()
        self._counts = [np.zeros(len(each.counts), np.int64) for each in self._variables]

    def add(self, inputs: np.ndarray, made: list[pa.Array]) -> None:
        """Count rows into the bins of the model's profile."""
        if not self._variables:
            return
        seen = {(INPUT, name): values for name, _, values in columns_of(inputs, self._columns.model.info)}
        seen |= {(PREDICTION, name): values for name, values in self._columns.watched(made).items()}
        for counts, each in zip(self._counts, self._variables, strict=True):
            counts += each.count(seen[each.kind, each.name])

    def told(self, summary: Summary) -> str:
        """Return it as JSON."""
        own = self._preparation
        counts = {**vars(summary), "ignored": list(own.ignored), "unseen": own.unseen}
        return json.dumps(counts | {"bins": [each.tolist() for each in self._counts]}, ensure_ascii=False)


def score_part(part: Part, columns: Columns, profile: Profile | None) -> str:
    """Predict a part, unless it was; return what is wrong with its files, if anything is."""
    if part.target.exists():
        return ""
    preparation = columns.model.preparation
    rows = read_files(part.files, lambda path: path.relative_to(TO_SCORE).as_posix(), preparation)
    try:
        predict_rows(rows, part.files[0], str(part.target), columns, _Tally(columns, profile))
    except SelfsameError as error:
        return error.what
    return ""


def add_up(parts: Iterable[Part], columns: Columns) -> tuple[Summary, list[np.ndarray]]:
    """Return what was counted in all parts, and in which bins; the preparation has what didn't fit in any."""
    preparation, summary = columns.model.preparation, Summary()
    preparation.ignored, preparation.unseen = {}, {}
    bins: list[list[np.ndarray]] = []
    for part in parts:
        counts: dict[str, Any] = json.loads(pq.read_metadata(part.target).metadata[COUNTS.encode()])
        summary.rows += counts["rows"]
        summary.abstained += counts["abstained"]
        preparation.ignored |= dict.fromkeys(counts["ignored"])
        for name, words in counts["unseen"].items():
            preparation.unseen.setdefault(name, Counter()).update(words)
        bins.append([np.array(each) for each in counts["bins"]])
    return summary, [sum(each, np.zeros_like(each[0])) for each in zip(*bins, strict=True)]
