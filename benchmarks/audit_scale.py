"""The audit at ten million pool rows and after a thousand runs: rows, taint, the fifteen answers, every byte.

Makes a project in a temporary folder: synthetic tables of the pipeline's own schema in parts, a DVC cache
with all of them, a commit and six records of the usual size for each run, no training; of earlier runs only
records and lock file are left. Compares ``verify`` with ``sha256sum`` over the same files (workspace and
cache) in the same minute; every command is a process of its own, measured from start to end, with the
kernel's figures of processor time and peak memory.

    python benchmarks/audit_scale.py [ROWS:RUNS ...]

Last table: see docs/auditor.md.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.audit.stored import folder_md5
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import BATCH_ROWS, TableInfo, iter_batches
from selfsame.observe.forms import BUILD_TYPE, BUILDER, PREDICATE_TYPE, STATEMENT_TYPE
from selfsame.observe.hashing import both_digests

Files = dict[str, tuple[str, str, int]]  # of an output: file → sha256, md5, bytes
ROOT = Path(__file__).resolve().parent.parent
SIZES = ["1000000:1", "10000000:1", "10000000:1000"]
INFO = TableInfo("synthetic", "classification", ("no", "yes"), tuple(f"x{n}" for n in range(4)))
SMALL = {"labeled": 100, "validation": 100, "holdout": 1000}
PLACES = {
    "inbox": "data/inbox",
    "manifest": "data/raw/manifest.json",
    "pool": "data/splits/pool",
    "pseudo_labels": "data/pseudo_labels",
    **{role: f"data/splits/{role}.parquet" for role in SMALL},
    "baseline": "models/baseline",
    "student": "models/student",
    "champion": "models/champion",
    "metrics": "reports/metrics.json",
}
STAGES = {  # stage → what it reads, what it writes
    "download": (["inbox"], ["manifest"]),
    "split": (["manifest"], ["labeled", "validation", "holdout", "pool"]),
    "train_baseline": (["labeled", "validation"], ["baseline"]),
    "pseudo_label": (["pool", "baseline"], ["pseudo_labels"]),
    "retrain": (["labeled", "validation", "pool", "pseudo_labels"], ["student"]),
    "evaluate": (["validation", "holdout", "baseline", "student"], ["champion", "metrics"]),
}
SCORES = {"accuracy": 0.9, "accuracy_low": 0.88, "accuracy_high": 0.92, "macro_f1": 0.9}
SIDE = {"validation": SCORES, "holdout": SCORES}
METRICS = {"champion": "student", "baseline": SIDE, "student": SIDE, "holdout": {"p_value": 0.01}}
MANIFEST = {"source": "synthetic", "origin": "this benchmark", "license": "CC0-1.0", "rows": 0}
CODE = [f"tasks/part_{number}.py" for number in range(60)]  # each holds its name
WHO = {"user": "synthetic", "gitUser": None, "experiment": None, "flowRun": None}
PACKAGES = {f"package-{number}": f"1.{number}.0" for number in range(200)}


def ids(random: np.random.Generator, rows: int) -> pa.Array:
    text = random.bytes(16 * rows).hex().encode()
    offsets = np.arange(0, 32 * rows + 1, 32, dtype=np.int32)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text))


def write(name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    with TableWriter(Path(PLACES[name]), schema) as writer:
        for batch in batches:
            writer.write(batch)


def make_tables(rows: int) -> str:
    """Write all tables and models; return the id of the pool's last row, which takes longest to find."""
    random = np.random.default_rng(0)
    teacher = write_models()
    schema = INFO.schema(pa.field("source_row", pa.int64(), nullable=False))
    for role, count in SMALL.items():
        batch = example_rows(random, schema, count, 0, labels=pa.array(random.integers(0, 2, count)))
        write(role, schema, [batch])
    last = []

    def pool() -> Iterator[pa.RecordBatch]:
        for start in range(0, rows, BATCH_ROWS):
            count = min(BATCH_ROWS, rows - start)
            batch = example_rows(random, schema, count, start, labels=pa.nulls(count, pa.int64()))
            last.append(batch.column("example_id")[-1].as_py())
            yield batch

    write("pool", schema, pool())
    decisions = pa.schema(
        [
            ("example_id", pa.string()),
            ("pseudo_label", pa.int64()),
            ("confidence", pa.float32()),
            ("threshold", pa.float32()),
            ("accepted", pa.bool_()),
            ("reason", pa.string()),
            ("round", pa.int64()),
            ("teacher", pa.string()),
        ]
    )

    def decided() -> Iterator[pa.RecordBatch]:
        for batch in iter_batches(Path(PLACES["pool"]), ["example_id"]):
            count = batch.num_rows
            confidence = random.random(count, dtype=np.float32)
            accepted = confidence >= np.float32(0.5)
            columns = [
                batch.column(0),
                pa.array(random.integers(0, 2, count)),
                pa.array(confidence),
                pa.array(np.full(count, 0.5, np.float32)),
                pa.array(accepted),
                pa.array(np.where(accepted, "at or above", "below")),
                pa.array(np.full(count, 1)),
                pa.array(np.full(count, teacher)),
            ]
            yield pa.record_batch(columns, schema=decisions)

    write("pseudo_labels", decisions, decided())
    return last[-1]


