"""Labels needed to reach an accuracy, of every strategy against random: a simulated annotator.

``python benchmarks/active_learning.py SETUP EXAMPLES``, where SETUP is digits or mnist and EXAMPLES the table
that the stage ``download`` wrote (``data/raw/examples``), makes the curves, each of which is kept in
``benchmarks/active_learning_SETUP.csv``: stopped at any moment, the script goes on with those that are
missing. ``python benchmarks/active_learning.py page`` puts them into ``docs/active-learning.md``.

Every round runs the real thing without DVC: ``split``, ``train_baseline`` from scratch, the accuracy on the
holdout, a request, and its answers, which come from the hidden labels.
"""

import contextlib
import csv
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from active_learning_page import COLUMNS as HEAD
from active_learning_page import draw_figure, read_curves, write_table

from selfsame.active.answers import merge_answers
from selfsame.active.request import REQUEST, make_request, write_request
from selfsame.core.annotations import ANNOTATIONS, COLUMNS
from selfsame.core.graph_file import StageSpec, by_stem, read_stages, read_yaml
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, read_column
from selfsame.params.active_learning import ACTIVE_LEARNING
from selfsame.params.compute import ComputeParams
from selfsame.params.overrides import with_overrides
from selfsame.params.reading import parse
from selfsame.params.registry import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
CURVES, PAGE, FIGURE = (
    ROOT / "benchmarks",
    ROOT / "docs/active-learning.md",
    ROOT / "docs/active-learning.svg",
)
STRATEGIES: dict[str, dict[str, Any]] = {  # name: what differs from section active_learning of params.yaml
    "random": {"strategy": "random"},
    "least confidence": {"strategy": "least_confidence", "diversity": {"name": "none"}},
    "margin": {"strategy": "margin", "diversity": {"name": "none"}},
    "entropy": {"strategy": "entropy", "diversity": {"name": "none"}},
    "BALD": {"strategy": "bald", "diversity": {"name": "none"}},
    "margin, k-means": {"strategy": "margin", "diversity": {"name": "k_means"}},
    "margin, core-set": {"strategy": "margin", "diversity": {"name": "core_set"}},
}
DRAWS = 5
MARK = "<!-- made by benchmarks/active_learning.py -->\n"


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

    title: str
    labels: tuple[int, ...]
    further: tuple[int, ...]
    goals: tuple[int, ...]
    strategies: tuple[str, ...]
    steps: int
    pool: int | None
    changes: dict[str, dict[str, Any]]


# A training of a fixed length, whose last weights are kept: validation rows decide nothing.
PLAIN = {"ema_decay": 0.0, "checkpoint": "last", "refit_on_validation": False}
SETUPS = {
    "digits": SetUp(
        title="Digits, the net of the default preset",
        labels=(20, 40, 60, 80, 100, 130, 160),
        further=(200, 240),
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
        title="MNIST, a small convolutional net",
        labels=(20, 50, 100, 150, 200, 300, 400, 600),
        further=(800, 1000),
        goals=(150, 300, 600),
        strategies=("random", "margin", "entropy", "margin, k-means"),
        steps=200,
        pool=10_000,
        changes={
            "split": {"labels_per_class": 2, "validation_per_class": 1, "holdout_fraction": None},
            "model": {"widths": [8, 16, 32], "halve_after": [1, 2, 3]},
            "training": {"batch_size": 32, "learning_rate": 0.01, **PLAIN},
        },
    ),
}


def main() -> None:
    if sys.argv[1] == "page":
        write_page()
        return
    name, examples = sys.argv[1], Path(sys.argv[2]).resolve()
    setup, out = SETUPS[name], CURVES / f"active_learning_{name}.csv"
    if not out.exists():
        out.write_text(",".join(HEAD) + "\n", encoding="utf-8")
    done = read_curves(out)
    for seed in range(DRAWS):
        for strategy in setup.strategies:
            if seed in done.get(strategy, {}):
                continue
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                curve = list(learn(setup, examples, STRATEGIES[strategy], seed))
            with out.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerows([strategy, seed, labels, f"{value:.4f}"] for labels, value in curve)
            print(f"draw {seed}, {strategy}: {curve[-1][1]:.4f} with {curve[-1][0]} labels", flush=True)


