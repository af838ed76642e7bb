"""Each key of section ``model`` changes what it should in the net, and nothing else."""

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tiny import FEATURES, IMAGES, fresh_net, model_params
from torch import nn

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.learning.nets import build_net, detached_state


def images_of(*shape: int, classes: int = 10) -> TableInfo:
    return TableInfo("any", "classification", tuple(map(str, range(classes))), image_shape=shape)


def layers(net: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def mlp(**changes: Any) -> nn.Module:
    keys = {"architecture": "mlp", "widths": [5, 3], "halve_after": []} | changes
    return fresh_net(model_params(**keys), info=FEATURES)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 7, 11), (1, 1, 1)])
@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_any_image_gives_one_logit_per_class(shape: tuple[int, ...], architecture: str) -> None:
    halve_after = [1, 2] if architecture == "cnn" else []
    params = model_params(architecture=architecture, halve_after=halve_after, batch_norm=True, dropout=0.1)
    net = build_net(params, images_of(*shape)).eval()
    assert net(torch.zeros(2, *shape)).shape == (2, 10)


def test_features_give_one_logit_per_class() -> None:
    assert mlp()(torch.zeros(7, 4)).shape == (7, 3)


def test_widths_are_channels_of_convolutions() -> None:
    net = fresh_net(model_params(widths=[4, 6, 9], halve_after=[]), info=images_of(3, 8, 8, classes=5))
    convolutions = layers(net, nn.Conv2d)
    assert [tuple(layer.weight.shape) for layer in convolutions] == [(4, 3, 3, 3), (6, 4, 3, 3), (9, 6, 3, 3)]
    assert [tuple(layer.weight.shape) for layer in layers(net, nn.Linear)] == [(5, 9)]


def test_widths_are_units_of_hidden_layers() -> None:
    net = mlp(widths=[7, 2])
    assert [tuple(layer.weight.shape) for layer in layers(net, nn.Linear)] == [(7, 4), (2, 7), (3, 2)]
    assert len(layers(net, nn.ReLU)) == 2


@pytest.mark.parametrize(
    ("halve_after", "sizes"),
    [([], [9, 9, 9]), ([1], [9, 5, 5]), ([2], [9, 9, 5]), ([1, 2], [9, 5, 3]), ([3], [9, 9, 9])],
)
def test_the_image_is_halved_after_the_named_convolutions(halve_after: list[int], sizes: list[int]) -> None:
    net = fresh_net(model_params(widths=[2, 2, 2], halve_after=halve_after), info=images_of(1, 9, 9))
    seen: list[int] = []
    for layer in layers(net, nn.Conv2d):
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[-1]))
    net(torch.zeros(1, 1, 9, 9))
    assert seen == sizes and len(layers(net, nn.MaxPool2d)) == len(halve_after)


@pytest.mark.parametrize("build", ["cnn", "mlp"])
def test_batch_norm_follows_every_hidden_layer_and_replaces_its_bias(build: str) -> None:
    for on in (True, False):
        net = mlp(batch_norm=on) if build == "mlp" else fresh_net(model_params(batch_norm=on))
        hidden = [*layers(net, nn.Conv2d), *layers(net, nn.Linear)][:2]
        norms = layers(net, nn.BatchNorm1d if build == "mlp" else nn.BatchNorm2d)
        widths = [len(layer.weight) for layer in hidden]
        assert [norm.num_features for norm in norms] == (widths if on else [])
        assert all((layer.bias is None) == on for layer in hidden)


@pytest.mark.parametrize("build", ["cnn", "mlp"])
def test_dropout_drops_the_last_hidden_units_in_training_only(build: str) -> None:
    keys = {"widths": [50, 2000], "dropout": 0.3}
    net = mlp(**keys) if build == "mlp" else fresh_net(model_params(**keys))
    info = FEATURES if build == "mlp" else IMAGES
    seen: list[torch.Tensor] = []
    layers(net, nn.Linear)[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    inputs = torch.randn(4, *info.input_shape).abs()
    for mode in (net.eval, net.train):
        mode()
        net(inputs)
    whole, dropped = seen
    active = whole > 0
    assert (dropped[active] == 0).float().mean().item() == pytest.approx(0.3, abs=0.04)
    kept = active & (dropped > 0)
    torch.testing.assert_close(dropped[kept], whole[kept] / 0.7)  # the expectation stays


def test_a_cnn_is_refused_for_features() -> None:
    with pytest.raises(SelfsameError, match="tiny has no images") as caught:
        build_net(model_params(), FEATURES)
    assert "mlp" in caught.value.fix


@pytest.mark.parametrize(("architecture", "halve_after"), [("cnn", [3]), ("mlp", [1])])
def test_halving_after_no_layer_is_refused(architecture: str, halve_after: list[int]) -> None:
    with pytest.raises(ValidationError, match="doesn't have"):
        model_params(architecture=architecture, halve_after=halve_after)


def test_detached_state_is_a_copy() -> None:
    net = fresh_net(model_params(batch_norm=True))
    state = detached_state(net)
    before = {name: value.clone() for name, value in state.items()}
    for value in net.state_dict().values():
        value.add_(1)
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in state.items())
    assert not any(value.requires_grad for value in state.values())