def example_rows(
    random: np.random.Generator, schema: pa.Schema, count: int, start: int, labels: pa.Array
) -> pa.RecordBatch:
    features = [pa.array(random.random(count)) for _ in INFO.features]
    return pa.record_batch(
        [ids(random, count), *features, labels, pa.array(np.arange(start, start + count))], schema=schema
    )


def write_models() -> str:
    for name in ("baseline", "student", "champion"):
        folder = Path(PLACES[name])
        folder.mkdir(parents=True)
        content = "student" if name == "champion" else name
        (folder / "model.safetensors").write_bytes(content.encode() * 10_000)
    Path(PLACES["inbox"]).mkdir(parents=True, exist_ok=True)
    (Path(PLACES["inbox"]) / "rows.csv").write_text("of these the tables might have been made")
    for name, content in {"manifest": MANIFEST, "metrics": METRICS}.items():
        Path(PLACES[name]).parent.mkdir(parents=True, exist_ok=True)
        Path(PLACES[name]).write_text(json.dumps(content))
    return hashlib.sha256((Path(PLACES["baseline"]) / "model.safetensors").read_bytes()).hexdigest()


def write_past(commit: str, runs: int) -> None:
    """Store every output in the cache; commit lock file and records of all runs, the present one last."""
    made: dict[str, Files] = {}
    for name, place in PLACES.items():
        path = Path(place)
        made[name] = {}
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            both = both_digests(file)
            made[name][file.as_posix()] = (both.sha256, str(both.md5), file.stat().st_size)
            stored = object_of(str(both.md5))
            stored.parent.mkdir(parents=True, exist_ok=True)
            stored.write_bytes(file.read_bytes())
    history = bytearray()  # in the words of git fast-import
    for run in range(runs):
        now = made if run == runs - 1 else {name: of_run(run, files) for name, files in made.items()}
        lock, files = {}, {}
        for stage, names in STAGES.items():
            read, written = (
                {file: known for name in some for file, known in now[name].items()} for some in names
            )
            path, content = record(commit, run, stage, read, written)
            files[path] = content
            deps, outs = ([locked(name, now[name]) for name in some] for some in names)
            lock[stage] = {"cmd": "true", "deps": deps, "outs": outs}
        files["dvc.lock"] = json.dumps({"schema": "2.0", "stages": lock}, indent=1).encode()
        metrics = METRICS if run == runs - 1 else METRICS | {"run": run}
        files[PLACES["metrics"]] = json.dumps(metrics).encode()
        history += b"commit refs/heads/main\ncommitter b <b@localhost> %d +0000\ndata 0\n" % (
            1_700_000_000 + run
        )
        history += b"" if run else b"from refs/heads/main^0\n"
        for name, content in files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
            history += b"M 644 inline %s\ndata %d\n%s\n" % (name.encode(), len(content), content)
    subprocess.run(["git", "fast-import", "--quiet"], input=history, check=True)
    subprocess.run(["git", "reset", "--quiet"], check=True)


def object_of(md5: str) -> Path:
    return Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]


def of_run(run: int, files: Files) -> Files:
    """What an earlier run made in the same places: other bytes, which nobody has any more."""
    return {
        name: (
            hashlib.sha256(f"{run}{digest}".encode()).hexdigest(),
            hashlib.md5(f"{run}{md5}".encode()).hexdigest(),
            size,
        )
        for name, (digest, md5, size) in files.items()
    }


def locked(name: str, files: Files) -> dict[str, Any]:
    place = PLACES[name]
    entry = {"path": place, "hash": "md5", "size": sum(size for _, _, size in files.values())}
    if place in files:
        return entry | {"md5": files[place][1]}
    listing = {Path(file).name: md5 for file, (_, md5, _) in files.items()}
    entries = [{"md5": listing[key], "relpath": key} for key in sorted(listing)]
    stored = object_of(folder_md5(listing))
    if all(object_of(md5).exists() for md5 in listing.values()):
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_text(json.dumps(entries, sort_keys=True))
    return entry | {"md5": folder_md5(listing), "nfiles": len(files)}


