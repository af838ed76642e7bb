"""A model's folder: what is in it, what comes back from it, and what it says of a table."""

import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny import (
    FEATURES,
    IMAGES,
    NORMED_AND_DROPPED,
    SCALING,
    STRONG,
    examples,
    fresh_net,
    model_params,
    same_bits,
    write_table,
)

from selfsame.core import tables
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.model.inputs import Scaling, in_batches, prepare
from selfsame.model.models import (
    Model,
    Views,
    answer_table,
    load_model,
    save_model,
)
from selfsame.params.model import ModelParams

HISTORY = [
    {"epoch": 1, "learning_rate": 0.1, "training_loss": 1 / 3, "pool_loss": math.nan},
    {"epoch": 2, "learning_rate": 1e-7, "training_loss": 0.1 + 0.2, "pool_loss": 2.5},
]
ROWS = examples((9, 8, 7), seed=4)
MLP = model_params(architecture="mlp", widths=[5], batch_norm=True)


def images_model(params: ModelParams = NORMED_AND_DROPPED) -> Model:
    """A model whose batch normalization has statistics of its own."""
    net = fresh_net(params).train()
    net(prepare(ROWS.inputs, SCALING))
    return Model(net, params, IMAGES, SCALING)


def features_model() -> Model:
    scaling = Scaling((100.0, 101.1, 99.0, 0.1), (3.3, 1 / 3, 40.0, 7.0))
    return Model(fresh_net(MLP, info=FEATURES), MLP, FEATURES, scaling)


@pytest.mark.parametrize("kind", ["images", "features"])
def test_a_loaded_model_gives_the_same_logits_bit_for_bit(kind: str, tmp_path: Path) -> None:
    model = images_model() if kind == "images" else features_model()
    rows = examples((9, 8, 7), seed=4, info=model.info)
    save_model(tmp_path / "model", model, HISTORY)
    loaded = load_model(tmp_path / "model")
    assert torch.equal(loaded.logits(rows.inputs), model.logits(rows.inputs))
    assert same_bits(loaded.net.state_dict(), model.net.state_dict())
    assert (loaded.params, loaded.info, loaded.scaling) == (model.params, model.info, model.scaling)


def test_logits_are_without_dropout_and_without_a_gradient() -> None:
    model = images_model()
    model.net.train()
    first, second = model.logits(ROWS.inputs), model.logits(ROWS.inputs)
    assert torch.equal(first, second) and not first.requires_grad


def with_views(model: Model, count: int) -> Model:
    return dataclasses.replace(model, views=Views(count, STRONG))


@pytest.mark.parametrize("kind", ["images", "features"])
def test_logits_are_the_mean_over_the_views_of_a_row(kind: str, tmp_path: Path) -> None:
    model = images_model() if kind == "images" else features_model()
    raw = examples((9, 8, 7), seed=4, info=model.info).inputs
    viewed = with_views(model, 4)
    assert viewed.views is not None
    views = list(viewed.views.of(prepare(raw, model.scaling)))
    assert len(views) == 4 and torch.equal(views[0], prepare(raw, model.scaling))
    assert len({view.numpy().tobytes() for view in views}) == 4
    with torch.inference_mode():
        expected = sum(model.net.eval()(view) for view in views) / 4
    torch.testing.assert_close(viewed.logits(raw), expected)
    assert torch.equal(with_views(model, 1).logits(raw), model.logits(raw))
    torch.testing.assert_close(viewed.logits(raw[5:7]), expected[5:7])  # whatever else is in the batch
    torch.testing.assert_close(viewed.last_layer(viewed.features(raw)), expected)
    save_model(tmp_path, viewed, HISTORY)
    assert torch.equal(load_model(tmp_path).logits(raw), model.logits(raw))  # who predicts says how often


def test_a_cpu_predicts_few_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    rows = torch.arange(24.0)[:, None]

    def double(batch: torch.Tensor) -> torch.Tensor:
        seen.append(len(batch))
        return 2 * batch

    def predict(most: int, count: int = 24) -> list[int]:
        seen.clear()
        monkeypatch.setattr("selfsame.model.inputs.CPU_VALUES", most)
        assert torch.equal(in_batches(double, rows[:count], torch.device("cpu")), 2 * rows[:count])
        return seen

    assert predict(10) == [8, 8, 8]
    assert predict(20) == [16, 16]  # the last batch is filled up
    assert predict(1000) == [32]
    assert predict(1000, count=0) == [1]
    assert predict(1, count=2) == [1, 1]  # a row is never cut


