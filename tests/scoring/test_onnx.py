"""``selfsame export onnx``: other programs get the same predictions from one file, by columns' own names."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from champions import Command, Trained, penguins
from torch import nn

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.export import commands, onnx_file
from selfsame.export.graph import export_graph
from selfsame.families.committee import fit_committee
from selfsame.families.rows import Rows
from selfsame.model.inputs import Scaling
from selfsame.model.models import Model, Views
from selfsame.model.nets import build_net
from selfsame.params.augmentation import read_augmentation
from selfsame.params.model import FAMILIES, read_model
from selfsame.predict import Regressor


def session_of(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, fed: dict[str, Any]) -> dict[str, np.ndarray]:
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, fed), strict=True))


def test_the_file_says_of_the_holdout_what_the_model_says(
    trained: Trained, tmp_path: Path, selfsame: Command
) -> None:
    out, holdout = tmp_path / "model.onnx", trained.table("holdout")
    assert selfsame("export", "onnx", trained.champion, "-o", out, "--rows", holdout) == ""
    assert b"says the same as the model" in selfsame.out
    model, session = trained.model, session_of(out.read_bytes())
    inputs = np.concatenate([chunk.inputs for chunk in onnx_file.read_rows(holdout, model.preparation)])
    for rows in (inputs, inputs[:1]):
        made = run(session, onnx_file.feed_of(model, rows))
        if isinstance(model, Regressor):
            np.testing.assert_allclose(made["value"], model.values(rows), atol=1e-5 * model.unit)
        else:
            expected = model.calibrated(model.probabilities(rows))
            np.testing.assert_allclose(made["probabilities"], expected, atol=1e-5)
            assert made["label"].tolist() == model.classes_[made["probabilities"].argmax(axis=1)].tolist()
    facts = {each.key: each.value for each in onnx.load(out).metadata_props}
    assert json.loads(facts["classes"]) == list(model.info.classes)
    weights = sha256_file(trained.champion / "model.safetensors")
    assert json.loads(facts["model"])["model.safetensors"] == weights
    assert str(Path.cwd()).encode() not in out.read_bytes() and b"site-packages" not in out.read_bytes()
    assert onnx_file.build(model) == out.read_bytes()


def test_rows_go_in_by_their_columns_names(penguins_trained: Trained) -> None:
    model, rows = penguins_trained.model, penguins(30, seed=4)
    session = session_of(onnx_file.build(model))
    numbers = {
        name: rows[name].cast("float64").fill_null(np.nan).to_numpy() for name in ("bill_mm", "mass_g")
    }
    banded = np.array([np.nan if each is None else float(each) for each in rows["banded"].to_pylist()])
    islands = rows["island"].to_pylist()
    islands[3] = "Mars"
    fed = {
        "island": np.array([each or "" for each in islands], object)[:, None],
        "banded": banded[:, None],
        **{name: values[:, None] for name, values in numbers.items()},
    }
    expected = model.predict_proba(rows.set_column(1, "island", [islands]))
    np.testing.assert_allclose(run(session, fed)["probabilities"], expected, atol=1e-5)


IMAGES = TableInfo("any", "classification", tuple("abc"), image_shape=(3, 12, 10))
SMALL = {"dropout": 0.0}
NETS: dict[str, dict[str, Any]] = {
    "views": {"architecture": "cnn", "widths": [4], "halve_after": [1], "dense": [5]},
    "resized": {"architecture": "torchvision", "torchvision_name": "squeezenet1_1", "image_pixels": 48},
}
LARGE: dict[str, dict[str, Any]] = {
    "resnet18": {"architecture": "resnet18"},
    "wrn_28_2": {"architecture": "wrn_28_2"},
} | {
    name: {"architecture": "torchvision", "torchvision_name": name, "image_pixels": 48}
    for name in ("efficientnet_b0", "convnext_tiny", "swin_t")
}


@pytest.mark.parametrize("name", [*NETS, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_nets_scale_resize_and_look_more_than_once(name: str) -> None:
    torch.manual_seed(0)
    params = read_model(SMALL | (NETS | LARGE)[name])
    size = (48, 48) if params.architecture == "torchvision" else None
    model = Model(build_net(params, IMAGES), params, IMAGES, Scaling((100.0,) * 3, (50.0,) * 3, size))
    if name == "views":
        limits = {"name": "image", "rotate_degrees": 20.0, "noise_std": 0.1, "erase_fraction": 0.3}
        model = replace(model, views=Views(3, read_augmentation(limits)))
    raw = np.random.default_rng(0).integers(0, 256, (5, 3, 12, 10)).astype(np.uint8)
    expected = (model.logits(torch.from_numpy(raw)) / 1.7).softmax(dim=1)
    made = run(session_of(export_graph(model.ready(), 1.7).SerializeToString()), {"raw": raw})
    np.testing.assert_allclose(made["said"], expected, atol=1e-5)


FEW = ("linear", "gaussian_process")


@pytest.mark.parametrize(
    ("classes", "members"),
    [(2, FEW), *(pytest.param(classes, FAMILIES, marks=pytest.mark.slow) for classes in (3, 2, 0))],
)
def test_a_committee_is_a_graph_too(classes: int, members: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(60, 4))
    score = inputs[:, 0] + inputs[:, 1] ** 2
    inputs[::5, 2] = np.nan
    labels = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes)) if classes else score
    net = fit_committee(list(members), Rows(inputs, labels, np.ones(60), classes), None, 0)[0].eval()
    params = read_model({"architecture": "committee", "members": list(members)})
    kind = "classification" if classes else "regression"
    info = TableInfo("any", kind, tuple("abc"[:classes]), features=tuple("uvwx"))
    scaling = Scaling((0.0,) * 4, (1.0,) * 4, target=None if classes else (3.0, 2.0))
    model = Model(net, params, info, scaling)
    raw = random.normal(size=(200, 4))
    raw[::7, 1] = np.nan
    made = run(session_of(export_graph(model.ready(), None).SerializeToString()), {"raw": raw})
    np.testing.assert_allclose(made["said"], model.said(model.logits(torch.from_numpy(raw))), atol=1e-5)


class Eigen(nn.Module):
    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(rows[:, :3, None] * rows[:, None, :3])


def test_what_has_no_form_there_is_refused(housing_trained: Trained, tmp_path: Path) -> None:
    model = housing_trained.model
    model.model = replace(model.model, net=Eigen())
    with pytest.raises(
        SelfsameError, match=r"architecture = mlp: torch can't put it into ONNX: \S"
    ) as caught:
        onnx_file.export_onnx(model, tmp_path / "model.onnx", housing_trained.table("holdout"))
    assert "\n" not in caught.value.what and list(tmp_path.iterdir()) == []


def test_a_file_that_says_anything_else_is_not_written(
    penguins_trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = penguins_trained.model
    content = onnx_file.build(model)
    model.calibration = replace(model.calibration, temperature=2 * model.calibration.temperature)
    monkeypatch.setattr(onnx_file, "build", lambda _: content)
    with pytest.raises(SelfsameError, match=r"differs by up to 0\.\d+ from what the model says"):
        onnx_file.export_onnx(model, tmp_path / "model.onnx", penguins_trained.table("holdout"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, selfsame: Command) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "onnxscript" else name)
    said = selfsame("export", "onnx", status=1)
    assert said == "error: export onnx needs onnxscript\n  fix: pip install 'selfsame[onnx]'"


def test_rows_to_check_with_are_needed(penguins_trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match=r"none\.parquet: no such file"):
        onnx_file.export_onnx(penguins_trained.model, tmp_path / "m.onnx", tmp_path / "none.parquet")
