"""What trainings do on a GPU, in four minutes: ``python benchmarks/gpu.py --data-dir DIR [--only PART …]``.

Parts, each of which is written to ``--out`` as soon as it is done (``benchmarks/results/gpu.json``):

* ``digits``, ``mnist``: the presets digits and mnist-1000, from the first stage to the student; of digits
  also the difference of a short training to one on the CPU.
* ``resnet``: rows T15 and T5 of the tutorials: ResNet-18 on all labels of CIFAR-10, without and with
  DisturbLabel.
* ``fixmatch``: the preset cifar10-250, shortened to ``--seconds``, with its curve.
* ``cpu``: digits on the CPU, in processes beside the other parts.

Stages run in this process, by their own code, without DVC. A bare step is the net's forward pass, backward
pass and optimizer on a batch that lies on the device; its share of a training says what all the rest costs.
CIFAR-10 is read from ``DIR/cifar10-jpeg``: photos in class folders, ``train`` and ``test``, or a tar of them.
``python benchmarks/gpu.py page`` writes ``docs/gpu.md``.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

import torch  # noqa: E402
from gpu_steps import Recorded, recorded, synchronise, warm_up  # noqa: E402

from selfsame.core.graph_file import by_stem, read_stages, read_yaml  # noqa: E402
from selfsame.core.stage import Stage  # noqa: E402
from selfsame.core.tables import read_column  # noqa: E402
from selfsame.model.models import answer_table, load_model  # noqa: E402
from selfsame.params.check import check_params  # noqa: E402
from selfsame.params.overrides import with_overrides  # noqa: E402

OUT = ROOT / "benchmarks/results"
PAGE = ROOT / "docs/gpu.md"
CIFAR = "cifar10-jpeg"
DISTURBED = {"T15": 0.0, "T5": 0.3}  # of the labels, by the tutorials' row
RESNET: dict[str, Any] = {
    "split.labels_per_class": "all",
    "split.validation_per_class": 0.1,
    "split.duplicates": "drop",
    "model": {"architecture": "resnet18", "dropout": 0.0},
    "training.batch_size": 256,
    "training.learning_rate": 0.1,
    "training.schedule": {"name": "one_cycle"},
    "training.warm_up_fraction": 0.2,
    "training.ema_decay": 0.0,
    "train_baseline.patience_epochs": None,
}
FIXMATCH = {
    "split.duplicates": "drop",
    "train_baseline.max_epochs": 150,
    "train_baseline.patience_epochs": None,
    "retrain.patience_epochs": None,
}
SMALL = {  # of CIFAR-10's parts
    "model": {"architecture": "cnn", "widths": [4, 4], "halve_after": [1]},
    "training.batch_size": 32,
    "training.precision": "float32",
    "retrain.pool_batch_size": 32,
}
ROUND = 128  # epochs of a round of the shortened FixMatch, where the preset has 256


@dataclass(frozen=True)
class Project:
    """A folder in which stages run.

    Attributes:
        changes: of the preset, by dotted key.
    """

    folder: Path
    preset: str
    changes: dict[str, Any]

    def write_params(self, **more: Any) -> dict[str, Any]:
        """Write ``params.yaml``; return the checked sections."""
        written = with_overrides(read_yaml(ROOT / f"presets/{self.preset}.yaml"), {**self.changes, **more})
        sections = check_params(written)
        values = {name: section.model_dump(mode="json") for name, section in sections.items()}
        (self.folder / "params.yaml").write_text(json.dumps(values), encoding="utf-8")
        return sections

    def prepare(self, raw: Future[Path] | None = None) -> float:
        """Run download and split in processes of their own; return their seconds.

        Args:
            raw: what another project's download makes of the same data.
        """
        started = time.monotonic()
        self.read(None if raw is None else raw.result())
        self.process("split")
        return time.monotonic() - started

    def read(self, raw: Path | None = None) -> Path:
        """Run download, or take what another one has made; return the folder."""
        for name in ("annotations", "inbox"):
            (self.folder / "data" / name).mkdir(parents=True)
        shutil.copy2(ROOT / "data/annotations/labels.csv", self.folder / "data/annotations")
        shutil.copy2(ROOT / "dvc.yaml", self.folder)
        self.write_params()
        if raw is None:
            self.process("download")
        else:
            shutil.copytree(raw, self.folder / "data/raw")
        return self.folder / "data/raw"

    def process(self, stage: str) -> None:
        """Run a stage in a process of its own."""
        paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": paths, "SELFSAME_OBSERVE": "0"}
        command = [sys.executable, "-m", f"tasks.{stage}"]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{stage}: {(done.stdout + done.stderr)[-1500:]}")

    def stage(self, name: str, **more: Any) -> Recorded:
        """Run a stage in this process, with changed parameters; return what its trainings did."""
        sections, spec = self.write_params(**more), read_stages(ROOT / "dvc.yaml")[name]
        for path in map(self.folder.joinpath, spec.outputs):
            shutil.rmtree(path, ignore_errors=True)
            path.parent.mkdir(parents=True, exist_ok=True)
        stage = Stage(
            spec, by_stem(spec.inputs), by_stem(spec.outputs), {n: sections[n] for n in spec.params}
        )
        main = import_module(f"tasks.{name}").main
        with contextlib.chdir(self.folder), recorded() as found:
            started = time.monotonic()
            main(stage)
            synchronise()
        found.stage_seconds = time.monotonic() - started
        return found

    def holdout(self, model: str) -> dict[str, Any]:
        """Return a model's accuracy on the holdout, and its probabilities."""
        table = self.folder / "data/splits/holdout.parquet"
        device = torch.device(self.changes["compute.device"])
        said = answer_table(load_model(self.folder / "models" / model, device), table)
        right = said.argmax(axis=1) == read_column(table, "label")
        return {"accuracy": float(right.mean()), "rows": len(right), "probabilities": said}

    def scored(self, found: Recorded, model: str) -> dict[str, Any]:
        """Return the figures of a training and of the model that it gave."""
        right = self.holdout(model)
        return {**found.figures(), "holdout_accuracy": right["accuracy"], "holdout_rows": right["rows"]}


