"""From rows on disk to the tensors a net sees: one path for training, labeling and prediction."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from selfsame.core.tables import TableInfo, inputs_of, iter_batches

# Standard deviations of the labeled rows. Farther out a feature says only that it is extreme: where a net has
# seen no such row it extrapolates, and of 15,000 rows of California housing one such ruins R² (0.0 to 0.7).
FEATURE_LIMIT = 4.0


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of the labeled rows.

    Attributes:
        mean, std: per image channel or per feature.
        target: mean and standard deviation of the labels of a regression; None of classes.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    target: tuple[float, float] | None = None

    @classmethod
    def load(cls, path: Path) -> "Scaling":
        """Read what the stage ``split`` has fitted."""
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Scaling":
        """Rebuild from the JSON form."""
        target = values["target"]
        fitted = (target["mean"], target["std"]) if target else None
        return cls(tuple(values["mean"]), tuple(values["std"]), fitted)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON form, the one that ``split`` writes."""
        target = dict(zip(("mean", "std"), self.target, strict=True)) if self.target else None
        return {"mean": list(self.mean), "std": list(self.std), "target": target}

    def standardised(self, labels: Tensor) -> Tensor:
        """Return labels (N,) as a net is to give them: values as standardised float32, classes unchanged."""
        if self.target is None:
            return labels
        mean, std = self.target
        return ((labels - mean) / std).float()

    def restored(self, outputs: Tensor) -> Tensor:
        """Return standardised values as float64 in the labels' own unit."""
        assert self.target is not None
        mean, std = self.target
        return outputs.double() * std + mean


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


def prepare(raw: Tensor, scaling: Scaling) -> Tensor:
    """Scale raw inputs to what a net sees: float32 of the same shape; features within ±``FEATURE_LIMIT``.

    Every input of every net passes here and nowhere else, so that training, labeling, validation,
    holdout and prediction can't differ. A missing value (NaN) becomes 0: the mean of the labeled rows.
    """
    shape = (-1, 1, 1) if raw.dim() == 4 else (-1,)
    mean = torch.tensor(scaling.mean, dtype=torch.float64, device=raw.device).view(shape)
    std = torch.tensor(scaling.std, dtype=torch.float64, device=raw.device).view(shape)
    if raw.dtype == torch.uint8:
        return (raw.float() - mean.float()) / std.float()
    scaled = ((raw - mean) / std).clamp(-FEATURE_LIMIT, FEATURE_LIMIT).float()
    return torch.where(scaled.isnan(), 0.0, scaled)


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


def endless_batches(
    examples: Examples, batch_size: int, generator: torch.Generator, balanced: bool = False
) -> Iterator[Examples]:
    """Yield random batches without end.

    A pass is cut into batches of nearly equal size, at most ``batch_size``, so that none is left with a
    single row, which batch normalization refuses. It visits every example exactly once; or, ``balanced``,
    draws as many with replacement, each with a probability of 1 / (rows of its class), so that all classes
    come equally often. The draws are made on the CPU, so that they are the same on every device.
    """
    device = examples.labels.device
    counts = torch.bincount(examples.labels.cpu()) if balanced else None
    while True:
        if counts is None:
            order = torch.randperm(len(examples), generator=generator)
        else:
            chances = 1 / counts[examples.labels.cpu()]
            order = torch.multinomial(chances, len(examples), replacement=True, generator=generator)
        for rows in order.to(device).tensor_split(ceil(len(examples) / batch_size)):
            yield Examples(examples.inputs[rows], examples.labels[rows])
