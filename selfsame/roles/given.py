"""What a source says of its rows: their ids, their labels, and what they are drawn by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles.marks import groups, times, words_of
from selfsame.roles.rows import Rows


@dataclass(frozen=True)
class Part:
    """Some rows of a source, in its order.

    Attributes:
        ids: (N, 2) uint64, the two halves of the example ids.
        labels: (N,) float64 as the source has them, NaN where unknown.
        own: (N,) int8, what the source itself sets a row aside for (``roles.rows``).
        kept: columns that are no input, as text.
        inputs: (N, F) features, or images.
    """

    ids: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    kept: Mapping[str, pa.Array]
    inputs: np.ndarray


@dataclass(frozen=True)
class Given:
    """The same of all rows, with their group and time where ``split`` names columns for them."""

    ids: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None

    def rows(self, chosen: np.ndarray, labels: np.ndarray) -> Rows:
        """Return what some rows are drawn by.

        Args:
            chosen: positions.
            labels: of these, as ``Rows`` has them.
        """
        group = None if self.group is None else self.group[chosen]
        time = None if self.time is None else self.time[chosen]
        return Rows(self.ids[chosen], labels, self.own[chosen], group, time)


def gather(parts: Iterable[Part], info: TableInfo, params: SplitParams) -> Given:
    """Put the parts of a source together; 25 bytes a row stay in memory, and the marks that are asked for."""
    ids, labels, own = [], [], []
    group: list[pa.Array] = []
    time: list[pa.Array] = []
    for part in parts:
        ids.append(part.ids)
        labels.append(part.labels)
        own.append(part.own)
        for name, key, words in (
            (params.group_column, "group_column", group),
            (params.time_column, "time_column", time),
        ):
            if name is not None:
                words.append(words_of(name, key, part.kept, part.inputs, info))
    every = np.concatenate(ids)
    return Given(
        every,
        np.concatenate(labels),
        np.concatenate(own),
        groups(pa.chunked_array(group, pa.string()), every, params) if group else None,
        times(pa.chunked_array(time, pa.string()), params) if time else None,
    )


def halves(ids: list[str]) -> np.ndarray:
    """Return example ids as two numbers each: (N, 2) uint64."""
    return np.frombuffer(bytes.fromhex("".join(ids)), ">u8").reshape(-1, 2).astype(np.uint64)
