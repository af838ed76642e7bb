"""Labels needed to reach an accuracy, of every strategy against random: a simulated annotator.

``python benchmarks/active_learning.py SETUP EXAMPLES CSV``, where SETUP is digits or mnist, EXAMPLES the
table that the stage ``download`` wrote (``data/raw/examples``) and CSV the file for the curves; the same with
``--draw CSV FIGURE`` draws them. Every round runs the real thing without DVC: ``split``, ``train_baseline``,
the accuracy on the holdout, a request, and its answers, which come from the hidden labels. A curve that
the file has already is not made again.
"""

import csv
import io
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from selfsame.active.answers import merge_answers
from selfsame.active.request import REQUEST, make_request, write_request
from selfsame.active.settings import ActiveLearningParams
from selfsame.core.annotations import ANNOTATIONS, COLUMNS
from selfsame.core.graph_file import StageSpec, by_stem, read_stages, read_yaml
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.learning.params import ComputeParams

ROOT = Path(__file__).resolve().parent.parent
STRATEGIES: dict[str, dict[str, Any]] = {  # name: what differs from section active_learning of params.yaml
    "random": {"strategy": "random", "diversity": "none"},
    "least confidence": {"strategy": "least_confidence", "diversity": "none"},
    "margin": {"strategy": "margin", "diversity": "none"},
    "entropy": {"strategy": "entropy", "diversity": "none"},
    "BALD": {"strategy": "bald", "diversity": "none"},
    "margin, k-means": {"strategy": "margin", "diversity": "k_means"},
    "margin, core-set": {"strategy": "margin", "diversity": "core_set"},
}
DRAWS = 5


@dataclass(frozen=True)
class SetUp:
    """How the curves of one data set are made.

    Attributes:
        labels: labeled rows of every round.
        further: those of the rounds that random alone goes on for.
        goals: labels of random, whose mean accuracy there is what the others are to reach.
        steps: of every training.
        pool: rows that are drawn from the source's, validation and labeled ones among them; None for all.
        changes: what differs from ``params.yaml``.
    """

    labels: tuple[int, ...]
    further: tuple[int, ...]
    goals: tuple[int, ...]
    strategies: tuple[str, ...]
    steps: int
    pool: int | None
    changes: dict[str, dict[str, Any]]


# A training of a fixed length, whose last weights are kept: validation rows, which are labeled too, decide nothing.
PLAIN = {"ema_decay": 0.0, "checkpoint": "last", "refit_on_validation": False, "prediction_views": 1}
SETUPS = {
    "digits": SetUp(
        labels=tuple(range(20, 161, 20)),
        further=(180, 200, 220, 240),
        goals=(60, 100, 160),
        strategies=tuple(STRATEGIES),
        steps=100,
        pool=None,
        changes={
            "split": {"labels_per_class": 2, "validation_per_class": 1, "holdout_fraction": 0.25},
            "training": {"batch_size": 32, "learning_rate": 0.01, **PLAIN},
        },
    ),
    "mnist": SetUp(
        labels=(20, 50, 100, 150, 200, 300, 400, 600),
        further=(800, 1000),
        goals=(150, 300, 600),
        strategies=("random", "margin", "entropy", "margin, k-means"),
        steps=200,
        pool=10_000,
        changes={
            "split": {"labels_per_class": 2, "validation_per_class": 1, "holdout_fraction": None},
            "model": {"widths": [8, 24, 48], "halve_after": [1, 2], "dense": None},
            "training": {"batch_size": 32, "learning_rate": 0.01, **PLAIN},
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
        for strategy in setup.strategies:
            if (strategy, seed) in done:
                continue
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                curve = list(learn(setup, examples, STRATEGIES[strategy], seed))
            with out.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([strategy, seed, labels, f"{value:.4f}"] for labels, value in curve)
            print(f"draw {seed}, {strategy}: {curve[-1][1]:.4f} with {curve[-1][0]} labels", flush=True)
    report(out, setup)


def learn(setup: SetUp, examples: Path, changes: dict[str, Any], seed: int) -> Iterator[tuple[int, float]]:
    """Yield labels and holdout accuracy, round by round, in the current folder."""
    from selfsame.learning.models import load_model, predict_table

    copy_examples(examples, setup, seed)
    Path("params.yaml").write_text(json.dumps({"monitoring": parameters()["monitoring"]}), encoding="utf-8")
    ANNOTATIONS.parent.mkdir(parents=True)
    ANNOTATIONS.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    rounds = setup.labels + (setup.further if changes["strategy"] == "random" else ())
    for labels, wanted in zip(rounds, [*rounds[1:], None], strict=True):
        run_stage("split", setup, {"split": {"seed": seed}})
        assert pq.read_metadata("data/splits/labeled.parquet").num_rows == labels
        epochs = ceil(setup.steps / ceil(labels / setup.changes["training"]["batch_size"]))
        own_epochs = {"max_epochs": epochs, "patience_epochs": epochs, "seed": seed}
        run_stage("train_baseline", setup, {"train_baseline": own_epochs})
        found = predict_table(load_model(Path("models/baseline")), Path("data/splits/holdout.parquet"))
        yield labels, float((found.predicted == found.labels).mean())
        if wanted is not None:
            own = {"model": "baseline", "rows": wanted - labels, "seed": seed} | changes
            section = parameters()["active_learning"] | own
            compute = ComputeParams(device="cpu", cpu_threads=1, precision="float32", compile=False)
            write_request(make_request(ActiveLearningParams.model_validate(section), compute))
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
    module, spec = import_module(f"tasks.{name}"), stages()[name]
    written = parameters()
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


@cache
def parameters() -> dict[str, Any]:
    return read_yaml(ROOT / "params.yaml")


@cache
def stages() -> dict[str, StageSpec]:
    return read_stages(ROOT / "dvc.yaml")


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with ``changes`` in their place, also inside of values that have keys themselves."""
    return values | {
        key: merged(values[key], value) if isinstance(value, dict) else value
        for key, value in changes.items()
    }


def copy_examples(examples: Path, setup: SetUp, seed: int) -> None:
    """Copy the table, with no more rows than are wanted beside the source's own holdout."""
    table = pq.read_table(examples)
    own_holdout = table["source_holdout"].fill_null(False).to_numpy()
    rows = np.flatnonzero(~own_holdout)
    if setup.pool is not None:
        rows = np.random.default_rng(seed).choice(rows, setup.pool, replace=False)
    kept = np.sort(np.concatenate([rows, np.flatnonzero(own_holdout)]))
    target = Path("data/raw/examples")
    target.mkdir(parents=True)
    pq.write_table(table.take(kept), target / "part-00000.parquet")


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
