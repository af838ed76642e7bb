"""From a stage's files to a model's folder, as both training stages do it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import (
    ALL_TECHNIQUES,
    IMAGES,
    NORMED_AND_DROPPED,
    OBJECTIVE,
    SCALING,
    compute_params,
    examples,
    methods,
    plan,
    pool_examples,
    training_data,
    write_table,
)

from selfsame.core.digests import files_under
from selfsame.core.graph_file import StageSpec
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo
from selfsame.learning.batches import PoolExamples
from selfsame.learning.fit import fit_model
from selfsame.learning.loop import Plan, train, validate
from selfsame.learning.run import TrainingRun
from selfsame.model.folder import write_views
from selfsame.model.models import Views, load_model
from selfsame.model.nets import build_net
from selfsame.params.compute import ComputeParams
from selfsame.params.model import ModelParams
from selfsame.params.train_baseline import TrainBaselineParams
from selfsame.params.training import TrainingParams


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")


def stage(folder: Path, info: TableInfo = IMAGES, training: TrainingParams = ALL_TECHNIQUES) -> Stage:
    labeled, validation = (
        examples(per_class, seed, info) for per_class, seed in (((7, 4, 3), 1), ((5, 5, 5), 2))
    )
    inputs = {
        "labeled": write_table(folder / "labeled.parquet", info, labeled),
        "validation": write_table(folder / "validation.parquet", info, validation),
        "scaling": folder / "scaling.json",
    }
    inputs["scaling"].write_text(json.dumps(SCALING.as_json()))
    params = {
        "compute": compute_params(),
        "model": NORMED_AND_DROPPED,
        "training": training,
    }
    return Stage(StageSpec("train", "", "", (), (), (), tuple(params)), inputs, {}, params)


def training_run(given: Stage, how: Plan, pool: PoolExamples | None = None) -> TrainingRun:
    """Return what a training stage gives a training."""
    compute, model, training = (given.params[name] for name in ("compute", "model", "training"))
    assert isinstance(compute, ComputeParams)
    assert isinstance(model, ModelParams) and isinstance(training, TrainingParams)
    own, code = TrainBaselineParams(), given.spec.code
    return TrainingRun.of(given.spec.name, given.inputs, code, compute, model, training, own, how, pool)


def fitted(folder: Path, name: str, how: Plan, training: TrainingParams = ALL_TECHNIQUES) -> dict[str, bytes]:
    """Train on the tables in ``folder``; return the model's files."""
    pool = pool_examples((8, 6, 6))
    fit_model(training_run(stage(folder, training=training), how, pool), folder / name)
    files = files_under(folder / name)
    return {path.relative_to(folder / name).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("criterion", ["validation_loss", "validation_accuracy", "last"])
def test_the_validation_scores_are_those_of_the_weights_that_are_kept(criterion: str, tmp_path: Path) -> None:
    how, training = plan(), ALL_TECHNIQUES.model_copy(update={"checkpoint": criterion})
    given = stage(tmp_path)
    fit_model(
        training_run(replace(given, params={**given.params, "training": training}), how, None),
        tmp_path / "model",
    )
    written = json.loads((tmp_path / "model" / "validation.json").read_text())
    model = load_model(tmp_path / "model")
    rows = training_data().validation
    measured = validate(model.net, rows, model.scaling, OBJECTIVE)
    assert written.keys() == {"epoch", "loss", "accuracy"}
    assert written["accuracy"] == measured["validation_accuracy"]
    assert written["loss"] == pytest.approx(measured["validation_loss"])


@pytest.mark.parametrize("name", ["offline", "online", "self_training"])
def test_one_seed_gives_the_same_bytes_and_another_other_weights(name: str, tmp_path: Path) -> None:
    how = plan(methods()[name])
    first, again = fitted(tmp_path, "first", how), fitted(tmp_path, "again", how)
    other = fitted(tmp_path, "other", replace(how, seed=1))
    assert first == again
    assert first["model.safetensors"] != other["model.safetensors"]


def test_the_folder_is_the_trained_net_with_what_it_needs(tmp_path: Path) -> None:
    fit_model(training_run(stage(tmp_path), plan(seed=5)), tmp_path / "model")
    torch.manual_seed(5)
    net = build_net(NORMED_AND_DROPPED, IMAGES)
    history, _ = train(net, training_data(), plan(seed=5), ALL_TECHNIQUES, lambda _: None)
    model = load_model(tmp_path / "model")
    assert (model.params, model.info, model.scaling) == (NORMED_AND_DROPPED, IMAGES, SCALING)
    assert model.recipe == {
        "compute": {"device": "cpu", "cpu_threads": 1},
        "training": ALL_TECHNIQUES.model_dump(exclude={"processes"}),  # one is not told
        "train": TrainBaselineParams().model_dump(),
    }
    for key, value in model.net.state_dict().items():
        assert torch.equal(value, net.state_dict()[key]), key
    lines = (tmp_path / "model" / "history.csv").read_text().splitlines()
    assert lines == [",".join(history[0]), *(",".join(map(str, row.values())) for row in history)]


def test_a_model_predicts_by_as_many_views_as_it_is_asked_or_told(tmp_path: Path) -> None:
    folder, three = tmp_path / "model", Views(3, ALL_TECHNIQUES.augmentation)
    fit_model(training_run(stage(tmp_path), plan()), folder)
    assert load_model(folder).views is None
    assert load_model(folder, test_time_augmentation=3).views == three
    write_views(folder, 3)
    assert load_model(folder).views == three
    assert load_model(folder, test_time_augmentation=1).views is None
