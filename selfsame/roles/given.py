"""What a source says of its rows: their ids, their labels, and what they are drawn by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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

    def rows(self, chosen: np.ndarray | slice, labels: np.ndarray) -> Rows:
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
    ids, labels, own = bytearray(), bytearray(), bytearray()  # grown in place: to join parts takes it twice
    group: list[pa.Array] = []
    time: list[pa.Array] = []
    for part in parts:
        ids += part.ids.tobytes()
        labels += part.labels.tobytes()
        own += part.own.tobytes()
        for name, key, words in (
            (params.group_column, "group_column", group),
            (params.time_column, "time_column", time),
        ):
            if name is not None:
                words.append(words_of(name, key, part.kept, part.inputs, info))
    every = np.frombuffer(ids, np.uint64).reshape(-1, 2)
    return Given(
        every,
        np.frombuffer(labels, np.float64),
        np.frombuffer(own, np.int8),
        groups(pa.chunked_array(group, pa.string()), every, params) if group else None,
        times(pa.chunked_array(time, pa.string()), params) if time else None,
    )


def halves(ids: pa.Array) -> np.ndarray:
    """Return example ids as two numbers each: (N, 2) uint64."""
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(ids)], pa.int32()), ids), "")
    return np.frombuffer(bytes.fromhex(joined[0].as_py()), ">u8").reshape(-1, 2).astype(np.uint64)
