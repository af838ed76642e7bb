"""What ``download`` and ``split`` cost for a large CSV, against pyarrow reading it and writing Parquet twice.

    python benchmarks/read_tables.py [ROWS ...]

For each number of rows (100,000 and 1,000,000 unless given) a file of 30 columns, a third of the labels
missing, is made, and each side runs in a process of its own: seconds of its processor, and its peak memory.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

COLUMNS = 30
PIECE = 100_000
ROOT = Path(__file__).parents[1]


def write_table(path: Path, rows: int) -> None:
    """Write 24 columns of numbers, 5 of words and the target ``y``, some at a time."""
    random, writer = np.random.default_rng(0), None
    for start in range(0, rows, PIECE):
        count = min(PIECE, rows - start)
        columns = {f"x{place}": random.normal(size=count).round(4) for place in range(24)}
        columns |= {f"w{place}": random.choice(["red", "green", "blue"], count) for place in range(5)}
        columns["y"] = random.choice(["a", "b", ""], count)
        table = pa.table(columns)
        writer = writer or pa_csv.CSVWriter(path, table.schema)
        writer.write(table)
    assert writer is not None
    writer.close()


def run_pyarrow(folder: Path) -> None:
    """Read the file and write it as Parquet twice, as two stages would have to, block by block."""
    for number in range(2):
        place = folder / f"{number}.parquet"
        with (
            pa_csv.open_csv(folder / "t.csv") as stream,
            pq.ParquetWriter(place, stream.schema, compression="zstd") as writer,
        ):
            for batch in stream:
                writer.write_batch(batch)


def run_stages(folder: Path) -> None:
    """Run both stages on the file."""
    sys.path.insert(0, str(ROOT / "tests"))
    from project import run_task

    data = {"source": "table", "path": str(folder / "t.csv"), "target_column": "y"}
    amounts = {"labels_per_class": 1000, "validation_per_class": 1000, "holdout_fraction": 0.1}
    run_task("download", folder, data=data)
    print(f"  download alone: {time.process_time():.1f} s")
    run_task("split", folder, split=amounts)


RUNS = {"pyarrow": run_pyarrow, "stages": run_stages}


def measure(name: str, folder: Path) -> tuple[float, float]:
    """Run one side in a process of its own; return its processor's seconds and its peak memory in MB."""
    command = [sys.executable, __file__, "--run", name, str(folder)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    print(text.rsplit("\n", 2)[0])
    seconds, memory = text.split()[-2:]
    return float(seconds), float(memory)


def main() -> None:
    """Compare both sides for every number of rows."""
    if sys.argv[1:2] == ["--run"]:
        RUNS[sys.argv[2]](Path(sys.argv[3]))
        print(time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    for rows in map(int, sys.argv[1:] or ["100000", "1000000"]):
        with tempfile.TemporaryDirectory() as name:
            write_table(Path(name) / "t.csv", rows)
            (plain, plain_memory), (own, memory) = (measure(each, Path(name)) for each in RUNS)
        print(
            f"{rows:,} rows: pyarrow {plain:.1f} s, {plain_memory:.0f} MB; download and split {own:.1f} s, "
            f"{memory:.0f} MB; ratio {own / plain:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
