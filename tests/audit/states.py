"""The states that a project can be in when an auditor comes, and the truth about each, computed by itself."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from project import TINY, Project
from real_project import commit, execute
from regression import VALUES, true_values

from selfsame.core.annotations import ANNOTATIONS, Annotation, format_annotations
from selfsame.dag.experiments import run_experiment

COLUMNS = ["example_id", "label", "pseudo_label", "accepted", "source_row", "labels", "uses"]
LATER = ["train_baseline", "pseudo_label", "retrain", "evaluate"]
OWN = {"data": {"source": "table", "path": "data/inbox/own.csv", "target_column": "kind"}}


def with_params(*changes: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return ``TINY`` with changes, section by section."""
    found = {section: dict(values) for section, values in TINY.items()}
    for change in changes:
        for section, values in change.items():
            found[section] = found.get(section, {}) | values
    return found


def copied(base: Project, root: Path) -> Project:
    shutil.copytree(base.root, root, symlinks=True)
    return Project(root)


def stale_threshold(base: Project, root: Path) -> Project:
    """The gate ran again with another threshold, and nothing behind it."""
    project = copied(base, root)
    project.set("pseudo_label", threshold=0.97)
    execute(project, ["pseudo_label"], "pseudo_label")
    commit(project, "another threshold")
    return project


def edited_params(base: Project, root: Path) -> Project:
    """``params.yaml`` was edited and committed without a run."""
    project = copied(base, root)
    project.set("pseudo_label", threshold=0.97)
    commit(project, "an edit")
    return project


def edited_labels(base: Project, root: Path) -> Project:
    """An answer was written and nothing ran."""
    project = copied(base, root)
    write_answers(project, 1)
    commit(project, "an answer")
    return project


def nothing_accepted(base: Project, root: Path) -> Project:
    project = copied(base, root)
    project.set("pseudo_label", threshold=1.0)
    execute(project, LATER[1:])
    commit(project, "nothing accepted")
    return project


def answered(base: Project, root: Path) -> Project:
    """People labeled three rows of the pool; a row was withdrawn."""
    project = copied(base, root)
    labeled = pq.read_table(project.root / "data/splits/labeled.parquet").column("example_id")
    project.set("split", exclude=[labeled[0].as_py()])
    write_answers(project, 3)
    execute(project, ["split", *LATER])
    commit(project, "answers")
    return project


def refitted(base: Project, root: Path) -> Project:
    project = copied(base, root)
    project.set("training", refit_on_validation=True)
    execute(project, LATER)
    commit(project, "refitted")
    return project


def labeled_in_training(base: Project, root: Path) -> Project:
    """The student labels the pool by itself while it trains."""
    project = copied(base, root)
    project.set("retrain", method="online")
    execute(project, ["retrain", "evaluate"])
    commit(project, "online")
    return project


def experiment(base: Project, root: Path) -> Project:
    """An experiment was run and applied."""
    project = copied(base, root)
    project.run("dvc", "config", "core.analytics", "false")
    import os

    before = Path.cwd()
    os.chdir(root)
    try:
        run_experiment({"evaluate.title": "tried"}, "tried", log=lambda line: None)
    finally:
        os.chdir(before)
    project.run("dvc", "exp", "apply", "tried")
    commit(project, "applied")
    return project


def cloned(base: Project, root: Path) -> Project:
    """A fresh clone that has the remote alone."""
    source = copied(base, root.with_name("source"))
    source.run("dvc", "remote", "modify", "store", "url", str(root.with_name("store")))
    commit(source, "a remote of its own")
    source.run("dvc", "push", "-q")
    project = Project(root)
    source.run("git", "clone", "-q", str(source.root), str(root))
    return project


def restored(base: Project, root: Path) -> Project:
    """A clone whose outputs were taken back from the remote."""
    project = cloned(base, root)
    project.run("dvc", "pull", "--quiet")
    return project


def simple_champion(base: Project, root: Path) -> Project:
    """The scikit-learn baseline became the champion."""
    project = copied(base, root)
    project.set("evaluate", scikit_learn_champion=True)
    execute(project, ["evaluate"])
    commit(project, "the simple model may be the champion")
    return project


