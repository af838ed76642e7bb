"""Labels needed to reach an accuracy, of every strategy against random: a simulated annotator.

``python benchmarks/active_learning.py SETUP EXAMPLES CSV``, where SETUP is digits or mnist, EXAMPLES the
table that the stage ``download`` wrote (``data/raw/examples``) and CSV the file for the curves; the same with
``--draw CSV FIGURE`` draws them. Every round runs the real thing without DVC: ``split``, ``train_baseline``,
the accuracy on the holdout, a request, and its answers, which come from the hidden labels. A curve that
the file has already is not made again.
"""

import csv
import io
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.active.answers import merge_answers
from selfsame.active.request import REQUEST, make_request, write_request
from selfsame.active.settings import ActiveLearningParams
from selfsame.core.annotations import ANNOTATIONS, COLUMNS
from selfsame.core.graph_file import by_stem, read_stages, read_yaml
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, TableWriter, iter_batches
from selfsame.learning.params import ComputeParams

ROOT = Path(__file__).resolve().parent.parent
STRATEGIES = {  # name: strategy, diversity
    "random": ("random", "none"),
    "least confidence": ("least_confidence", "none"),
    "margin": ("margin", "none"),
    "entropy": ("entropy", "none"),
    "BALD": ("bald", "none"),
    "margin, k-means": ("margin", "k_means"),
    "margin, core-set": ("margin", "core_set"),
}
DRAWS = 5


@dataclass(frozen=True)
class SetUp:
    """One learning curve: from ``start`` labels a class, ``step`` more a round, to ``stop`` labels.

    Attributes:
        steps: of every training.
        pool, holdout: rows of each, at most, the first of the source; None for all.
        changes: what differs from ``params.yaml``.
    """

    start: int
    step: int
    stop: int
    steps: int
    goals: tuple[float, ...]
    pool: int | None
    holdout: int | None
    changes: dict[str, dict[str, Any]]


PLAIN = {
    "ema_decay": 0.0,
    "checkpoint": "validation_loss",
    "refit_on_validation": False,
    "prediction_views": 1,
}
SETUPS = {
    "digits": SetUp(
        start=1,
        step=20,
        stop=210,
        steps=150,
        goals=(0.93, 0.95, 0.96),
        pool=None,
        holdout=None,
        changes={
            "split": {"labels_per_class": 1, "validation_per_class": 5, "holdout_fraction": 0.25},
            "model": {"widths": [32, 64, 64], "halve_after": [2], "dense": None},
            "training": {"batch_size": 32, "learning_rate": 0.01, **PLAIN},
        },
    ),
    "mnist": SetUp(
        start=10,
        step=100,
        stop=1000,
        steps=400,
        goals=(0.8, 0.84, 0.86),
        pool=10_000,
        holdout=5_000,
        changes={
            "split": {"labels_per_class": 10, "validation_per_class": 10, "holdout_fraction": None},
            "model": {"architecture": "mlp", "widths": [256], "halve_after": [], "dense": None},
            "training": {
                **PLAIN,
                "batch_size": 32,
                "augmentation": {"shift_pixels": 0.0, "rotate_degrees": 0.0, "scale_fraction": 0.0},
            },
        },
    ),
}


