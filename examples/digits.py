"""The story on digits: what the unlabeled rows bought, which labels were made, and a prediction.

Run it in the project's folder after ``make run``: ``python examples/digits.py``.
"""

import json
from collections import Counter
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from selfsame.predict import load_model


def main() -> None:
    """Tell it from what the stages wrote."""
    metrics = json.loads(Path("reports/metrics.json").read_text(encoding="utf-8"))
    print(f"champion: {metrics['champion']}")

    pool = ds.dataset("data/pseudo_labels", format="parquet").to_table(columns=["accepted", "reason"])
    print(f"{pool.num_rows} pool rows had no label; the baseline labeled each:")
    for reason, count in Counter(pool["reason"].to_pylist()).most_common():
        print(f"  {count:5} {reason}")

    columns = ["image", "label"]
    holdout = pq.read_table("data/splits/holdout.parquet", columns=columns).slice(0, 8)
    model = load_model("models/champion")
    pictures = holdout["image"].combine_chunks().to_numpy_ndarray().reshape(-1, 8, 8)
    for said, sure, true in zip(
        model.predict(pictures),
        model.predict_proba(pictures).max(axis=1),
        holdout["label"].to_pylist(),
        strict=True,
    ):
        print(f"  says {said} ({sure:.0%} sure), is {model.classes_[int(true)]}")


if __name__ == "__main__":
    main()
