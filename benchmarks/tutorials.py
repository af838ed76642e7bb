"""What a scaling mistake cost: ``python benchmarks/tutorials.py MNIST_FOLDER [--shorten 20] [--seed 0]``.

Three procedures of the tutorials behind this project, on MNIST (1,000 labeled, 1,000 validation, 58,000
pool, 10,000 holdout rows; the folder holds the four idx files), each twice with the same net and seed:

* *as published*: labeled images are scaled to 0…1 and flipped left-right at random; validation, pool and
  holdout images go in as they are, 0…255.
* *honest*: every image is scaled to 0…1, and none is flipped.

The net is the tutorials' (convolutions of 64 and 192 channels, dense layers of 1024 and 512 units, dropout),
trained by Adam at 1e-3, and the epoch of best validation accuracy is kept:

* *supervised*: batches of 128 labeled rows;
* *online*: 256 pool rows beside them, labeled by the net in training; their loss has a weight of 0 until
  epoch 100 of 501, which then grows to 1e-4 at epoch 450;
* *offline*: the supervised net labels the pool once, a fresh net learns from the labels of a confidence of
  0.99 or more too; the weight grows from epoch 20 to epoch 450.

501 epochs take hours on a CPU: unless told, epochs and ramp are shortened by the factor 20.
An epoch is a pass over the labeled rows, 8 steps. Kernels of 3×3 and dropout of a half are this script's
choice. What a run gave is kept in ``benchmarks/results``, and it is not repeated; ``benchmarks/results.py``
puts them all on its page. Each takes 3 to 6 minutes of one core.
"""

import argparse
import copy
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import KEPT, SCRATCH
from torch import Tensor, nn
from torch.nn import functional

from selfsame.learning.methods import RampUp
from selfsame.sources.idx import MNIST, idx_source
from selfsame.sources.source import HOLDOUT

LABELED_PER_CLASS = VALIDATION_PER_CLASS = 100
PUBLISHED_EPOCHS = 501
RAMP_STARTS, RAMP_END = {"online": 100, "offline": 20}, 450
THRESHOLD = 0.99
WEIGHT = 1e-4
EVALUATION_ROWS = 125  # on a CPU a row takes half as long as in batches of 1,000


@dataclass(frozen=True)
class Images:
    """(N, 1, 28, 28) uint8 images and (N,) int64 labels."""

    raw: Tensor
    labels: Tensor

    def __getitem__(self, rows: Tensor) -> "Images":
        return Images(self.raw[rows], self.labels[rows])

    def batches(self, size: int, generator: torch.Generator) -> Iterator["Images"]:
        """Yield shuffled batches without end, the last of each pass as short as it comes."""
        while True:
            for rows in torch.randperm(len(self.labels), generator=generator).split(size):
                yield self[rows]


@dataclass(frozen=True)
class Inputs:
    """How a procedure prepares what the net sees."""

    name: str
    flipped: bool
    unlabeled_divisor: float

    def labeled(self, raw: Tensor, generator: torch.Generator) -> Tensor:
        """Prepare labeled images, drawing anew which to flip."""
        inputs = raw.float() / 255
        if self.flipped:
            turned = torch.rand(len(raw), generator=generator) < 0.5
            inputs = torch.where(turned[:, None, None, None], inputs.flip(3), inputs)
        return inputs

    def others(self, raw: Tensor) -> Tensor:
        """Prepare validation, pool and holdout images."""
        return raw.float() / self.unlabeled_divisor


AS_PUBLISHED, HONEST = Inputs("as published", True, 1), Inputs("honest", False, 255)


@dataclass(frozen=True)
class Data:
    """The four roles; the pool's labels are for measuring only."""

    labeled: Images
    validation: Images
    pool: Images
    holdout: Images


def split(folder: Path, seed: int) -> Data:
    """Draw the roles: the source's own holdout, and the same number of rows of every class."""
    parts = list(idx_source(MNIST, folder, mirror=None).batches)
    images = Images(
        torch.from_numpy(np.concatenate([part.inputs for part in parts])),
        torch.from_numpy(np.concatenate([part.labels for part in parts])),
    )
    own_holdout = np.concatenate([part.own for part in parts]) == HOLDOUT
    random = np.random.default_rng(seed)
    labeled, validation, pool = [], [], []
    for digit in range(10):
        rows = random.permutation(np.flatnonzero((images.labels.numpy() == digit) & ~own_holdout))
        ends = [LABELED_PER_CLASS, LABELED_PER_CLASS + VALIDATION_PER_CLASS]
        for role, part in zip((labeled, validation, pool), np.split(rows, ends), strict=True):
            role.append(part)
    roles = [np.concatenate(role) for role in (labeled, validation, pool)]
    return Data(*(images[torch.from_numpy(rows)] for rows in (*roles, np.flatnonzero(own_holdout))))