@dataclass(frozen=True)
class Bench:
    """All that the parts share.

    Attributes:
        seconds: for each of ``resnet`` and ``fixmatch``.
        small: so few epochs that a CPU shows the way in seconds.
        beside: what else the machine did meanwhile, for the page.
    """

    scratch: Path
    data: Path | None
    device: str
    seconds: float
    small: bool
    helpers: ThreadPoolExecutor
    beside: str | None = None

    def project(self, name: str, preset: str, changes: dict[str, Any]) -> Project:
        """Return a project on the bench's device, in a folder of its own."""
        folder = self.scratch / name
        folder.mkdir(parents=True)
        return Project(folder, preset, {"compute.device": self.device, "compute.cpu_threads": 2, **changes})

    def cut(self, **epochs: int) -> dict[str, int]:
        """Return a small bench's epochs, by ``stage`` for ``stage.max_epochs``."""
        return {f"{stage}.max_epochs": count for stage, count in epochs.items()} if self.small else {}

    def cifar(self) -> Path:
        """Return the folder with ``train`` and ``test``, unpacked if it is a tar."""
        assert self.data is not None
        packed = self.data / CIFAR / f"{CIFAR}.tar.gz"
        if not packed.exists():
            return self.data / CIFAR
        place = self.scratch / CIFAR
        place.mkdir()
        subprocess.run(["tar", "-xzf", str(packed), "-C", str(place)], check=True)
        return next(place.rglob("train")).parent


def pipeline(project: Project, prepared: Future[float]) -> dict[str, Any]:
    """Run a preset's stages up to the student."""
    found: dict[str, Any] = {"preparing_seconds": prepared.result()}
    baseline = project.stage("train_baseline")
    found["train_baseline"] = project.scored(baseline, "baseline")
    found["pseudo_label"] = {"stage_seconds": project.stage("pseudo_label").stage_seconds}
    found["retrain"] = project.scored(project.stage("retrain"), "student")
    return found


