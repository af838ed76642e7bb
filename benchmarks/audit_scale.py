"""The audit at ten million pool rows: one row found, its taint followed, every byte read again.

Makes a project in a temporary folder: synthetic tables of the pipeline's own schema in parts, a DVC cache
with all of them, provenance records, no training. Compares ``verify`` with ``sha256sum`` over the same
files (workspace and cache), one after the other in the same minute; every command is a process of its own,
measured from start to end, and its peak memory is the kernel's figure.

    python benchmarks/audit_scale.py [ROWS ...]

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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.audit.stored import folder_md5
from selfsame.core.tables import BATCH_ROWS, TableInfo, TableWriter, iter_batches
from selfsame.observe.hashing import both_digests
from selfsame.observe.record import BUILD_TYPE, BUILDER, PREDICATE_TYPE, STATEMENT_TYPE

ROOT = Path(__file__).resolve().parent.parent
INFO = TableInfo("synthetic", "classification", ("no", "yes"), tuple(f"x{n}" for n in range(4)))
SMALL = {"labeled": 100, "validation": 100, "holdout": 1000}
PLACES = {
    "pool": "data/splits/pool",
    "pseudo_labels": "data/pseudo_labels",
    **{role: f"data/splits/{role}.parquet" for role in SMALL},
    "baseline": "models/baseline",
    "student": "models/student",
}
STAGES = {  # stage → what it reads, what it writes
    "split": ([], ["labeled", "validation", "holdout", "pool"]),
    "train_baseline": (["labeled", "validation"], ["baseline"]),
    "pseudo_label": (["pool", "baseline"], ["pseudo_labels"]),
    "retrain": (["labeled", "validation", "pool", "pseudo_labels"], ["student"]),
}


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
    for name in ("baseline", "student"):
        folder = Path(PLACES[name])
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(name.encode() * 10_000)
    return hashlib.sha256((Path(PLACES["baseline"]) / "model.safetensors").read_bytes()).hexdigest()


def write_past() -> None:
    """Store every output in the cache, and write the lock file and the records that name them."""
    locked, sha256 = {}, {}
    for name, place in PLACES.items():
        path = Path(place)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        digests = {file: both_digests(file) for file in files}
        sha256[name] = {file.as_posix(): both.sha256 for file, both in digests.items()}
        for file, both in digests.items():
            store(str(both.md5), file.read_bytes())
        locked[name] = str(digests[path].md5) if path in digests else None
        if locked[name] is None:
            listing = {file.name: str(both.md5) for file, both in digests.items()}
            locked[name] = folder_md5(listing)
            entries = [{"md5": listing[key], "relpath": key} for key in sorted(listing)]
            store(locked[name], json.dumps(entries, sort_keys=True).encode())
    stages = {}
    for stage, (read, written) in STAGES.items():
        write_record(stage, [sha256[name] for name in read], [sha256[name] for name in written])
        stages[stage] = {
            "cmd": "true",
            "deps": [{"path": PLACES[name], "hash": "md5", "md5": locked[name]} for name in read],
            "outs": [{"path": PLACES[name], "hash": "md5", "md5": locked[name]} for name in written],
        }
    Path("dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))


def store(md5: str, content: bytes) -> None:
    path = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_record(stage: str, read: list[dict[str, str]], written: list[dict[str, str]]) -> None:
    inputs = [
        {"name": name, "digest": {"sha256": digest}, "annotations": {"kind": "input"}}
        for files in read
        for name, digest in files.items()
    ]
    commit = {"name": "git", "annotations": {"kind": "commit", "absent": "synthetic"}}
    where = {"python": "", "platform": "", "hardware": {"cpu": "", "cpuCount": 1, "gpus": []}, "packages": {}}
    times = {"startedOn": "2026-01-01T00:00:00+00:00", "finishedOn": "2026-01-01T00:00:01+00:00"}
    statement = {
        "_type": STATEMENT_TYPE,
        "predicateType": PREDICATE_TYPE,
        "subject": [{"name": n, "digest": {"sha256": d}} for files in written for n, d in files.items()],
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"stage": stage, "command": "true", "params": {}},
                "internalParameters": where | {"startedBy": {"user": "synthetic"}},
                "resolvedDependencies": [*inputs, commit],
            },
            "runDetails": {"builder": {"id": BUILDER}, "metadata": {"invocationId": stage} | times},
        },
    }
    content = json.dumps(statement).encode()
    path = Path("lineage") / stage / f"{hashlib.sha256(content).hexdigest()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def measured(*command: str) -> tuple[float, float]:
    """Run a command; return its seconds and its peak memory in MB."""
    code = (
        "import resource, subprocess, sys; "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE); "
        "sys.stderr.buffer.write(done.stderr[-2000:] if done.returncode else b''); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, stdout=subprocess.PIPE)
    return time.perf_counter() - start, int(done.stdout) / 1e3


def main(sizes: list[int]) -> None:
    os.environ |= {"PYTHONPATH": str(ROOT), "SELFSAME_OBSERVE": "0"}
    print("| pool rows | GB read | command | seconds | peak MB |\n| ---: | ---: | --- | ---: | ---: |")
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            subprocess.run(["git", "init", "-q"], check=True)
            subprocess.run(["dvc", "init", "-q"], check=True)
            example_id = make_tables(rows)
            write_past()
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
                "sha256sum": ("sha256sum", *files),
                "verify": (*selfsame, "verify"),
                "sha256sum again": ("sha256sum", *files),
                "verify again": (*selfsame, "verify"),
            }.items():
                seconds, memory = measured(*command)
                print(f"| {rows:,} | {size:.2f} | {name} | {seconds:.2f} | {memory:.0f} |", flush=True)
            os.chdir(ROOT)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [1_000_000, 10_000_000])
