"""How time and memory grow with the rows: pools of tables and images through the stages that touch every row.

    python benchmarks/scale.py tables 3000 100000 1000000      # adds to benchmarks/results/scale.json
    python benchmarks/scale.py images 3000 100000
    python benchmarks/scale.py kills 1000000
    python benchmarks/scale.py ray 1000000
    python benchmarks/scale.py steps 3000                      # training against bare steps
    python benchmarks/scale.py page                            # writes docs/scale.md and docs/scale.svg

Every stage is a process of its own, as DVC starts it: seconds are its processor time (that of all its
threads, which a busy machine changes least), memory is the largest resident set that the kernel saw. The
smallest size shows what starting costs; seconds a row are those beyond it. With ``--folder DIR`` projects
stay there, and a run that was stopped goes on with the step that it was at.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from selfsame.core.digests import files_under, sha256_file, sha256_json  # noqa: E402
from selfsame.core.table_writer import TableWriter  # noqa: E402
from selfsame.core.tables import BATCH_ROWS, TableInfo, example_ids, input_columns  # noqa: E402

RESULTS = ROOT / "benchmarks/results/scale.json"
PAGE, PLOT = ROOT / "docs/scale.md", ROOT / "docs/scale.svg"
CLASSES = tuple("abcdefghij")
TABLES = TableInfo("scale", "classification", CLASSES, features=tuple(f"f{n:02d}" for n in range(30)))
IMAGES = TableInfo("scale", "classification", CLASSES, image_shape=(3, 32, 32))
WRITTEN = 10_000  # rows made at once
KILLED_PARTS = 25  # of the pool that is labeled between kills
PARAMS: dict[str, dict[str, Any]] = {
    "split": {
        "labels_per_class": 5,
        "validation_per_class": 20,
        "rows_per_part": 50_000,
    },
    "compute": {"device": "cpu", "cpu_threads": 1},
    "training": {"batch_size": 50, "refit_on_validation": False},
    "train_baseline": {"max_epochs": 3},
    "pseudo_label": {"rule": "target_precision", "target_precision": 0.9},
    "retrain": {"method": "offline", "max_epochs": 1},
    "prediction": {},
    "evaluate": {},
}
SHAPES: dict[str, dict[str, Any]] = {
    "tables": {
        "data": {"source": "breast_cancer", "path": "data"},
        "model": {"architecture": "mlp", "widths": [128, 128]},
        "training": {"augmentation": {"name": "table"}},
    },
    "images": {
        "data": {"source": "digits", "path": "data"},
        "model": {"architecture": "cnn", "widths": [16, 32, 64]},
        "training": {"augmentation": {"name": "image"}},
    },
}
STAGES = ("split", "train_baseline", "pseudo_label")
LOAD = """
import sys
from pathlib import Path
from selfsame.learning.batches import load_pool
pool = load_pool(Path("data/splits/pool"), Path("data/pseudo_labels"), None, float(sys.argv[1]) or None)
print(len(pool))
"""
BARE = """
import json, sys, time
from pathlib import Path
import numpy as np, pyarrow as pa, torch
from selfsame.core.digests import sha256_file
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import *
from selfsame.core.tables import BATCH_ROWS
from selfsame.model.device import keep_freed_memory
from selfsame.model.inputs import in_batches, prepare
from selfsame.model.models import blocks_of, load_model
from selfsame.model.nets import for_prediction
from selfsame.selection.by_confidence import ByConfidence, ConfidenceDecision
from selfsame.selection.record import GateRecord
torch.set_num_threads(1)
keep_freed_memory()  # as a stage does
pool, made = Path("data/splits/pool"), Path("data/pseudo_labels")
model, info = load_model(Path("models/baseline")), TableInfo.of(pool)
merged, times, turn = for_prediction(model.net), {}, int(sys.argv[1])
record = GateRecord.of(made)
thresholds = np.array([np.nan if each is None else each for each in record.thresholds], np.float32)
decision = ConfidenceDecision(record, thresholds, None, 1, "0" * 64)
batches = iter_batches(pool, [each.name for each in info.input_fields()])
ids = iter_batches(pool, ["example_id"])
def spend(name, work):
    start = time.process_time()
    done = work()
    if number:  # the first one warms up
        times[name] = times.get(name, 0.0) + (time.process_time() - start) / turn / BATCH_ROWS
    return done
with TableWriter(Path("written.parquet"), decision.schema) as writer, torch.inference_mode():
    for number in range(turn + 1):
        raw = spend("reading", lambda: next(blocks_of(inputs_of(next(batches), info))))
        rows = spend("preparing", lambda: prepare(raw, model.scaling))
        outputs = spend("computing", lambda: in_batches(merged, rows, torch.device("cpu")))
        said = spend("probabilities", lambda: model.said(outputs))
        spend("brief", lambda: ByConfidence(None).brief(said[None]))
        (own,) = spend("deciding", lambda: list(decision.columns(said[None], 0, BATCH_ROWS)))
        columns = [spend("ids", lambda: next(ids)).column(0), *(own[name] for name in own)]
        spend("writing", lambda: writer.write(pa.record_batch(columns, schema=decision.schema)))