def own_table(base: Project, root: Path) -> Project:
    """A table of one's own, all of it labeled, so that the pool is empty."""
    random = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{'yes' if a + b > 0 else 'no'}" for a, b in random.normal(size=(60, 2))]
    split = {"labels_per_class": "all", "validation_per_class": 5, "empty_pool": "allow"}
    return made(root, with_params(OWN, {"split": split}), {"own.csv": "a,b,kind\n" + "\n".join(rows) + "\n"})


def own_values(base: Project, root: Path) -> Project:
    """A regression on a table of one's own."""
    inputs = np.random.default_rng(0).normal(size=(150, 3))
    rows = [
        ",".join(f"{value:.6f}" for value in row) for row in np.column_stack([inputs, true_values(inputs)])
    ]
    data = {"data": OWN["data"] | {"target_column": "price", "target_kind": "regression"}}
    split = {"split": {"labels_per_class": 20, "validation_per_class": 20}}
    quick = {"train_baseline": VALUES["train_baseline"] | {"max_epochs": 2}}
    params = VALUES | data | split | quick | {"compute": TINY["compute"]}
    params["training"] = VALUES["training"] | {"augmentation": {"name": "table"}}
    params["retrain"] = VALUES["retrain"] | {"max_epochs": 2}
    params["evaluate"] = VALUES.get("evaluate", {}) | {
        "scikit_learn_champion": False
    }  # of the two that trained
    return made(root, params, {"own.csv": "a,b,c,price\n" + "\n".join(rows) + "\n"})


