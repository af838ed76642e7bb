"""The story on a table of one's own: 569 tumors, of which a doctor has named 60.

Run it in a fresh clone of the project, since it writes ``params.yaml``: ``python examples/table.py``.
"""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from sklearn.datasets import load_breast_cancer

NAMED = 60
TABLE, NEW = Path("data/inbox/tumors.csv"), Path("new.csv")


def main() -> None:
    """Write the table, begin, run, predict."""
    write_table()
    selfsame("init", TABLE, "--target", "diagnosis", "--force")
    selfsame("inspect")
    repro()
    selfsame("predict", NEW, "-o", "predicted.csv")
    print(*Path("predicted.csv").read_text(encoding="utf-8").splitlines()[:6], sep="\n")


def write_table() -> None:
    """Write the rows with a name and those without, and five more to be predicted."""
    data = load_breast_cancer()
    columns = {
        str(name).replace(" ", "_"): values
        for name, values in zip(data.feature_names, data.data.T, strict=True)
    }
    words = [str(data.target_names[label]) for label in data.target]
    named = [word if row < NAMED else "" for row, word in enumerate(words)]
    table = pa.table(columns | {"diagnosis": named})
    pa_csv.write_csv(table.slice(0, len(words) - 5), TABLE)
    pa_csv.write_csv(table.slice(len(words) - 5).drop_columns(["diagnosis"]), NEW)


def selfsame(*words: object) -> None:
    """Run a command of the project, as in a terminal."""
    subprocess.run([sys.executable, "-m", "selfsame", *map(str, words)], check=True)


def repro() -> None:
    """Run what changed."""
    subprocess.run([sys.executable, "-m", "dvc", "--wait-for-lock", "repro"], check=True)


if __name__ == "__main__":
    main()