def build_net() -> nn.Module:
    return nn.Sequential(  # ReLU after pooling: the same values, of a quarter as many
        *(nn.Conv2d(1, 64, 3, padding=1), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(64, 192, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(192 * 7 * 7, 1024), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(1024, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10)),
    ).to(memory_format=torch.channels_last)


@torch.inference_mode()
def probabilities(net: nn.Module, raw: Tensor, inputs: Inputs) -> Tensor:
    net.eval()
    return torch.cat([net(inputs.others(rows)).softmax(1) for rows in raw.split(EVALUATION_ROWS)])


def accuracy(net: nn.Module, images: Images, inputs: Inputs) -> float:
    return float((probabilities(net, images.raw, inputs).argmax(1) == images.labels).float().mean())


def train(
    data: Data,
    inputs: Inputs,
    seed: int,
    epochs: int,
    pool: Images | None,
    ramp_up: RampUp | None,
    online: bool,
) -> tuple[nn.Module, list[float]]:
    """Train a fresh net; return it at its best epoch, and every epoch's validation accuracy."""
    torch.manual_seed(seed)
    net = build_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    random = torch.Generator().manual_seed(seed)
    labeled = data.labeled.batches(128, random)
    others = pool.batches(256, torch.Generator().manual_seed(seed + 1)) if pool is not None else None
    best, curve = copy.deepcopy(net.state_dict()), []
    for epoch in range(epochs):
        net.train()
        for _ in range(-(-len(data.labeled.labels) // 128)):
            batch = next(labeled)
            loss = functional.cross_entropy(net(inputs.labeled(batch.raw, random)), batch.labels)
            weight = ramp_up.at(epoch) if ramp_up else 0.0
            if others is not None and weight:
                more = next(others)
                logits = net(inputs.others(more.raw))
                labels = logits.detach().argmax(1) if online else more.labels
                loss = loss + weight * functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        curve.append(accuracy(net, data.validation, inputs))
        if curve[-1] > max(curve[:-1], default=-1.0):
            best = copy.deepcopy(net.state_dict())
    net.load_state_dict(best)
    return net, curve


@dataclass(frozen=True)
class Bench:
    """Where the runs of one draw and one length are kept, and what makes them.

    Attributes:
        folder: a JSON file for every run that is done.
        scratch: the pool labels that the offline runs learn.
        shorten: what epochs and ramp are divided by.
    """

    data: Data
    folder: Path
    scratch: Path
    shorten: float
    seed: int

    def run(self, procedure: str, inputs: Inputs) -> dict[str, Any]:
        """Return a run's figures; a run of the same seed and length that is done isn't repeated."""
        name = f"{procedure} {inputs.name}".replace(" ", "-")
        file, asked = self.folder / f"{name}.json", {"shorten": self.shorten, "seed": self.seed}
        if file.exists() and asked.items() <= (found := json.loads(file.read_text(encoding="utf-8"))).items():
            return found
        started = time.process_time()
        labels_file = self.scratch / f"pool labels {inputs.name}.npz".replace(" ", "-")
        pool = {"supervised": None, "online": self.data.pool}.get(procedure)
        if procedure == "offline":
            accepted = np.load(labels_file)
            pool = Images(self.data.pool.raw[accepted["rows"]], torch.from_numpy(accepted["labels"]))
        epochs, ramp_up = self._shortened(PUBLISHED_EPOCHS), None
        if procedure in RAMP_STARTS:
            ends = (self._shortened(epoch) for epoch in (RAMP_STARTS[procedure], RAMP_END))
            ramp_up = RampUp(WEIGHT, *ends)
        net, curve = train(self.data, inputs, self.seed, epochs, pool, ramp_up, procedure == "online")
        figures = {"procedure": procedure, "inputs": inputs.name, **asked, "epochs": epochs}
        figures |= {"holdout": accuracy(net, self.data.holdout, inputs), "validation": curve}
        if procedure == "supervised":
            confidence, labels = probabilities(net, self.data.pool.raw, inputs).max(1)
            kept = confidence >= THRESHOLD
            if not kept.any():
                raise SystemExit(
                    f"{name}: no label has a confidence of {THRESHOLD}; train longer (--shorten)"
                )
            right = (labels == self.data.pool.labels)[kept].float()
            figures |= {"coverage": float(kept.float().mean()), "precision": float(right.mean())}
            self.scratch.mkdir(parents=True, exist_ok=True)
            np.savez(labels_file, rows=kept.nonzero()[:, 0].numpy(), labels=labels[kept].numpy())
        figures["seconds"] = time.process_time() - started
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(figures, indent=1), encoding="utf-8")
        partial.replace(file)
        return figures

    def _shortened(self, epochs: int) -> int:
        return round(epochs / self.shorten)


def main() -> None:
    parser = argparse.ArgumentParser(description="The tutorials' procedures, as published and honest.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shorten", type=float, default=20, help="divides epochs and ramp; 1: as published")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = split(options.folder, options.seed)
    bench = Bench(data, KEPT / "tutorials", SCRATCH / "tutorials", options.shorten, options.seed)
    for procedure in ("supervised", "online", "offline"):
        for inputs in (AS_PUBLISHED, HONEST):
            figures = bench.run(procedure, inputs)
            told = f"holdout {figures['holdout']:.4f}, {figures['seconds']:.0f} CPU seconds"
            print(f"{procedure}, {inputs.name}: {told}", flush=True)


if __name__ == "__main__":
    main()
