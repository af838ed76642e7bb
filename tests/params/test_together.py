"""What is refused before anything runs: keys that mean nothing beside others, and data that can't be read."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from project import ROOT
from typer.testing import CliRunner

from selfsame.cli import app
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.params.check import check_params
from selfsame.params.migrate import as_yaml, migrate
from selfsame.params.overrides import with_overrides

OLD = Path(__file__).with_name("old_params.yaml")
VALUES = {
    "data.source": "california_housing",
    "model.architecture": "mlp",
    "training.augmentation.name": "table",
    "train_baseline.ensemble_members": 2,
    "pseudo_label.rule": "agreement",
    "retrain.method": "offline",
}
NO_NET = {"data.source": "breast_cancer", "model.architecture": "committee", "retrain.method": "offline"}
PLAIN_NO_NET = NO_NET | {
    "training": {},
    "train_baseline": {},
    "retrain": {"method": "offline"},
    "prediction": {},
}
TABLE = {"data.source": "breast_cancer", "model.architecture": "mlp"}


def params(**overrides: Any) -> dict[str, Any]:
    return with_overrides(read_yaml(ROOT / "params.yaml"), overrides)


def said(overrides: dict[str, Any]) -> str:
    with pytest.raises(SelfsameError) as caught:
        check_params(params(**overrides))
    assert caught.value.fix
    return caught.value.what


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"data.path": "s3://store/pool"}, "an address: set operation.refresh_url to it"),
        ({"split.seed": 2**70}, "split.seed = 1180591620717411303424: "),
        ({"compute.cpu_threads": 10000}, "compute.cpu_threads = 10000: "),
        ({"training.optimizer.momentum": 0.5}, "means nothing with name = adamw; it belongs to sgd"),
        ({"training.schedule.every_epochs": 3}, "means nothing with name = cosine; it belongs to step"),
        ({"pseudo_label.target_precision": 0.5}, "it belongs to target_precision"),
        ({"retrain.method": "offline", "retrain.relabel_threshold": 0.5}, "it belongs to self_training"),
        ({"retrain.ramp_up_start_epochs": 1000, "retrain.ramp_up_end_epochs": 1000}, "never be learned"),
        ({"retrain.ramp_up_start_epochs": 3}, "is before ramp_up_start_epochs = 3"),
        ({"retrain.patience_epochs": 3}, "with training.checkpoint = last every epoch is the best so far"),
        ({"retrain.class_prior": [0.5, 0.5]}, "retrain.class_prior = [0.5, 0.5]: 2 shares, and"),
        ({"pseudo_label.class_prior": [0.5, 0.5]}, "pseudo_label.class_prior = [0.5, 0.5]: 2 shares, and"),
        ({"split.calibration_fraction": 0.95}, "split.calibration_fraction = 0.95: leaves none of the 5"),
        ({"split.holdout_fraction": None}, "split.holdout_fraction = null: data.source = digits has no"),
        ({"pseudo_label.rule": "agreement"}, "pseudo_label.rule = agreement: no gate for data.source"),
        ({"train_baseline.ensemble_members": 2}, "train_baseline.ensemble_members = 2: set it to"),
        ({"training.disturb_value_fraction": 0.1, "training.disturb_value_std": 1.0}, "means nothing for"),
        ({"training.disturb_value_fraction": 0.1}, "need each other"),
        ({"evaluate.metric": "r2"}, "evaluate.metric = r2: doesn't fit data.source = digits"),
        (VALUES | {"evaluate.metric": "macro_f1"}, "evaluate.metric = macro_f1: doesn't fit"),
        (VALUES | {"pseudo_label.rule": "threshold"}, "pseudo_label.rule = threshold: no gate for"),
        (VALUES | {"training.label_smoothing": 0.1}, "training.label_smoothing = 0.1: means nothing for"),
        (VALUES | {"training.checkpoint": "validation_accuracy"}, "set it to validation_loss"),
        (VALUES | {"retrain.method": "online"}, "retrain.method = online: needs classes"),
        (VALUES | {"retrain.pseudo_labels": {"name": "soft"}}, "set it to hard"),
        ({"data.source": "breast_cancer"}, "model.architecture = cnn: needs images"),
        (TABLE, "training.augmentation.name = image: data.source = breast_cancer has rows of another kind"),
        ({"model.architecture": "forest", "retrain.method": "offline"}, "forest: needs a table"),
        (NO_NET, "training.learning_rate = 0.002: means nothing with model.architecture = committee"),
        (PLAIN_NO_NET | {"retrain": {"method": "online"}}, "retrain.method = online: needs a net"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(overrides: dict[str, Any], words: str) -> None:
    assert words in said(overrides)


def test_parameters_of_each_kind_are_accepted() -> None:
    for overrides in ({}, VALUES, PLAIN_NO_NET):
        check_params(params(**overrides))


def test_another_shape_leaves_out_what_means_nothing_and_says_so() -> None:
    told: list[str] = []
    made = with_overrides(read_yaml(ROOT / "params.yaml"), {"pseudo_label.rule": "agreement"}, told)
    assert made["pseudo_label"] == {"rule": "agreement"}
    assert told == ["pseudo_label.threshold is left out: it means nothing with rule = agreement"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "data/inbox").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> str:
    done = CliRunner().invoke(app, words)
    if done.exception is not None:
        assert isinstance(done.exception, SelfsameError), done.exception
        return done.exception.what
    return done.output


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"training.lr": {"choices": [1]}}, "feedback.search: training.lr = 1: unknown key"),
        ({"model.dropout": {"low": 0, "high": 2}}, "feedback.search: model.dropout = 2: "),
        ({"retrain.relabel_threshold": {"choices": [0.5, 7]}}, "retrain.relabel_threshold = 7: "),
        ({"pseudo_label.target_precision": {"choices": [0.9]}}, "it belongs to target_precision"),
        ({"split.seed": {"choices": [1]}}, "split.seed would change the rows"),
        ({"ask.rows": {"choices": [1]}}, "ask.rows is no stage's; search in"),
    ],
)
def test_check_knows_what_can_be_searched(search: dict[str, Any], words: str, project: Path) -> None:
    Path("params.yaml").write_text(json.dumps(params(**{"feedback.search": search})))
    assert words in run("check")


def test_check_knows_the_place_of_the_data(project: Path) -> None:
    assert run("check") == "params.yaml is valid\n"
    table = read_yaml(ROOT / "presets/own-table.yaml")

    def with_path(path: str) -> str:
        Path("params.yaml").write_text(json.dumps(deepcopy(table) | {"data": table["data"] | {"path": path}}))
        return run("check")

    assert "data.path = nowhere: no such file or folder" in with_path("nowhere")
    assert "a stage writes data/raw/examples" in with_path("data/raw")
    lines = "name,target\n" + "".join(f"José{row % 3},{('', 'a', 'b')[row % 3]}\n" for row in range(9))
    Path("latin.csv").write_bytes(lines.encode("latin-1"))
    assert "latin.csv, line 2: the byte 0xe9 is not UTF-8 text" in with_path("latin.csv")


def test_params_says_where_each_value_comes_from(project: Path) -> None:
    listed = {item["key"]: item for item in json.loads(run("params", "--json"))}
    lines = Path("params.yaml").read_text(encoding="utf-8").splitlines()
    for key in ("split.seed", "training.optimizer.name", "feedback.search"):
        file, _, number = listed[key]["source"].partition(":")
        assert file == "params.yaml" and key.split(".")[1] in lines[int(number) - 1]
    assert listed["training.ema_decay"] == {
        "key": "training.ema_decay",
        "value": 0.99,
        "source": "default",
    }
    assert "retrain.strong_augmentation.shift_pixels" in listed and "model.torchvision_name" not in listed
    assert "training.ema_decay" in run("params")


def test_an_old_file_is_converted_to_the_same_parameters(project: Path) -> None:
    since = {"compute.cpu_threads": 2, "training.validate_every_epochs": 1}  # changed after that format
    today = check_params(_set(read_yaml(Path("params.yaml")), since))
    Path("params.yaml").write_bytes(OLD.read_bytes())
    assert "training.optimizer = 'adamw': is a group of keys" in run("check")
    told = run("check", "--migrate")
    assert "retrain.patience_epochs = 1000 is left out: nothing read it" in told
    assert "params.yaml is converted; the former file, with its comments, is params.old.yaml" in told
    assert Path("params.old.yaml").read_bytes() == OLD.read_bytes()
    assert check_params(read_yaml(Path("params.yaml"))) == today
    assert "not of the form that can be converted" in run("check", "--migrate")


def test_what_an_old_file_sets_is_kept() -> None:
    old = read_yaml(OLD)
    changes = {
        "data.url": "https://example.org/a.csv",
        "training.optimizer": "sgd",
        "training.nesterov": True,
        "training.schedule": "step",
        "training.step_every_epochs": 7,
        "pseudo_label.balance": "top_k",
        "pseudo_label.rows_per_class": 9,
        "retrain.pseudo_labels": "soft",
        "retrain.soft_temperature": 0.3,
        "training.augmentation.colour_fraction": 0.2,
        "active_learning.diversity": "core_set",
    }
    new, told = migrate(_set(old, changes))
    assert new["operation"] == {"refresh_url": "https://example.org/a.csv"}
    assert new["training"] == {
        "optimizer": {"name": "sgd", "nesterov": True},
        "schedule": {"name": "step", "every_epochs": 7},
        "augmentation": {"color_fraction": 0.2},
    }
    assert new["pseudo_label"]["balance"] == {"name": "top_k", "rows_per_class": 9}
    assert new["retrain"]["pseudo_labels"] == {"name": "soft", "temperature": 0.3}
    assert new["active_learning"] == {"diversity": {"name": "core_set"}}
    assert "data.url is now operation.refresh_url" in told
    assert as_yaml(new).startswith("# yaml-language-server")


def _set(old: Any, changes: dict[str, Any]) -> Any:
    for key, value in changes.items():
        *path, last = key.split(".")
        place = old
        for part in path:
            place = place[part]
        place[last] = value
    return old
