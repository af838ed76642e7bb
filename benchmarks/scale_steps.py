"""Trainings with MNIST's recipe beside bare steps: ``python benchmarks/scale_steps.py FOLDER THREADS``.

``benchmarks/scale.py steps`` calls it, for a table of images that it has made. On one thread seconds are the
processor's, which other work on the machine changes least; on more they are the clock's.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu_steps
from gpu import Project

from selfsame.learning import loop
from selfsame.learning.optimize import MovingAverage
from selfsame.learning.pool import Pool

CHANGES: dict[str, Any] = {
    "data": {"source": "digits", "path": "data"},
    "split.holdout_fraction": 0.05,
    "compute.device": "cpu",
    "training.refit_on_validation": False,
    "train_baseline.max_epochs": 8,
    "pseudo_label.threshold": 0.0,  # all of the pool is learned from
    "retrain.max_epochs": 8,
}
# What a step or an epoch does beside the bare step, and who does it.
BESIDE: dict[str, tuple[Any, str]] = {
    "views": (loop, "_changed"),
    "validation": (loop, "_validated"),
    "moving average": (MovingAverage, "update"),
    "labeling": (Pool, "relabel_if_due"),
}


def spent_in(place: Any, name: str, spent: list[float]) -> None:
    """Let the seconds of a function be summed up in ``spent``."""
    real: Callable[..., Any] = getattr(place, name)

    def watched(*given: Any, **named: Any) -> Any:
        begun = gpu_steps.now()
        try:
            return real(*given, **named)
        finally:
            spent[0] += gpu_steps.now() - begun

    setattr(place, name, watched)


def main() -> None:
    """Print the figures of both trainings as JSON."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    if threads == 1:
        gpu_steps.now = time.process_time
    project = Project(folder, "mnist-1000", {**CHANGES, "compute.cpu_threads": threads})
    project.write_params()
    if not (folder / "data/splits").exists():
        project.process("split")
    spent = {name: [0.0] for name in BESIDE}
    for name, (place, function) in BESIDE.items():
        spent_in(place, function, spent[name])
    found = {}
    for stage in ("train_baseline", "retrain"):
        if stage == "retrain":
            project.process("pseudo_label")
        project.stage(stage, **{f"{stage}.max_epochs": 1})  # what a process loads once is no step
        for each in spent.values():
            each[0] = 0.0
        figures = project.stage(stage).figures()
        seconds = figures["training_seconds"]
        found[stage] = {**figures, "beside": {name: each[0] / seconds for name, each in spent.items()}}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
