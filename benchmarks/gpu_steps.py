"""What ``benchmarks/gpu.py`` sees of a training, and the bare step beside it."""

import copy
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from selfsame.learning import fit, refit
from selfsame.learning.loop import Plan, TrainingData
from selfsame.learning.loop import train as real_train
from selfsame.learning.optimize import build_optimizer
from selfsame.learning.steps import StepNet
from selfsame.model.device import prepare_device
from selfsame.model.inputs import prepare
from selfsame.params.compute import ComputeParams
from selfsame.params.training import TrainingParams

WARM_UP_SECONDS, SPELLS = 0.2, 5
now = time.monotonic  # seconds


class Counted(nn.Module):
    """What steps call, counting them and their rows."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.steps, self.rows = net, 0, 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:  # noqa: D102
        self.steps += 1
        self.rows += len(inputs)
        return self.net(inputs)


@dataclass
class Training:
    """One training: when its epochs ended, and what its steps saw."""

    seconds: float
    marks: list[float]
    steps: int
    rows: int
    peak_bytes: int | None


@dataclass
class Recorded:
    """The trainings of a stage, and a bare step of the last one's kind."""

    stage_seconds: float = 0.0
    trainings: list[Training] = field(default_factory=list)
    bare: dict[str, float] | None = None

    def epoch_seconds(self) -> list[float]:
        """Return how long each epoch of the first training took."""
        marks = self.trainings[0].marks
        return [end - start for start, end in pairwise(marks)]

    def figures(self) -> dict[str, Any]:
        """Return what the page tells."""
        seconds = sum(each.seconds for each in self.trainings)
        steps = sum(each.steps for each in self.trainings)
        found: dict[str, Any] = {
            "stage_seconds": self.stage_seconds,
            "training_seconds": seconds,
            "trainings": len(self.trainings),
            "steps": steps,
            "rows_per_step": sum(each.rows for each in self.trainings) / steps,
            "peak_bytes": max((each.peak_bytes or 0 for each in self.trainings), default=0),
        }
        if self.bare is not None:
            found["bare"] = self.bare
            found["share_of_bare"] = self.bare["seconds"] * steps / seconds
        return found


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Let the trainings of a stage be seen from outside."""
    found = Recorded()

    def train(
        net: nn.Module,
        data: TrainingData,
        plan: Plan,
        training: TrainingParams,
        on_epoch: Callable[[dict[str, float]], None],
        checkpoints: Any = None,
        in_steps: Callable[[nn.Module], nn.Module] = lambda net: net,
    ) -> Any:
        counted: list[Counted] = []

        def counting(net: nn.Module) -> nn.Module:
            counted.append(Counted(in_steps(net)))
            return counted[0]

        on_gpu = next(net.parameters()).is_cuda
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        synchronise()
        marks = [now()]

        def mark(row: dict[str, float]) -> None:
            on_epoch(row)
            marks.append(now())

        result = real_train(net, data, plan, training, mark, checkpoints, counting)
        synchronise()
        peak = torch.cuda.max_memory_allocated() if on_gpu else None
        seen = Training(now() - marks[0], marks, counted[0].steps, counted[0].rows, peak)
        found.trainings.append(seen)
        if found.bare is None:  # a refit's steps are those of the first training
            found.bare = bare_step(net, data, training, round(seen.rows / seen.steps))
        return result

    fit.train = refit.train = train  # type: ignore[assignment]
    try:
        yield found
    finally:
        fit.train = refit.train = real_train


def bare_step(net: nn.Module, data: TrainingData, training: TrainingParams, rows: int) -> dict[str, float]:
    """Return the seconds of a bare step, and of one whose kernels need not be repeatable; ``net`` stays."""
    random = torch.get_rng_state()
    net = copy.deepcopy(net).train()
    device = data.labeled.labels.device
    chosen = torch.arange(rows, device=device) % len(data.labeled)
    inputs, labels = prepare(data.labeled.inputs[chosen], data.scaling), data.labeled.labels[chosen]
    step_net, optimizer = StepNet(net, training), build_optimizer(net, training)

    def step() -> None:
        loss = functional.cross_entropy(step_net(inputs), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    found = {"rows": rows, "seconds": timed(step)}
    torch.set_deterministic_debug_mode("default")
    torch.backends.cudnn.benchmark = True
    try:
        found["seconds_any_kernels"] = timed(step)
    finally:
        torch.set_deterministic_debug_mode("error")
        torch.backends.cudnn.benchmark = False
    torch.set_rng_state(random)
    return found


def timed(step: Callable[[], None], seconds: float = 0.3) -> float:
    """Return the seconds of a step: the median of a few spells of many, after a warm-up."""
    begun = last = now()
    while last - begun < WARM_UP_SECONDS:
        begun_last = last
        step()
        synchronise()
        last = now()
    count = max(1, min(200, int(seconds / SPELLS / max(last - begun_last, 1e-6))))
    spells = []
    for _ in range(SPELLS):
        begun = now()
        for _ in range(count):
            step()
        synchronise()
        spells.append((now() - begun) / count)
    return statistics.median(spells)


def synchronise() -> None:
    """Wait until the GPU, if one is used, has done all it was asked for."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def warm_up(device: str) -> float:
    """Load what a first step loads; return the seconds of it."""
    begun = now()
    prepare_device(ComputeParams.model_validate({"device": device, "cpu_threads": 2}))
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    net = nn.Sequential(net, nn.Linear(8, 4)).to(device)
    net(torch.rand(8, 3, 16, 16, device=device)).sum().backward()
    synchronise()
    return now() - begun