def photos() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return section ``data``, the sections of a net, and files: photos of two colors, some unlabeled."""
    random, files = np.random.default_rng(0), {}
    for number in range(60):
        pixels = random.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        pixels[..., number % 2] = 250
        place = "unlabeled" if number >= 44 else ("red", "green")[number % 2]
        files[f"{place}/{number}.png"] = Image.fromarray(pixels)
    cnn = {
        "model": {"architecture": "cnn", "widths": [4], "halve_after": [1], "dense": None},
        "training": {"augmentation": {"name": "image"}},
    }
    return {"data": {"source": "images", "path": "data/inbox", "image_size": 8}}, cnn, files


def own_photos(base: Project, root: Path) -> Project:
    data, cnn, files = photos()
    split = {"split": {"labels_per_class": 5, "validation_per_class": 5}}
    return made(root, with_params(data, cnn, split), files)


State = Callable[[Project, Path], Project]
CHANGED: dict[str, State] = {
    "finished": copied,
    "stale threshold": stale_threshold,
    "edited params": edited_params,
    "edited labels": edited_labels,
    "cloned": cloned,
    "restored": restored,
}
RUN_AGAIN: dict[str, State] = {
    "nothing accepted": nothing_accepted,
    "answered": answered,
    "refitted": refitted,
    "labeled in training": labeled_in_training,
    "experiment": experiment,
    "simple champion": simple_champion,
}
OWN_DATA: dict[str, State] = {
    "own table": own_table,
    "own values": own_values,
    "own photos": own_photos,
}
STALE = ("stale threshold", "edited params", "edited labels")


def made(root: Path, params: dict[str, dict[str, Any]], files: dict[str, Any]) -> Project:
    """Make a project on data of its own, and run all of it."""
    project = Project.create(root, params)
    project.run("git", "config", "user.name", "Ada")
    project.run("git", "config", "user.email", "ada@example.org")
    (root / "data/inbox/.gitkeep").unlink()
    for name, content in files.items():
        path = root / "data/inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content) if isinstance(content, str) else content.save(path)
    commit(project, "sources")
    execute(project, project.stages)
    commit(project, "run")
    return project


def write_answers(project: Project, rows: int) -> None:
    """Have Ada answer what the first rows of the pool are; she is right."""
    hidden = pq.read_table(project.root / "data/splits/hidden_labels.parquet").slice(0, rows).to_pylist()
    names = ("malignant", "benign")
    answers = [
        Annotation(
            row["example_id"], names[row["label"]], "Ada", f"2026-01-0{number + 1}T00:00:00Z", "margin"
        )
        for number, row in enumerate(hidden)
    ]
    (project.root / ANNOTATIONS).write_text(format_annotations(answers))


@dataclass(frozen=True)
class Truth:
    """What the files of a project say by themselves: without DVC, the lock file or the audit.

    Everything is found by digest: a model's record by its weights, a table by what that record read.
    """

    project: Project

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in self.project.root.glob("lineage/*/*.json")]

    @cached_property
    def blobs(self) -> dict[str, Path]:
        """Sha256 → some file with these bytes; of a clone also those of what it was cloned from."""
        roots = [self.project.root, self.project.root.with_name("source")]
        places = [".dvc/cache/files", "data", "models", "reports"]
        files = [
            file for root in roots for place in places for file in (root / place).rglob("*") if file.is_file()
        ]
        return {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in files}

    def record_of(self, model: str) -> dict[str, Any]:
        """The record of the training that made a model's weights."""
        place = self.project.root / "models" / model / "model.safetensors"
        if not place.exists():
            place = self.project.root.with_name("source") / "models" / model / "model.safetensors"
        weights = hashlib.sha256(place.read_bytes()).hexdigest()
        fits = ["evaluate"] if self.is_simple(model) else ["train_baseline", "retrain"]
        made = [
            record
            for record in self.records
            if stage_of(record) in fits
            and weights in [each["digest"]["sha256"] for each in record["subject"]]
        ]
        return max(made, key=finished)  # of two that made the same bytes the one that ran last

    def is_simple(self, model: str) -> bool:
        """Whether it is the champion that scikit-learn fitted where both nets were measured."""
        metrics = json.loads((self.project.root / "reports/metrics.json").read_bytes())
        return model == "champion" and metrics["champion"] == "reference"

    def read(self, record: dict[str, Any], path: str) -> list[dict[str, Any]]:
        """The rows of a table that an execution read, without their inputs; none if it read no such table."""
        named = sorted(
            (each["name"], each["digest"]["sha256"])
            for each in record["predicate"]["buildDefinition"]["resolvedDependencies"]
            if each["annotations"]["kind"] == "input" and each["name"].startswith(path)
        )
        rows: list[dict[str, Any]] = []
        for _, digest in named:
            columns = [name for name in pq.read_schema(self.blobs[digest]).names if name in COLUMNS]
            rows += pq.read_table(self.blobs[digest], columns=columns).to_pylist()
        return rows

    def human(self, model: str) -> int:
        """Labels by people that a model's weights learned."""
        record = self.record_of(model)
        refit = any("/validated/" in each["name"] for each in record["subject"])
        roles = ["labeled", *(["validation"] if refit or self.is_simple(model) else [])]
        return sum(len(self.read(record, f"data/splits/{role}.parquet")) for role in roles)

    def taught(self, model: str) -> list[str] | None:
        """Pool rows whose machine label they learned; None if the training recorded none."""
        record = self.record_of(model)
        if self.is_simple(model):
            return []
        learned = [each for each in record["subject"] if each["name"].endswith("learned.parquet")]
        if learned:
            rows = pq.read_table(self.blobs[learned[0]["digest"]["sha256"]]).to_pylist()
            return [
                row["example_id"]
                for row in rows
                if any(
                    use and label is not None for label, use in zip(row["labels"], row["uses"], strict=True)
                )
            ]
        if stage_of(record) == "retrain" and params_of(record)["retrain"]["method"] != "offline":
            return None
        return [row["example_id"] for row in self.read(record, "data/pseudo_labels/") if row["accepted"]]

    def machine(self, model: str) -> int | None:
        """How many they learned."""
        taught = self.taught(model)
        return None if taught is None else len(taught)

    def score(self, model: str) -> float:
        """The holdout score that metrics.json has of the model with these weights."""
        metrics = json.loads((self.project.root / "reports/metrics.json").read_bytes())
        side = {"train_baseline": "baseline", "retrain": "student", "evaluate": "reference"}[
            stage_of(self.record_of(model))
        ]
        scores = metrics[side]["holdout"]
        return scores.get("accuracy", scores.get("r2"))


def stage_of(record: dict[str, Any]) -> str:
    return record["predicate"]["buildDefinition"]["externalParameters"]["stage"]


def params_of(record: dict[str, Any]) -> dict[str, Any]:
    return record["predicate"]["buildDefinition"]["internalParameters"]["parameters"]


def finished(record: dict[str, Any]) -> str:
    return record["predicate"]["runDetails"]["metadata"]["finishedOn"]


def ids(rows: list[dict[str, Any]]) -> set[str]:
    return {row["example_id"] for row in rows}


assert pa  # the tables' reader