def record(commit: str, run: int, stage: str, read: Files, written: Files) -> tuple[str, bytes]:
    inputs = [
        {"name": name, "digest": {"sha256": digest}, "annotations": {"kind": "input"}}
        for name, (digest, _, _) in read.items()
    ]
    ran = [
        {
            "name": name,
            "digest": {
                "sha256": hashlib.sha256(name.encode()).hexdigest(),
                "md5": hashlib.md5(name.encode()).hexdigest(),
            },
            "annotations": {"kind": "module"},
        }
        for name in CODE
    ]
    anchor = {
        "digest": {"gitCommit": commit},
        "annotations": {"kind": "commit", "dirty": False, "changed": []},
    }
    where = {
        "python": "",
        "platform": "",
        "hardware": {"cpu": "", "cpuCount": 1, "gpus": []},
        "packages": PACKAGES,
    }
    moment = f"2026-01-{1 + run // 86400:02}T{run // 3600 % 24:02}:{run // 60 % 60:02}:{run % 60:02}"
    order = list(STAGES).index(stage)
    times = {"startedOn": f"{moment}.{order}00000Z", "finishedOn": f"{moment}.{order}50000Z"}
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": {"sha256": digest, "md5": md5}}
            for name, (digest, md5, _) in written.items()
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "stage": stage,
                    "command": "true",
                    "params": {"data": {"run": run, "path": "data/inbox"}},
                },
                "internalParameters": where | {"startedBy": WHO},
                "resolvedDependencies": [*inputs, *ran, anchor],
            },
            "runDetails": {
                "builder": {"id": BUILDER},
                "metadata": {"invocationId": f"{run} {stage}"} | times,
            },
        },
    }
    content = json.dumps(statement, indent=2).encode() + b"\n"
    return f"lineage/{stage}/{hashlib.sha256(content).hexdigest()}.json", content


def write_graph() -> str:
    """Write what the stages are and run, and return the commit of it."""
    stages = {
        stage: {
            "cmd": "true",
            "deps": [PLACES[each] for each in read],
            "outs": [PLACES[each] for each in written],
        }
        for stage, (read, written) in STAGES.items()
    }
    Path("dvc.yaml").write_text(json.dumps({"stages": stages}))
    Path("params.yaml").write_text("{}\n")
    Path(".gitignore").write_text("/data\n/models\n/.scratch\n")
    who = ["-c", "user.name=b", "-c", "user.email=b@localhost"]
    Path("tasks").mkdir()
    for name in CODE:
        Path(name).write_text(name)
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["dvc", "init", "-q"],
        ["git", "add", "--all"],
        ["git", *who, "commit", "-qm", "graph"],
    ):
        subprocess.run(command, check=True)
    return subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()


def measured(*command: str) -> tuple[float, float, float]:
    """Run a command; return seconds by the clock and of the processors, and its peak memory in MB."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE); "
        "sys.stderr.buffer.write(done.stderr[-2000:]); used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_maxrss / 1e3, used.ru_utime + used.ru_stime)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=subprocess.PIPE)
    memory, busy = map(float, done.stdout.split())
    return time.perf_counter() - start, busy, memory


def main(sizes: list[str]) -> None:
    os.environ |= {"PYTHONPATH": str(ROOT), "SELFSAME_OBSERVE": "0"}
    print("| pool rows | runs | GB | command | seconds | CPU s | peak MB |\n|" + " ---: |" * 7)
    for rows, runs in (map(int, size.split(":")) for size in sizes):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            commit = write_graph()
            example_id = make_tables(rows)
            write_past(commit, runs)
            labeled = pq.read_table(PLACES["labeled"]).column("example_id")[0].as_py()
            selfsame = (sys.executable, "-m", "selfsame.cli")
            found = [path for top in ("data", "models", ".dvc/cache") for path in Path(top).rglob("*")]
            files = [str(path) for path in found if path.is_file()]
            size = sum(Path(path).stat().st_size for path in files) / 1e9
            measured("sha256sum", *files)  # now everything is in the page cache
            for name, command in {
                "rows, first look-up": (*selfsame, "rows", example_id),
                "rows, second look-up": (*selfsame, "rows", example_id),
                "taint of a pool row": (*selfsame, "taint", example_id),
                "taint of a labeled row": (*selfsame, "taint", labeled),
                "audit": (*selfsame, "audit"),
                "audit again": (*selfsame, "audit"),
                "sha256sum": ("sha256sum", *files),
                "verify": (*selfsame, "verify"),
                "sha256sum again": ("sha256sum", *files),
                "verify again": (*selfsame, "verify"),
            }.items():
                seconds, busy, memory = measured(*command)
                figures = f"{name} | {seconds:.2f} | {busy:.2f} | {memory:.0f}"
                print(f"| {rows:,} | {runs:,} | {size:.2f} | {figures} |", flush=True)
            os.chdir(ROOT)


if __name__ == "__main__":
    main(sys.argv[1:] or SIZES)
