"""What predicting costs beside what can't be left out, and what a scoring survives.

* ``selfsame predict`` of 10⁶ rows of 30 features by the default mlp, against reading them, the bare net and
  writing as many columns, one after the other: at most 1.3 times as long.
* Peak memory of 10⁶ rows against that of 10⁵: at most a tenth more.
* ``selfsame score`` of 40 parts, killed five times at random: each row is scored exactly once, and peak
  memory is at most a tenth more than for 10⁵ rows.

Run it as ``python benchmarks/predict.py [ROWS [ROWS_TO_SCORE]]``, on one thread; times are of the processor.
It exits with status 1 when a limit is passed.
"""

import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import torch

from selfsame.core.layout import CHAMPION, SCORED, TO_SCORE
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.model.inputs import Scaling
from selfsame.model.models import Model, load_model, save_model
from selfsame.model.nets import build_net, for_prediction
from selfsame.params.model import read_model
from selfsame.selection.confidence import Calibration
from selfsame.stats.profile import Profile, of_classes

ROOT = Path(__file__).resolve().parent.parent
FEATURES, CLASSES, PARTS, KILLS = 30, 3, 40, 5
INFO = TableInfo(
    "table",
    "classification",
    tuple(f"class {each}" for each in range(CLASSES)),
    features=tuple(f"x{each}" for each in range(FEATURES)),
)
TURNS = 4
MOST_TIME, MOST_MEMORY = 1.3, 1.1


def main() -> None:
    """Measure all, print it, and fail if a limit is passed."""
    rows, to_score = (int(float(each)) for each in (*sys.argv[1:], "1e6", "1e7")[:2])
    with tempfile.TemporaryDirectory(prefix="predict-") as name:
        folder = Path(name)
        make_project(folder)
        few, many = (write_rows(folder / f"{count}.parquet", count) for count in (10**5, rows))
        # The least of some, by turns: other work on the machine only adds.
        found = [(bare(folder, many), predict(folder, many)) for _ in range(TURNS)]
        least = min((each for each, _ in found), key=sum)
        parts = dict(zip(("reading", "the bare net", "writing"), least, strict=True))
        seconds, peak = min(each for _, each in found)
        _, peak_few = predict(folder, few)
        ratio, memory = seconds / sum(parts.values()), peak / peak_few
        said = ", ".join(f"{name} {each:.2f} s" for name, each in parts.items())
        print(f"{rows:,} rows: {said}; predict {seconds:.2f} s: {ratio:.2f} times (at most {MOST_TIME})")
        print(f"peak memory {peak:.0f} MB, of 100,000 rows {peak_few:.0f} MB: {memory:.2f} times")
        scored = score(folder, few, to_score)
    if ratio > MOST_TIME or max(memory, scored) > MOST_MEMORY:
        sys.exit("a limit is passed")


def make_project(folder: Path) -> None:
    """Write a champion with random weights, and what a project needs for a scoring."""
    torch.manual_seed(0)
    params = read_model({"architecture": "mlp"})
    net = build_net(params, INFO).eval()
    scaling = Scaling((0.0,) * FEATURES, (1.0,) * FEATURES)
    save_model(folder / CHAMPION, Model(net, params, INFO, scaling), [{"epoch": 1}])
    Calibration("validation", 100, temperature=1.5, threshold=0.5).save(folder / CHAMPION)
    draw = np.random.default_rng(0)
    said = draw.dirichlet((1,) * CLASSES, 5000)
    profile = Profile.of_inputs(draw.normal(size=(5000, FEATURES)), INFO)
    profile = profile.having(*of_classes(INFO.classes, said.argmax(1), said.max(1), 0.5))
    (folder / CHAMPION / "profile.json").write_text(profile.text(), encoding="utf-8")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, folder / name)


def write_rows(path: Path, rows: int, seed: int = 0) -> Path:
    """Write a table of random numbers, some of them missing."""
    draw = np.random.default_rng(seed)
    schema = pa.schema([pa.field(name, pa.float64()) for name in INFO.features])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, 2**17):
            values = draw.normal(size=(FEATURES, min(2**17, rows - start)))
            values[0, ::50] = np.nan
            writer.write_batch(pa.record_batch([pa.array(each) for each in values], schema=schema))
    return path


