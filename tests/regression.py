"""A small regression as the stage ``split`` leaves it, and parameters that go with it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import TableInfo, example_ids, input_columns

INFO = TableInfo("toy values", "regression", features=("a", "b", "c"))
ROWS = {"labeled": 30, "validation": 40, "calibration": 0, "pool": 120, "holdout": 80}
# What differs from a project of classes.
VALUES: dict[str, dict[str, Any]] = {
    "model": {
        "architecture": "mlp",
        "widths": [16, 16],
        "batch_norm": False,
        "dropout": 0.0,
    },
    "training": {"learning_rate": 0.02, "batch_size": 16, "augmentation": {"name": "table"}},
    "train_baseline": {"ensemble_members": 2, "max_epochs": 30},
    "pseudo_label": {"rule": "agreement", "largest_ensemble_std": 0.3},
    "retrain": {"max_epochs": 30, "method": "offline"},
}


def true_values(inputs: np.ndarray) -> np.ndarray:
    """Return what is to be learned of (N, 3) features: 1000 + 100 · (a + sin 2b), without noise."""
    return 1000 + 100 * (inputs[:, 0] + np.sin(2 * inputs[:, 1]))


def write_splits(folder: Path, known: float = 1.0, pool: int = ROWS["pool"]) -> None:
    """Write the outputs of ``split`` below ``folder``; the share ``known`` of the pool has hidden values."""
    random = np.random.default_rng(0)
    splits = folder / "data" / "splits"
    tables = {}
    for role, count in (ROWS | {"pool": pool}).items():
        inputs = random.normal(size=(count, 3))
        tables[role] = (inputs, true_values(inputs))
        path = splits / (role if role == "pool" else f"{role}.parquet")
        schema = INFO.schema(pa.field("source_row", pa.int64(), nullable=False))
        labels = pa.nulls(count, pa.float64()) if role == "pool" else pa.array(tables[role][1])
        with TableWriter(path, schema) as writer:
            columns = [pa.array(example_ids(inputs), pa.string()), *input_columns(inputs, INFO), labels]
            writer.write(pa.record_batch([*columns, pa.array(np.arange(count))], schema=schema))
    inputs, values = tables["pool"]
    count = round(known * len(inputs))
    ids = pa.array(example_ids(inputs)[:count], pa.string())
    hidden = pa.record_batch({"example_id": ids, "label": values[:count]})
    (splits / "accounting.json").write_text('{"dropped": {}, "near_copies": {"rows": 0, "of": 0}}')
    with TableWriter(splits / "hidden_labels.parquet", hidden.schema) as writer:
        writer.write(hidden)
    inputs, values = tables["labeled"]
    scaling = {
        "mean": inputs.mean(axis=0).tolist(),
        "std": inputs.std(axis=0).tolist(),
        "target": {"mean": values.mean(), "std": values.std()},
    }
    (splits / "scaling.json").write_text(json.dumps(scaling))