number, part = 1, parts_of(pool)[0]
spend("digesting", lambda: sha256_file(part))
times["digesting"] *= turn * BATCH_ROWS / count_rows(part)
torch.set_num_threads(2)
bare = torch.inference_mode()(merged.forward)
for number in range(turn + 1):
    begun = begun if number > 1 else time.monotonic()  # the first one warms up
    in_batches(bare, rows, torch.device("cpu"))
times["on two threads"] = (time.monotonic() - begun) / turn / BATCH_ROWS  # on the clock
print(json.dumps(times))
"""


def make(folder: Path, kind: str, rows: int) -> None:
    """Make a project in a process of its own: the kernel counts a parent's memory as that of its children."""
    making = get_context("spawn").Process(target=write_project, args=(folder, kind, rows))
    making.start()
    making.join()
    assert not making.exitcode, "no project was made"
    making.close()


def write_project(folder: Path, kind: str, rows: int) -> None:
    """Write a project with a table of so many rows, the ten classes apart from each other."""
    folder.mkdir(parents=True)
    for name in ("tasks", "selfsame"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "dvc.yaml", folder)
    (folder / "data/annotations").mkdir(parents=True)
    shutil.copy2(ROOT / "data/annotations/labels.csv", folder / "data/annotations")
    write_params(folder, kind, rows)
    info, draw = (TABLES if kind == "tables" else IMAGES), np.random.default_rng(0)
    centers = draw.normal(0, 1.5 if kind == "tables" else 40, (len(CLASSES), *info.input_shape))
    extra = (pa.field("source_row", pa.int64(), nullable=False), pa.field("source_role", pa.string()))
    schema = info.schema(*extra)
    with TableWriter(folder / "data/raw/examples", schema) as writer:
        for start in range(0, rows, WRITTEN):
            labels = draw.integers(0, len(CLASSES), min(WRITTEN, rows - start))
            inputs = centers[labels] + draw.normal(
                0, 1 if kind == "tables" else 60, (len(labels), *info.input_shape)
            )
            if kind == "images":
                inputs = (inputs + 128).clip(0, 255).astype(np.uint8)
            columns = [pa.array(example_ids(inputs)), *input_columns(inputs, info), pa.array(labels)]
            numbers = pa.array(np.arange(start, start + len(labels)))
            batch = [*columns, numbers, pa.nulls(len(labels), pa.string())]
            writer.write(pa.record_batch(batch, schema=schema))
    (folder / "data/raw/reading.json").write_text("{}")


def write_params(folder: Path, kind: str, rows: int, **changes: Any) -> None:
    """Write ``params.yaml``; a thousand rows are held out, each of which is compared with every other row."""
    params = {name: {**own, **SHAPES[kind].get(name, {})} for name, own in PARAMS.items()}
    params |= {name: SHAPES[kind][name] for name in ("data", "model")}
    params["split"]["holdout_fraction"] = min(1000 / rows, 0.5)
    (folder / "params.yaml").write_text(json.dumps({**params, **changes}))