def bare(folder: Path, table: Path) -> tuple[float, float, float]:
    """Return the seconds of reading a table, of the net alone, and of writing as many predictions."""
    torch.set_num_threads(1)
    start = time.process_time()
    with pq.ParquetFile(table, pre_buffer=False) as file:
        for batch in file.iter_batches(BATCH_ROWS):
            inputs = np.stack([column.to_numpy(zero_copy_only=False) for column in batch.columns], axis=1)
        rows = file.metadata.num_rows
    read = time.process_time() - start
    net = for_prediction(load_model(folder / CHAMPION, torch.device("cpu")).net)
    block = torch.from_numpy(np.nan_to_num(inputs[: min(len(inputs), BATCH_ROWS)])).float()
    start = time.process_time()
    with torch.inference_mode():
        for _ in range(0, rows, len(block)):
            net(block)
    ran = time.process_time() - start
    size = len(block)
    columns = {
        "file": pa.repeat(table.name, size),
        "row": pa.array(np.arange(size)),
        "predicted": pa.repeat(INFO.classes[0], size),
        "confidence": pa.array(np.random.default_rng(0).random(size, np.float32)),
        "abstained": pa.array(np.zeros(size, bool)),
    }
    batch = pa.record_batch(columns)
    start = time.process_time()
    with pq.ParquetWriter(folder / "bare.parquet", batch.schema, compression="zstd") as writer:
        for _ in range(0, rows, size):
            writer.write_batch(batch)
    return read, ran, time.process_time() - start


CHILD = """
import resource, sys, time
from pathlib import Path
sys.argv = ["selfsame", *sys.argv[1:]]
from selfsame.scoring.columns import Wish
from selfsame.scoring.predictor import load_model
from selfsame.scoring.run import predict_place
from selfsame.scoring.score import score_new
what, *rest = sys.argv[1:]
if what == "predict":
    columns = load_model("models/champion", "cpu", 1).columns(Wish())
    start = time.process_time()
    predict_place(Path(rest[0]), "out.parquet", columns)
else:
    start = time.process_time()
    score_new(Wish(), "cpu", 1)
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Start a process that predicts or scores, and tells its seconds and peak memory in MB."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *words], cwd=folder, stdout=subprocess.PIPE, text=True
    )


def ended(process: "subprocess.Popen[str]") -> tuple[float, float]:
    """Return what it tells."""
    said, _ = process.communicate()
    assert process.returncode == 0
    seconds, peak = map(float, said.split())
    return seconds, peak


def predict(folder: Path, table: Path) -> tuple[float, float]:
    """Return seconds and peak memory in MB of predicting a table."""
    return ended(start(folder, "predict", str(table)))


def parts_of(folder: Path) -> int:
    """Count the parts that are whole."""
    return len([each for each in (folder / SCORED).rglob("*.parquet") if each.name[0] != "."])


def score(folder: Path, few: Path, rows: int) -> float:
    """Kill a scoring of many parts again and again; return its peak memory over that of one small table."""
    (folder / TO_SCORE).mkdir(parents=True)
    shutil.copyfile(few, folder / TO_SCORE / "few.parquet")
    _, peak_few = ended(start(folder, "score"))
    (folder / TO_SCORE / "few.parquet").unlink()
    shutil.rmtree(folder / SCORED)
    for part in range(PARTS):
        write_rows(folder / TO_SCORE / f"{part:02d}.parquet", rows // PARTS, seed=part + 1)
    draw, began = random.Random(0), time.perf_counter()
    for _ in range(KILLS):
        process = start(folder, "score")
        kept = parts_of(folder) + draw.randrange(6)
        while parts_of(folder) < min(kept, PARTS - 1):
            time.sleep(0.01)
        time.sleep(draw.random())
        process.kill()
        process.communicate()
        whole = len(list((folder / SCORED).glob("2*")))
        print(f"killed: {whole} scorings to be seen, {parts_of(folder)} of {PARTS} parts kept")
    seconds, peak = ended(start(folder, "score"))
    (made,) = (folder / SCORED).glob("2*")
    table = ds.dataset(made / "predictions").to_table(columns=["file", "row"])
    counts = pc.value_counts(table["file"]).to_pylist()
    per_file = {each["values"]: each["counts"] for each in counts}
    assert per_file == {f"{part:02d}.parquet": rows // PARTS for part in range(PARTS)}
    assert len(table.group_by(["file", "row"]).aggregate([])) == len(table) == rows // PARTS * PARTS
    assert json.loads((made / "scoring.json").read_text(encoding="utf-8"))["rows"] == len(table)
    print(
        f"scored {len(table):,} rows, each once, in {time.perf_counter() - began:.0f} s with {KILLS} kills, "
        f"the last run {seconds:.0f} s; peak memory {peak:.0f} MB, of 100,000 rows {peak_few:.0f} MB: "
        f"{peak / peak_few:.2f} times"
    )
    return peak / peak_few


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