def main() -> None:
    if sys.argv[1] == "--draw":
        draw(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    name, examples, out = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    setup = SETUPS[name]
    done = {(row["strategy"], row["draw"]) for row in read_curves(out)} if out.exists() else set()
    if not out.exists():
        out.write_text("strategy,draw,labels,accuracy\n", encoding="utf-8")
    for seed in range(DRAWS):
        for strategy in STRATEGIES:
            if (strategy, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                curve = list(learn(setup, examples, *STRATEGIES[strategy], seed))
            with out.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([strategy, seed, labels, f"{value:.4f}"] for labels, value in curve)
            print(f"draw {seed}, {strategy}: {curve[-1][1]:.4f} with {curve[-1][0]} labels", flush=True)
    report(out, setup)


def learn(
    setup: SetUp, examples: Path, strategy: str, diversity: str, seed: int
) -> Iterator[tuple[int, float]]:
    """Yield labels and holdout accuracy, round by round, in the current folder."""
    from selfsame.learning.models import load_model, predict_table

    written = read_yaml(ROOT / "params.yaml")
    own = ActiveLearningParams.model_validate(
        written["active_learning"]
        | {"model": "baseline", "rows": setup.step, "strategy": strategy, "diversity": diversity}
        | {"seed": seed}
    )
    copy_examples(examples, setup)
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    ANNOTATIONS.parent.mkdir(parents=True)
    ANNOTATIONS.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    while True:
        run_stage("split", setup, {"split": {"seed": seed}})
        labels = pq.read_metadata("data/splits/labeled.parquet").num_rows
        batches = ceil(labels / setup.changes["training"]["batch_size"])
        epochs = ceil(setup.steps / batches)
        own_epochs = {"max_epochs": epochs, "patience_epochs": epochs, "seed": seed}
        run_stage("train_baseline", setup, {"train_baseline": own_epochs})
        found = predict_table(load_model(Path("models/baseline")), Path("data/splits/holdout.parquet"))
        yield labels, float((found.predicted == found.labels).mean())
        if labels >= setup.stop:
            return
        write_request(
            make_request(own, ComputeParams(device="cpu", cpu_threads=1, precision="float32", compile=False))
        )
        answer()


def answer() -> None:
    """Answer the whole request, as the hidden labels say."""
    hidden = pq.read_table("data/splits/hidden_labels.parquet").to_pydict()
    truth = dict(zip(hidden["example_id"], hidden["label"], strict=True))
    classes = TableInfo.of(Path("data/splits/pool")).classes
    asked = [row["example_id"] for row in csv.DictReader(io.StringIO(REQUEST.read_text(encoding="utf-8")))]
    lines = [f"{name},{classes[truth[name]]}" for name in asked]
    answers = Path("answers.csv")
    answers.write_text("\n".join(["example_id,label", *lines]), encoding="utf-8")
    merge_answers(answers, "simulated annotator")


def run_stage(name: str, setup: SetUp, changes: dict[str, dict[str, Any]]) -> None:
    """Run one stage's ``main`` in this process, without DVC."""
    module, spec = import_module(f"tasks.{name}"), read_stages(ROOT / "dvc.yaml")[name]
    written = read_yaml(ROOT / "params.yaml")
    own = {"compute": {"device": "cpu", "cpu_threads": 1}}
    params = {}
    for section, schema in module.PARAMS.items():
        values = written[section]
        for layer in (own, setup.changes, changes):
            values = merged(values, layer.get(section, {}))
        params[section] = schema.model_validate(values)
    for path in spec.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    module.main(Stage(spec, by_stem(spec.inputs), by_stem(spec.outputs), params))


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with ``changes`` in their place, also inside of values that have keys themselves."""
    return values | {
        key: merged(values[key], value) if isinstance(value, dict) else value
        for key, value in changes.items()
    }


def copy_examples(examples: Path, setup: SetUp) -> None:
    """Copy the table, with no more rows than are wanted."""
    target = Path("data/raw/examples")
    counts: dict[bool, int] = defaultdict(int)
    limits = {False: setup.pool, True: setup.holdout}
    with TableWriter(target, pq.read_schema(next(examples.glob("*.parquet")))) as writer:
        for batch in iter_batches(examples):
            holdout = batch.column("source_holdout").fill_null(False).to_numpy(zero_copy_only=False)
            kept = np.zeros(batch.num_rows, bool)
            for role, limit in limits.items():
                rows = np.flatnonzero(holdout == role)
                kept[rows if limit is None else rows[: limit - counts[role]]] = True
                counts[role] += int(kept[rows].sum())
            writer.write(batch.filter(pa.array(kept)))


def read_curves(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        kinds = {"strategy": str, "draw": int, "labels": int, "accuracy": float}
        return [{key: kinds[key](value) for key, value in row.items()} for row in csv.DictReader(file)]


def mean_curves(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return labels, mean and standard deviation of the accuracy over the draws, by strategy."""
    values: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in read_curves(path):
        values[row["strategy"]][row["labels"]].append(row["accuracy"])
    return {
        strategy: (
            np.array(list(curve)),
            np.array([np.mean(each) for each in curve.values()]),
            np.array([np.std(each, ddof=1) if len(each) > 1 else 0.0 for each in curve.values()]),
        )
        for strategy, curve in values.items()
    }


def labels_needed(labels: np.ndarray, accuracy: np.ndarray, goal: float) -> float | None:
    """Return where the curve first reaches the goal, between two rounds by a straight line."""
    reached = np.flatnonzero(accuracy >= goal)
    if not len(reached):
        return None
    place = reached[0]
    if place == 0:
        return float(labels[0])
    pair = slice(place - 1, place + 1)
    return float(np.interp(goal, accuracy[pair], labels[pair]))


def report(path: Path, setup: SetUp) -> None:
    """Print the labels that every strategy needs, and what it saves against random."""
    curves = mean_curves(path)
    goals = "".join(f" labels to {goal:g} |" for goal in setup.goals)
    print(f"\n| strategy | accuracy with {setup.stop} |{goals}")
    print("|---|---|" + "---|" * len(setup.goals))
    for strategy, (labels, accuracy, spread) in curves.items():
        cells = []
        for goal in setup.goals:
            own, base = (labels_needed(*curve[:2], goal) for curve in ((labels, accuracy), curves["random"]))
            saved = f" ({1 - own / base:+.0%})" if own and base and strategy != "random" else ""
            cells.append(f"{own:.0f}{saved}" if own else "not reached")
        print(f"| {strategy} | {accuracy[-1]:.4f} ± {spread[-1]:.4f} | {' | '.join(cells)} |")


def draw(path: Path, figure: Path) -> None:
    """Draw the mean curves."""
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "selfsame"
    axes = plt.figure(figsize=(7, 4.2)).add_subplot()
    for strategy, (labels, accuracy, _) in mean_curves(path).items():
        style = {"color": "black", "lw": 2.5} if strategy == "random" else {}
        axes.plot(labels, accuracy, label=strategy, **style)
    axes.set(xlabel="labels", ylabel="holdout accuracy, mean of the draws")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    plt.savefig(figure, bbox_inches="tight", metadata={"Date": None} if figure.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
