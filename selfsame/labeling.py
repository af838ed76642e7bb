"""One part of the pool at a time: hear the teachers on it, and write its decisions.

Whoever does that, here or on another machine, does it alone: what all parts have in common travels with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from selfsame.core.ahead import read_ahead
from selfsame.core.digests import sha256_json
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import BATCH_ROWS, iter_batches
from selfsame.model.kept import Arrays, Kept
from selfsame.params.compute import ComputeParams
from selfsame.selection.gate import Decision, Gate

if TYPE_CHECKING:
    from selfsame.model.models import Model


@dataclass(frozen=True)
class Teachers:
    """Those who label, and where what they said is kept.

    Attributes:
        folders: of the nets.
        weights: sha256 of each one's.
        gate: asks them; it wants a committee's members one by one, or not.
        views: of a row, whose mean a prediction is.
    """

    folders: tuple[Path, ...]
    weights: tuple[str, ...]
    gate: Gate
    views: int
    compute: ComputeParams
    kept: Kept

    def hear(self, table: Path, seen: Callable[[int], None] | None = None) -> np.ndarray:
        """Return what M teachers say of a table or of a part of one: (M, N, K) or (M, N).

        Args:
            seen: is told how many rows were predicted, batch by batch.
        """

        def said_by(folder: Path, weights: str) -> Arrays:
            from selfsame.model.models import answer_table

            return {
                "said": np.stack(
                    [answer_table(model, table, seen) for model in self._models(folder, weights)]
                )
            }

        said = [
            self.kept.get("heard", [folder, table], partial(said_by, folder, weights))["said"]
            for folder, weights in zip(self.folders, self.weights, strict=True)
        ]
        return said[0] if len(said) == 1 else np.concatenate(said)

    def brief(self, part: Path, seen: Callable[[int], None] | None = None) -> tuple[np.ndarray, set[Path]]:
        """Hear and keep what is said of a part; return the gate's brief of it, and the files that it took."""
        return self.gate.brief(self.hear(part, seen)), self.kept.used

    def write(self, numbered: tuple[int, Path], decision: Decision) -> Path:
        """Return the file of a part's decisions, written unless it was kept.

        Args:
            numbered: the part's number, and its file.
        """
        number, part = numbered
        schema = decision.schema

        def write(path: Path) -> None:
            said = self.hear(part)
            with TableWriter(path, schema) as writer:
                made = decision.columns(said, number, BATCH_ROWS)
                both = zip(iter_batches(part, ["example_id"]), made, strict=True)
                for ids, columns in read_ahead(both):
                    own = [columns[name] for name in schema.names[1:]]
                    writer.write(pa.record_batch([ids.column(0), *own], schema=schema))

        record = [each.decode() for pair in sorted((schema.metadata or {}).items()) for each in pair]
        name = f"decisions {sha256_json([record, decision.facts(number)])}"
        return self.kept.file(name, [*self.folders, part], write, ".parquet")

    def _models(self, folder: Path, weights: str) -> tuple[Model, ...]:
        model = _load(folder, weights, self.compute, self.views)
        return model.members if self.gate.ensemble else (model,)


@cache
def _load(folder: Path, _weights: str, compute: ComputeParams, views: int) -> Model:
    """Load a model once in a process, as long as its weights are the same."""
    from selfsame.model.device import prepare_device
    from selfsame.model.models import load_model

    return load_model(folder, prepare_device(compute), views)