ODD = [5, 37]  # what a matrix product does not like
NETS = {
    "mlp": model_params(architecture="mlp", batch_norm=True, widths=ODD),
    "cnn": model_params(batch_norm=True, dense=[7], widths=ODD, halve_after=[]),
    "average": model_params(widths=ODD, halve_after=[]),
    "resnet18": model_params(architecture="resnet18"),
}


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("params", NETS.values(), ids=NETS)
def test_a_row_gets_the_same_bits_whatever_is_predicted_with_it(params: ModelParams, views: int) -> None:
    model = with_views(Model(fresh_net(params, info=IMAGES), params, IMAGES, SCALING), views)
    raw = examples((20, 20, 21), seed=4).inputs
    logits = model.logits(raw)
    assert torch.equal(
        torch.cat([model.logits(raw[:1]), model.logits(raw[1:4]), model.logits(raw[4:])]), logits
    )
    order = torch.randperm(len(raw), generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.logits(raw[order]), logits[order])
    many = raw.repeat(40, 1, 1, 1)[7:]
    assert torch.equal(model.logits(many), logits.repeat(40, 1)[7:])


def test_predictions_have_the_same_bits_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_views(images_model(), 3)
    monkeypatch.setattr("selfsame.model.inputs.CPU_VALUES", 5 * 8 * 8)
    alone = model.logits(ROWS.inputs)
    for threads in (2, 3):
        torch.set_num_threads(threads)
        assert torch.equal(model.logits(ROWS.inputs), alone)
        assert torch.get_num_threads() == threads


def test_a_models_folder_is_three_files_and_no_pickle(tmp_path: Path) -> None:
    save_model(tmp_path, images_model(), HISTORY)
    contents = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert contents.keys() == {"model.safetensors", "config.json", "history.csv"}
    assert load_file(tmp_path / "model.safetensors").keys() == images_model().net.state_dict().keys()
    json.loads(contents["config.json"])
    for content in contents.values():
        assert not content.startswith((b"\x80", b"PK"))  # a pickle; torch's zip of pickles


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_model(tmp_path / name, images_model(), HISTORY)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_the_history_comes_back_exactly(tmp_path: Path) -> None:
    save_model(tmp_path, images_model(), HISTORY)
    with (tmp_path / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [list(row) for row in rows] == [list(row) for row in HISTORY]
    for row, expected in zip(rows, HISTORY, strict=True):
        np.testing.assert_array_equal([float(value) for value in row.values()], list(expected.values()))
    assert b"\r" not in (tmp_path / "history.csv").read_bytes()


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match="nothing: no model there"):
        load_model(tmp_path / "nothing")


def test_another_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    save_model(tmp_path, images_model(), HISTORY)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"format_version": 99}))
    with pytest.raises(SelfsameError, match=r"config\.json: format_version = 99, expected 4"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("model", "other"),
    [
        (images_model(), dataclasses.replace(IMAGES, classes=("a", "b", "d"))),
        (images_model(), dataclasses.replace(IMAGES, image_shape=(1, 8, 9))),
        (images_model(), FEATURES),
        (features_model(), dataclasses.replace(FEATURES, features=("u", "v", "x", "w"))),
    ],
    ids=["classes", "shape", "kind", "order of features"],
)
def test_a_table_of_another_kind_is_refused(model: Model, other: TableInfo, tmp_path: Path) -> None:
    table = write_table(tmp_path / "other.parquet", other, examples((1, 1, 1), seed=1, info=other))
    with pytest.raises(SelfsameError, match=r"other\.parquet: its inputs or classes are not those"):
        answer_table(model, table)


def test_many_batches_predict_as_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = images_model()
    table = write_table(tmp_path / "rows.parquet", IMAGES, ROWS, unlabeled=2)
    monkeypatch.setattr(tables, "BATCH_ROWS", 7)
    seen: list[int] = []
    made = answer_table(model, table, seen.append)
    assert len(seen) == 4
    np.testing.assert_allclose(made, model.logits(ROWS.inputs).softmax(dim=1).numpy(), rtol=1e-5)
    assert made.dtype == np.float32


def test_an_empty_table_has_no_predictions(tmp_path: Path) -> None:
    table = write_table(tmp_path / "rows.parquet", IMAGES, examples((0, 0, 0), seed=1))
    assert answer_table(images_model(), table).shape == (0, 3)
