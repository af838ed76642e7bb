"""What a training draws its batches from: the examples of one role, whole, and endless random batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import ceil, inf
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ID
from selfsame.core.space import let_go, space
from selfsame.core.tables import TableInfo, count_rows, inputs_of, iter_batches, same_ids
from selfsame.learning.targets import pseudo_targets
from selfsame.model.device import fits, sent
from selfsame.model.inputs import Scaling


@dataclass(frozen=True)
class Examples:
    """Examples of one role, whole.

    Attributes:
        inputs: raw (N, C, H, W) uint8 or (N, F) float64; scaled only when a batch is taken.
        labels: (N,) int64 classes or float64 values.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: Tensor) -> "Examples":
        """Return the examples at ``rows``, (N,) int64 on the CPU."""
        device = self.labels.device
        there = sent(rows, device)
        if self.inputs.device == device:
            return Examples(self.inputs[there], self.labels[there])
        return Examples(sent(self.inputs[rows], device), self.labels[there])

    def to(self, device: torch.device) -> Self:
        """Return the same examples on another device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    def standardised(self, scaling: Scaling) -> Self:
        """Return the same examples with labels as a net is to give them."""
        return replace(self, labels=scaling.standardised(self.labels))


@dataclass(frozen=True)
class Ids:
    """The example ids of a table, some at a time: all of them take more memory than all else that is held."""

    table: Path

    def __iter__(self) -> Iterator[pa.Array]:
        return (batch.column(0) for batch in iter_batches(self.table, [ID]))


@dataclass(frozen=True)
class PoolExamples(Examples):
    """The pool with its pseudo-labels: classes, (N,) int64 or soft (N, K) float32, or values (N,) float64.

    Attributes:
        ids: (N,) example ids, some at a time.
        accepted: (N,) bool, on the CPU: whose label the gate accepted.
        teacher: the digest of the weights that made the labels.
        mapped: whether the inputs lie in a file, of which memory holds what was drawn last.
    """

    ids: Iterable[pa.Array]
    accepted: Tensor
    teacher: str
    mapped: bool = False

    def to(self, device: torch.device) -> Self:
        """Return the same examples on another device, but for inputs that are mapped or too large for it."""
        if self.mapped or not fits(self.inputs, device):
            return replace(self, labels=self.labels.to(device))
        return super().to(device)


def load_examples(table: Path) -> Examples:
    """Load a whole table of labeled examples."""
    info = TableInfo.of(table)
    batches = [(inputs_of(batch, info), batch.column("label").to_numpy()) for batch in iter_batches(table)]
    return stack_examples(batches, info)


def stack_examples(batches: list[tuple[np.ndarray, np.ndarray]], info: TableInfo) -> Examples:
    """Join batches of raw inputs and labels, possibly none."""
    dtype = np.uint8 if info.image_shape else np.float64
    inputs = np.concatenate([np.empty((0, *info.input_shape), dtype), *(pair[0] for pair in batches)])
    labels = np.concatenate([np.empty(0, info.labels.dtype), *(pair[1] for pair in batches)])
    return Examples(torch.from_numpy(inputs), torch.from_numpy(labels))


def load_pool(
    pool: Path, pseudo_labels: Path, soft_temperature: float | None, memory_gb: float | None = None
) -> PoolExamples:
    """Load the pool with its pseudo-labels: classes or values, or distributions.

    Args:
        memory_gb: inputs of more than that are put into a file row by row and mapped from there; a batch is
            drawn from all rows alike, and is the same, wherever they lie.

    Raises:
        SelfsameError: the pseudo-labels are not those of this pool.
    """
    info, count = TableInfo.of(pool), count_rows(pool)
    if count != count_rows(pseudo_labels):
        raise _other_pool(pool, pseudo_labels)
    dtype = np.uint8 if info.image_shape else np.float64
    inputs = space((count, *info.input_shape), dtype, inf if memory_gb is None else memory_gb * 1e9)
    labels, accepted = np.empty(count, info.labels.dtype), np.empty(count, bool)
    said: list[np.ndarray] = []
    teacher, start = "", 0
    own = [ID, *(each.name for each in info.input_fields())]
    soft = ["probabilities"] if soft_temperature is not None else []
    made = iter_batches(pseudo_labels, [ID, "accepted", "pseudo_label", "teacher", *soft])
    for rows, decisions in zip(iter_batches(pool, own), made, strict=True):
        if not same_ids(rows.column(ID), decisions.column(ID)):
            raise _other_pool(pool, pseudo_labels)
        here = slice(start, start + rows.num_rows)
        inputs[here] = inputs_of(rows, info)
        let_go(inputs)
        start += rows.num_rows
        teacher = teacher or decisions.column("teacher")[0].as_py()
        labels[here] = decisions.column("pseudo_label").to_numpy()
        accepted[here] = decisions.column("accepted").to_numpy(zero_copy_only=False)
        said += [np.array(decisions.column(name).flatten()) for name in soft]
    targets = torch.from_numpy(labels)
    if soft_temperature is not None:
        probabilities = np.concatenate([np.empty(0, np.float32), *said])
        targets = pseudo_targets(torch.from_numpy(probabilities).view(count, -1), soft_temperature)
    return PoolExamples(
        torch.from_numpy(inputs),
        targets,
        Ids(pseudo_labels),
        torch.from_numpy(accepted),
        teacher,
        isinstance(inputs, np.memmap),
    )


def _other_pool(pool: Path, pseudo_labels: Path) -> SelfsameError:
    return SelfsameError(f"{pseudo_labels}: its rows are not those of {pool}", "run 'dvc repro --force'")


class EndlessBatches:
    """The rows of random batches without end.

    A pass is cut into batches of nearly equal size, at most ``batch_size``, so that none is left with a
    single row, which batch normalization refuses. It visits every row exactly once; or, with ``chances``,
    draws as many with replacement. The draws are made on the CPU, so that they are the same on every device.

    Attributes:
        generator: the random stream that orders the passes; whoever changes the batches draws from it too.
        passes: how many have begun.
    """

    def __init__(
        self, rows: Tensor, batch_size: int, generator: torch.Generator, chances: Tensor | None = None
    ) -> None:
        self.generator, self.passes = generator, 0
        self.batch_size, self._chances = batch_size, chances
        self.restart(rows)

    def restart(self, rows: Tensor) -> None:
        """Begin a pass over other rows, (N,) int64, at the next batch."""
        self._rows, self._batches_per_pass = rows, ceil(len(rows) / self.batch_size)
        self._order, self._position = torch.empty(0, dtype=torch.int64), self._batches_per_pass

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if self._position == self._batches_per_pass:
            self._order, self._position = self._draw_order(), 0
            self.passes += 1
        rows = self._order.tensor_split(self._batches_per_pass)[self._position]
        self._position += 1
        return rows

    def state(self) -> dict[str, Tensor]:
        """Return where the stream stands, to go on from there another time."""
        return {
            "generator": self.generator.get_state(),
            "rows": self._rows,
            "order": self._order,
            "position": torch.tensor([self._position, self.passes]),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from where a stream stood."""
        self.restart(state["rows"])
        self.generator.set_state(state["generator"])
        self._order = state["order"]
        self._position, self.passes = state["position"].tolist()

    def _draw_order(self) -> Tensor:
        count = len(self._rows)
        if self._chances is None:
            return self._rows[torch.randperm(count, generator=self.generator)]
        return self._rows[torch.multinomial(self._chances, count, replacement=True, generator=self.generator)]


def balanced(labels: Tensor) -> Tensor:
    """Return the chances (N,) that let all classes of ``labels`` (N,) come equally often."""
    labels = labels.cpu()
    return 1 / torch.bincount(labels)[labels]
