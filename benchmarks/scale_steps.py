"""Trainings with MNIST's recipe beside bare steps: ``python benchmarks/scale_steps.py FOLDER THREADS``.

``benchmarks/scale.py steps`` calls it, for a table of images that it has made. On one thread seconds are the
processor's, which other work on the machine changes least; on more they are the clock's.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import gpu_steps
from gpu import Project

CHANGES: dict[str, Any] = {
    "data": {"source": "digits", "path": "data"},
    "split.holdout_fraction": 0.05,
    "compute.device": "cpu",
    "training.refit_on_validation": False,
    "train_baseline.max_epochs": 8,
    "pseudo_label.threshold": 0.0,  # all of the pool is learned from
    "retrain.max_epochs": 5,
    "retrain.relabel_every_epochs": 100,
}


def main() -> None:
    """Print the figures of both trainings as JSON."""
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    if threads == 1:
        gpu_steps.now = time.process_time
    project = Project(folder, "mnist-1000", {**CHANGES, "compute.cpu_threads": threads})
    project.write_params()
    if not (folder / "data/splits").exists():
        project.process("split")
    found = {"supervised": project.stage("train_baseline").figures()}
    project.process("pseudo_label")
    found["self_training"] = project.stage("retrain").figures()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