def digits(bench: Bench) -> Callable[[], dict[str, Any]]:
    """Measure the default preset, and how far a short training of it is from that on the CPU."""
    own = bench.project("digits", "digits", bench.cut(train_baseline=3, retrain=3))
    prepared = bench.helpers.submit(own.prepare)

    def run() -> dict[str, Any]:
        found = pipeline(own, prepared)
        found["difference"] = difference(own, bench.device, steps=3 if bench.small else 20)
        return found

    return run


def cpu(bench: Bench) -> Callable[[], dict[str, Any]]:
    """Let other processes run the default preset on the CPU, while the parts before this one are measured."""
    changes = {**bench.cut(train_baseline=3, retrain=3), "compute.device": "cpu"}
    own = bench.project("cpu", "digits", changes)

    def stages() -> float:
        own.prepare()
        started = time.monotonic()
        for stage in ("train_baseline", "pseudo_label", "retrain"):
            own.process(stage)
        return time.monotonic() - started

    made = bench.helpers.submit(stages)
    return lambda: {"stage_seconds": made.result(), "holdout_accuracy": own.holdout("student")["accuracy"]}


def difference(project: Project, device: str, steps: int) -> dict[str, Any]:
    """Train the baseline for a few steps on the CPU and on the device: how far are they apart?

    Dropout is left out: each device draws its own. All other draws are made alike.
    """
    from safetensors.numpy import load_file

    made = []
    for where in ("cpu", device):
        changes = {"compute.device": where, "train_baseline.max_epochs": steps, "model.dropout": 0.0}
        project.stage("train_baseline", **changes, **{"training.refit_on_validation": False})
        weights = load_file(project.folder / "models/baseline/model.safetensors")
        made.append((weights, project.holdout("baseline")))
    (left, on_cpu), (right, on_device) = made
    floats = [name for name, value in left.items() if value.dtype.kind == "f"]
    said = on_cpu["probabilities"], on_device["probabilities"]
    return {
        "steps": steps,
        "largest_weight_difference": max(float(abs(left[name] - right[name]).max()) for name in floats),
        "largest_probability_difference": float(abs(said[0] - said[1]).max()),
        "accuracy": [on_cpu["accuracy"], on_device["accuracy"]],
        "same_class": float((said[0].argmax(axis=1) == said[1].argmax(axis=1)).mean()),
    }


def mnist(bench: Bench) -> Callable[[], dict[str, Any]]:
    """Measure mnist-1000, all of it."""
    assert bench.data is not None
    cut = bench.cut(train_baseline=1, retrain=1)
    own = bench.project("mnist", "mnist-1000", {"data.path": str(bench.data / "mnist"), **cut})
    return partial(pipeline, own, bench.helpers.submit(own.prepare))


def of_cifar(bench: Bench, name: str, changes: dict[str, Any]) -> tuple[Project, Future[float]]:
    """Return a project with CIFAR-10, which is read once for both parts."""
    if bench.scratch not in READ:
        read = bench.project("read", "cifar10-250", {"split.duplicates": "drop"})
        place = bench.helpers.submit(bench.cifar)

        def made() -> Path:
            read.changes["data.path"] = str(place.result())
            return read.read()

        READ[bench.scratch] = bench.helpers.submit(made)
    own = bench.project(name, "cifar10-250", {**changes, **(SMALL if bench.small else {})})
    return own, bench.helpers.submit(own.prepare, READ[bench.scratch])


READ: dict[Path, Future[Path]] = {}


def resnet(bench: Bench) -> Callable[[], dict[str, Any]]:
    """Train ResNet-18 on all labels, without and with DisturbLabel, for as many epochs as there is time."""
    own, prepared = of_cifar(bench, "resnet", RESNET)

    def run() -> dict[str, Any]:
        prepared.result()
        probe = own.stage("train_baseline", **{"train_baseline.max_epochs": 2})
        each = probe.epoch_seconds()[-1]
        fitting = max(2, min(30, int(bench.seconds / len(DISTURBED) / each)))
        found: dict[str, Any] = {"epochs": 1 if bench.small else fitting}
        for row, fraction in DISTURBED.items():
            changes = {
                "train_baseline.max_epochs": found["epochs"],
                "training.disturb_label_fraction": fraction,
            }
            found[row] = own.scored(own.stage("train_baseline", **changes), "baseline")
        return found

    return run


