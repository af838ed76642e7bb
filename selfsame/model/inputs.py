"""From raw rows to the tensors a net sees: one path for training, labeling and prediction."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.model.device import sent, side_by_side

# Standard deviations of the labeled rows. Farther out a feature says only that it is extreme: where a net has
# seen no such row it extrapolates, and of 15,000 rows of California housing one such ruins R² (0.0 to 0.7).
FEATURE_LIMIT = 4.0
# Values, and rows, that a CPU's thread predicts at once: 128 of MNIST's images, whose layers' outputs stay in
# its caches. 8,192 images took twice as long.
CPU_VALUES = 2**17
CPU_ROWS = 4096
FEWEST_ROWS = 16  # fewer are computed by other instructions, which add up in another order
GPU_ROWS = 4096


@dataclass(frozen=True)
class Scaling:
    """What turns raw inputs into those of a net, and the labels of a regression into what it gives.

    Attributes:
        mean, std: of the labeled rows, per image channel or per feature; or of the images that a net's
            weights were trained on.
        size: height and width that images are resized to, in pixels; None leaves them.
        target: mean and standard deviation of the labeled rows' values; None of classes.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int] | None = None
    target: tuple[float, float] | None = None

    @classmethod
    def load(cls, path: Path) -> "Scaling":
        """Read what the stage ``split`` has fitted."""
        return cls.from_json({**json.loads(path.read_text(encoding="utf-8")), "size": None})

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Scaling":
        """Read what a model's folder holds."""
        size, target = values["size"], values["target"]
        return cls(
            tuple(values["mean"]),
            tuple(values["std"]),
            None if size is None else tuple(size),
            None if target is None else (target["mean"], target["std"]),
        )

    def as_json(self) -> dict[str, Any]:
        """Return what a model's folder holds."""
        target = None if self.target is None else dict(zip(("mean", "std"), self.target, strict=True))
        return {**asdict(self), "target": target}

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


def prepare(raw: Tensor, scaling: Scaling) -> Tensor:
    """Turn raw inputs into what a net sees: scaled float32, images in the net's size.

    One channel of an image becomes as many as there are means. Features end at ±``FEATURE_LIMIT``.

    Every input of every net passes here and nowhere else, so that training, labeling, validation,
    holdout and prediction can't differ. A missing value (NaN) becomes 0: the mean of the labeled rows.
    """
    shape = (-1, 1, 1) if raw.dim() == 4 else (-1,)
    kind = torch.float32 if raw.dtype == torch.uint8 else torch.float64
    mean, std = (
        sent(torch.tensor(values, dtype=kind), raw.device).view(shape)
        for values in (scaling.mean, scaling.std)
    )
    if raw.dtype == torch.uint8:
        images = raw.float()
        if scaling.size is not None and raw.shape[2:] != scaling.size:
            # Antialiased, as the transforms that torchvision's weights were trained with.
            images = functional.interpolate(images, scaling.size, mode="bilinear", antialias=True)
        return (images - mean) / std
    # In place from the first difference on: fresh memory costs more than the arithmetic.
    scaled = (raw - mean).div_(std).clamp_(-FEATURE_LIMIT, FEATURE_LIMIT).float()
    return scaled.nan_to_num_(nan=0.0)


def in_batches(function: Callable[[Tensor], Tensor], raw: Tensor, device: torch.device) -> Tensor:
    """Return what a net on ``device`` makes of raw rows (N, …), a batch of them at a time.

    On a CPU each thread takes batches of its own: none waits for the others after every layer, which on a
    busy machine took ten times as long. A row gets the same bits for any number of threads and whatever else
    is predicted with it: a batch is a power of two of rows, the last one filled up with its last
    row.
    """
    if device.type != "cpu":
        return torch.cat([function(rows) for rows in raw.split(GPU_ROWS)])
    most = _power_of_two(min(max(CPU_VALUES // prod(raw.shape[1:]), 1), CPU_ROWS))
    fewest = min(most, FEWEST_ROWS)

    def outputs_of(rows: Tensor) -> Tensor:
        if not len(rows):
            return function(rows.new_zeros(1, *rows.shape[1:]))[:0]  # for the shape; not every net takes none
        filled = max(_power_of_two(2 * len(rows) - 1), fewest)
        whole = rows if len(rows) == filled else rows[torch.arange(filled).clamp(max=len(rows) - 1)]
        return function(whole.contiguous())[: len(rows)]  # how rows lie in memory changes bits, too

    threads, own = side_by_side(), torch.get_num_threads()
    alone = threads == 1 or len(raw) <= most
    torch.set_num_threads(1)  # the matrix library's, too, which all threads share
    try:
        each = (map if alone else _threads(threads, os.getpid()).map)(outputs_of, raw.split(most))
        return torch.cat(list(each))
    finally:
        torch.set_num_threads(own)


@cache
def _threads(number: int, _process: int) -> ThreadPoolExecutor:
    """Return threads that stay: a new one takes fresh memory, which costs more than a small net."""
    return ThreadPoolExecutor(number, initializer=torch.set_num_threads, initargs=(1,))


def _power_of_two(number: int) -> int:
    """Return the largest power of two that is at most ``number``."""
    return 1 << (number.bit_length() - 1)
