"""What a data source gives: a description, its terms, and its examples in batches."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.tables import TableInfo

OWN_ROLES = ("train", "validation", "holdout")
TRAIN, VALIDATION, HOLDOUT = range(3)


@dataclass(frozen=True)
class Batch:
    """Some examples of a source, in its own order.

    Attributes:
        inputs: uint8 (N, C, H, W) for images, float64 (N, F) for features, NaN where one is missing.
        labels: (N,) class indices (int64), ``UNLABELED`` where unknown; or target values (float64), NaN
            where unknown.
        own: (N,) int8, an index into ``OWN_ROLES``: what the source itself sets each row aside for; None
            where it says nothing of that.
        kept: further columns, as text, that are no input: to split by, and for people.
    """

    inputs: np.ndarray
    labels: np.ndarray
    own: np.ndarray | None = None
    kept: Mapping[str, pa.Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """One data source, opened and checked.

    Attributes:
        origin: where the data comes from, for the manifest and the model card.
        license: the terms its publisher states.
        content: sha256 of each part of the content as it was read, by the part's name.
        kept: names of the further columns that each batch has.
        facts: what else the manifest says of it.
        notes: sentences on what a person should know of how it was read.
    """

    info: TableInfo
    origin: str
    license: str
    content: dict[str, str]
    batches: Iterator[Batch]
    kept: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
