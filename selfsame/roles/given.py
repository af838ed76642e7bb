"""What a source says of its rows: their ids, their labels, and what they are drawn by."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selfsame.core.space import Growing, pieces
from selfsame.core.tables import TableInfo
from selfsame.params.split import SplitParams
from selfsame.roles.marks import groups, times, words_of


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
    """The same of all rows, with their group and time where ``split`` names columns for them.

    All but the time may lie in a file (``core.space``): whoever goes through all rows takes pieces.
    """

    ids: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    group: np.ndarray | None = None
    time: np.ndarray | None = None

    def rows_of(self, names: Collection[str]) -> dict[str, list[int]]:
        """Return the rows that have an example id, for each of some; none for what is nobody's id."""
        found: dict[str, list[int]] = {name: [] for name in names}
        known = [name for name in names if len(name) == 32 and set(name) <= set("0123456789abcdef")]
        looked_for = halves(pa.array(known, pa.string()))[:, 0]
        for rows, ids in pieces(self.ids) if known else ():
            for row in np.flatnonzero(np.isin(ids[:, 0], looked_for)):
                found.get(f"{ids[row, 0]:016x}{ids[row, 1]:016x}", []).append(rows.start + int(row))
        return found


def gather(parts: Iterable[Part], info: TableInfo, params: SplitParams) -> Given:
    """Put the parts of a source together; of all rows, memory holds the words of their times alone."""
    ids, labels, own = Growing(np.uint64, 2), Growing(np.float64), Growing(np.int8)
    group, time = Growing(np.uint64), list[pa.Array]()
    for part in parts:
        ids.append(part.ids)
        labels.append(part.labels)
        own.append(part.own)
        if params.group_column is not None:
            words = words_of(params.group_column, "group_column", part.kept, part.inputs, info)
            group.append(groups(words, part.ids, params))
        if params.time_column is not None:
            time.append(words_of(params.time_column, "time_column", part.kept, part.inputs, info))
    return Given(
        ids.array(),
        labels.array(),
        own.array(),
        None if params.group_column is None else group.array(),
        times(pa.chunked_array(time, pa.string()), params) if time else None,
    )


def halves(ids: pa.Array) -> np.ndarray:
    """Return example ids as two numbers each: (N, 2) uint64."""
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(ids)], pa.int32()), ids), "")
    return np.frombuffer(bytes.fromhex(joined[0].as_py()), ">u8").reshape(-1, 2).astype(np.uint64)
