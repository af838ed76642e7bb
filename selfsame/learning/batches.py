"""What a training draws its batches from: the examples of one role, whole, and endless random batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from selfsame.core.tables import TableInfo, inputs_of, iter_batches
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

    def to(self, device: torch.device) -> "Examples":
        """Return the same examples on another device."""
        return Examples(self.inputs.to(device), self.labels.to(device))

    def standardised(self, scaling: Scaling) -> "Examples":
        """Return the same examples with labels as a net is to give them."""
        return Examples(self.inputs, scaling.standardised(self.labels))


def load_examples(table: Path) -> Examples:
    """Load a whole table of labeled examples."""
    info = TableInfo.of(table)
    batches = [(inputs_of(batch, info), batch.column("label").to_numpy()) for batch in iter_batches(table)]
    return stack_examples(batches, info)


def stack_examples(batches: list[tuple[np.ndarray, np.ndarray]], info: TableInfo) -> Examples:
    """Join batches of raw inputs and labels, possibly none."""
    dtype = np.uint8 if info.image_shape else np.float64
    inputs = np.concatenate([np.empty((0, *info.input_shape), dtype), *(pair[0] for pair in batches)])
    kind = np.int64 if info.target == "classification" else np.float64
    labels = np.concatenate([np.empty(0, kind), *(pair[1] for pair in batches)])
    return Examples(torch.from_numpy(inputs), torch.from_numpy(labels))


class EndlessBatches:
    """Random batches without end.

    A pass is cut into batches of nearly equal size, at most ``batch_size``, so that none is left with a
    single row, which batch normalization refuses. It visits every example exactly once; or, ``balanced``,
    draws as many with replacement, each with a probability of 1 / (rows of its class), so that all classes
    come equally often. The draws are made on the CPU, so that they are the same on every device.

    Attributes:
        generator: the random stream that orders the passes; whoever changes the batches draws from it too.
    """

    def __init__(
        self, examples: Examples, batch_size: int, generator: torch.Generator, balanced: bool = False
    ) -> None:
        self.generator = generator
        self._examples, self._batches_per_pass = examples, ceil(len(examples) / batch_size)
        labels = examples.labels.cpu()
        self._chances = 1 / torch.bincount(labels)[labels] if balanced else None
        self._order, self._position = torch.empty(0, dtype=torch.int64), self._batches_per_pass

    def __iter__(self) -> Iterator[Examples]:
        return self

    def __next__(self) -> Examples:
        if self._position == self._batches_per_pass:
            self._order, self._position = self._draw_order(), 0
        rows = self._order.tensor_split(self._batches_per_pass)[self._position]
        rows = rows.to(self._examples.labels.device)
        self._position += 1
        return Examples(self._examples.inputs[rows], self._examples.labels[rows])

    def state(self) -> dict[str, Tensor]:
        """Return where the stream stands, to go on from there another time."""
        return {
            "generator": self.generator.get_state(),
            "order": self._order,
            "position": torch.tensor(self._position),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from where a stream over the same examples stood."""
        self.generator.set_state(state["generator"])
        self._order, self._position = state["order"], int(state["position"])

    def _draw_order(self) -> Tensor:
        count = len(self._examples)
        if self._chances is None:
            return torch.randperm(count, generator=self.generator)
        return torch.multinomial(self._chances, count, replacement=True, generator=self.generator)