def fixmatch(bench: Bench) -> Callable[[], dict[str, Any]]:
    """Start FixMatch's recipe with 250 labels: the whole of a schedule as long as there is time for."""
    own, prepared = of_cifar(bench, "fixmatch", {**FIXMATCH, **bench.cut(train_baseline=2)})

    def run() -> dict[str, Any]:
        prepared.result()
        baseline = own.stage("train_baseline")
        found: dict[str, Any] = {"train_baseline": own.scored(baseline, "baseline")}
        own.stage("pseudo_label")
        short = 2 if bench.small else 8  # epochs of a round of the probe
        changes = {"retrain.max_epochs": 2 * short, "retrain.relabel_every_epochs": short}
        # From the second round on the probe teaches every row, so that its batches are whole.
        probe = own.stage("retrain", **changes, **{"retrain.relabel_threshold": 0.0}).epoch_seconds()[short:]
        epoch = statistics.median(probe[1:])
        # A round labels as many rows as it can draw, and the pool is soon all of them.
        relabel = max(probe[0] - epoch, 0.0) * 4
        fitting = int((bench.seconds - baseline.stage_seconds) / (epoch + relabel / ROUND))
        found["epochs"] = 3 if bench.small else max(ROUND, fitting)
        changes = {"retrain.max_epochs": found["epochs"], "retrain.relabel_every_epochs": ROUND}
        found["retrain"] = own.scored(own.stage("retrain", **changes), "student")
        found["curve"] = (own.folder / "models/student/history.csv").read_text(encoding="utf-8")
        return found

    return run


PARTS: dict[str, Callable[[Bench], Callable[[], dict[str, Any]]]] = {
    "digits": digits,
    "mnist": mnist,
    "resnet": resnet,
    "fixmatch": fixmatch,
    "cpu": cpu,
}


def machine(device: str) -> dict[str, Any]:
    """Return what the figures were measured on."""
    card = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "card": card,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
    }


def measure(out: Path, parts: list[str], bench: Bench) -> dict[str, Any]:
    """Run parts one after the other; a failed one is told, and the others go on."""
    results: dict[str, Any] = {"machine": machine(bench.device), "small": bench.small}
    begun = time.monotonic()
    ready = {name: PARTS[name](bench) for name in parts}  # their data are read meanwhile, by helpers
    results["warm_up_seconds"] = warm_up(bench.device)
    for name, run in ready.items():
        started = time.monotonic()
        try:
            results[name] = run()
        except Exception as error:  # whatever it is
            results[name] = {"error": f"{type(error).__name__}: {error}"[-2000:]}
        results[name]["seconds"] = time.monotonic() - started
        results[name]["beside"] = bench.beside
        results["seconds"] = time.monotonic() - begun
        if "curve" in results[name]:
            (out / "gpu-fixmatch.csv").write_text(results[name].pop("curve"), encoding="utf-8")
        partial_file = out / ".partial-gpu.json"
        partial_file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        partial_file.replace(out / "gpu.json")
        print(f"{name}: {json.dumps(results[name])}", flush=True)
    return results


def main() -> None:
    if sys.argv[1:] == ["page"]:
        from gpu_page import write_page

        PAGE.write_text(
            write_page(json.loads((OUT / "gpu.json").read_text(encoding="utf-8"))), encoding="utf-8"
        )
        return
    parser = argparse.ArgumentParser(description="Measure trainings on a GPU.")
    parser.add_argument("--only", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--data-dir", type=Path, help=f"has the folders mnist and {CIFAR}")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--seconds", type=float, default=60, help="of each of resnet and fixmatch")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--beside", help="what else the machine does meanwhile; the page tells it")
    parser.add_argument("--small", action="store_true", help="a few epochs: shows that it runs")
    own = parser.parse_args()
    own.out.mkdir(parents=True, exist_ok=True)
    data = own.data_dir and own.data_dir.resolve()
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(8) as helpers:
        bench = Bench(Path(scratch), data, own.device, own.seconds, own.small, helpers, own.beside)
        measure(own.out, own.only, bench)


if __name__ == "__main__":
    main()