def learn(setup: SetUp, examples: Path, changes: dict[str, Any], seed: int) -> Iterator[tuple[int, float]]:
    """Yield labels and holdout accuracy, round by round, in the current folder."""
    from selfsame.model.models import answer_table, load_model

    copy_examples(examples, setup, seed)
    Path("params.yaml").write_text(json.dumps({"monitoring": {}}), encoding="utf-8")
    ANNOTATIONS.parent.mkdir(parents=True)
    ANNOTATIONS.write_text(",".join(COLUMNS) + "\n", encoding="utf-8")
    rounds = setup.labels + (setup.further if changes["strategy"] == "random" else ())
    for labels, wanted in zip(rounds, [*rounds[1:], None], strict=True):
        run_stage("split", setup, {"split": {"seed": seed}})
        assert pq.read_metadata("data/splits/labeled.parquet").num_rows == labels
        epochs = ceil(setup.steps / ceil(labels / setup.changes["training"]["batch_size"]))
        own_epochs = {"max_epochs": epochs, "seed": seed}
        run_stage("train_baseline", setup, {"train_baseline": own_epochs})
        holdout = Path("data/splits/holdout.parquet")
        said = answer_table(load_model(Path("models/baseline")), holdout)
        yield labels, float((said.argmax(axis=1) == read_column(holdout, "label")).mean())
        if wanted is not None:
            own = {"model": "baseline", "rows": wanted - labels, "seed": seed} | changes
            compute = ComputeParams(device="cpu", cpu_threads=1)
            write_request(make_request(parse("active_learning", ACTIVE_LEARNING, own), compute, 1))
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
    for section in spec.params:
        values = {section: deepcopy(written[section])}
        for layer in (own, setup.changes, changes):
            with_overrides(
                values, {f"{section}.{key}": value for key, value in layer.get(section, {}).items()}
            )
        params[section] = parse(section, SECTIONS[section], values[section])
    for path in spec.outputs:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    module.main(Stage(spec, by_stem(spec.inputs), by_stem(spec.outputs), params))


@cache
def parameters() -> dict[str, Any]:
    return read_yaml(ROOT / "params.yaml")


@cache
def stages() -> dict[str, StageSpec]:
    return read_stages(ROOT / "dvc.yaml")


def copy_examples(examples: Path, setup: SetUp, seed: int) -> None:
    """Copy the table, with no more rows than are wanted beside the source's own holdout."""
    table = pq.read_table(examples)
    own_holdout = pc.equal(table["source_role"], "holdout").fill_null(False).to_numpy()
    rows = np.flatnonzero(~own_holdout)
    if setup.pool is not None:
        rows = np.random.default_rng(seed).choice(rows, setup.pool, replace=False)
    kept = np.sort(np.concatenate([rows, np.flatnonzero(own_holdout)]))
    target = Path("data/raw/examples")
    target.mkdir(parents=True)
    pq.write_table(table.take(kept), target / "part-00000.parquet")
    shutil.copy(examples.with_name("reading.json"), target.with_name("reading.json"))


def write_page() -> None:
    """Draw the figure, and put it and the tables between the marks in the page; only what was made."""
    made = {name: read_curves(CURVES / f"active_learning_{name}.csv") for name in SETUPS}
    named = {SETUPS[name].title: (curves, SETUPS[name].goals) for name, curves in made.items() if curves}
    if not named:
        return
    draw_figure({title: curves for title, (curves, _) in named.items()}, FIGURE)
    parts = [f"**{title}**\n\n{write_table(*found)}" for title, found in named.items()]
    parts += [f"![Holdout accuracy by labels, of every strategy]({FIGURE.name})"]
    before, _, after = PAGE.read_text(encoding="utf-8").split(MARK)
    PAGE.write_text(MARK.join([before, "\n" + "\n\n".join(parts) + "\n\n", after]), encoding="utf-8")


if __name__ == "__main__":
    main()