def start(folder: Path, *command: str) -> subprocess.Popen[str]:
    """Start a command of the project."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "SELFSAME_OBSERVE": "0", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )


def measure(folder: Path, *command: str) -> dict[str, Any]:
    """Run a command; return its seconds, on the clock and of processors, its memory (MB), what it printed."""
    begun = time.monotonic()
    process = start(folder, *command)
    assert process.stdout is not None
    with process.stdout as told:
        said = told.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return {
        "wall": time.monotonic() - begun,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "said": said,
    }


def stages(folder: Path, kind: str, rows: int, found: dict[str, Any], keep: Callable[[], None]) -> None:
    """Run all that touches every row, but for what ``found`` has; ``keep`` is called after each."""
    if not folder.exists():
        found.clear()
        make(folder, kind, rows)
    asked = ("data/splits/pool", "--model", "models/baseline", "--threads", "1", "-o", "predicted.parquet")
    steps: dict[str, tuple[str, ...]] = {stage: ("-m", f"tasks.{stage}") for stage in STAGES}
    steps |= {"retrain, loading": ("-c", LOAD, "0"), "retrain, mapping": ("-c", LOAD, "1e-9")}
    steps["predict"] = ("-m", "selfsame.cli", "predict", *asked)
    steps |= {stage: ("-m", f"tasks.{stage}") for stage in ("retrain", "evaluate")}
    batches = min(24, rows * 9 // 10 // BATCH_ROWS - 1)  # whole ones of the pool, beside the first
    if batches > 0:
        steps["bare"] = ("-c", BARE, str(batches))
    for step, command in steps.items():
        if step not in found:
            own = measure(folder, *command)
            found[step] = json.loads(own["said"]) if step == "bare" else {**own, "load": os.getloadavg()[0]}
            keep()


def kills(folder: Path, rows: int) -> dict[str, Any]:
    """Kill ``pseudo_label`` ten times, each time a random while after it has got on by a few parts.

    Returns:
        among others how many tables' predictions were finished after each kill; none of them was made again.
    """
    if not folder.exists():
        make(folder, "tables", rows)
        of_part = min(rows // KILLED_PARTS, PARAMS["split"]["rows_per_part"])
        split = {**PARAMS["split"], "rows_per_part": of_part, "holdout_fraction": 1000 / rows}
        write_params(folder, "tables", rows, split=split)
        for stage in STAGES[:2]:
            measure(folder, "-m", f"tasks.{stage}")
    shutil.rmtree(folder / ".scratch", ignore_errors=True)
    whole = measure(folder, "-m", "tasks.pseudo_label")
    expected = [sha256_file(file) for file in files_under(folder / "data/pseudo_labels")]
    shutil.rmtree(folder / ".scratch")
    shutil.rmtree(folder / "data/pseudo_labels")
    draw, done, finished = random.Random(0), [], heard(folder)
    most = max(len(expected) // 12, 2)
    while len(done) < 10:
        process = start(folder, "-m", "tasks.pseudo_label")
        enough = min(len(finished) + draw.randint(1, most), len(expected))
        while process.poll() is None and len(heard(folder)) < enough:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, whole["wall"] / len(expected) / 4))
        assert process.poll() is None, "it was done before it could be killed"
        process.kill()
        process.wait()
        now = heard(folder)
        assert now.items() >= finished.items(), "a finished part was made again"
        finished = now
        done.append(len(now))
    measure(folder, "-m", "tasks.pseudo_label")
    same = [sha256_file(file) for file in files_under(folder / "data/pseudo_labels")] == expected
    return {"rows": rows, "parts": len(expected), "finished": done, "same": same}


def heard(folder: Path) -> dict[Path, int]:
    """Return the kept predictions of whole tables and parts, and when each was written."""
    files = (folder / ".scratch/kept/pseudo_label").glob("[!.]*.safetensors")
    return {file: file.stat().st_mtime_ns for file in files}


def ray(folder: Path, rows: int) -> dict[str, Any]:
    """Label images with one and with two workers of Ray, and here; on the clock."""
    if not folder.exists():
        make(folder, "images", rows)
        split = {**PARAMS["split"], "rows_per_part": rows // 16, "holdout_fraction": 1000 / rows}
        write_params(folder, "images", rows, split=split)
        for stage in STAGES[:2]:
            measure(folder, "-m", f"tasks.{stage}")
    found: dict[str, Any] = {"rows": rows}
    for name, resources in (
        ("local", {}),
        ("one", {"engine": "ray", "workers": 1}),
        ("two", {"engine": "ray", "workers": 2}),
    ):
        write_params(folder, "images", rows, resources=resources)
        shutil.rmtree(folder / ".scratch", ignore_errors=True)
        own = measure(folder, "-m", "tasks.pseudo_label")
        labels = [sha256_file(file) for file in files_under(folder / "data/pseudo_labels")]
        found[name] = {"wall": own["wall"], "load": os.getloadavg()[0], "labels": sha256_json(labels)}
    return found


def steps(folder: Path, rows: int) -> dict[str, Any]:
    """Train on one and on two threads with MNIST's recipe, beside bare steps of the same net."""
    if not folder.exists():
        make(folder, "images", rows)
    found: dict[str, Any] = {"rows": rows}
    for threads in (1, 2):
        measured = subprocess.run(
            [sys.executable, str(ROOT / "benchmarks/scale_steps.py"), str(folder), str(threads)],
            env={**os.environ, "SELFSAME_OBSERVE": "0"},
            check=True,
            capture_output=True,
            text=True,
        )
        found[str(threads)] = {**json.loads(measured.stdout.splitlines()[-1]), "load": os.getloadavg()[0]}
    return found


def main() -> None:
    """Measure what is asked for, or write the page."""
    parser = argparse.ArgumentParser(description="Measure how time and memory grow with the rows.")
    parser.add_argument("what", choices=[*SHAPES, "kills", "ray", "steps", "page"])
    parser.add_argument("rows", type=int, nargs="*")
    parser.add_argument("--folder", type=Path, help="where projects stay, to go on with them")
    own = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if own.what == "page":
        from scale_page import write_page

        write_page(results, PAGE, PLOT)
        return

    def keep() -> None:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")

    for rows in own.rows:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(own.folder or scratch, f"{own.what}-{rows}")
            if own.what in SHAPES:
                found = results.setdefault(own.what, {}).setdefault(str(rows), {})
                stages(folder, own.what, rows, found, keep)
            else:
                results[own.what] = {"kills": kills, "ray": ray, "steps": steps}[own.what](folder, rows)
        keep()
        print(own.what, rows, json.dumps(results[own.what])[-1500:], flush=True)


if __name__ == "__main__":
    main()
