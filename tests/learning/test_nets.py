"""Each key of section ``model`` changes what it should in the net, and nothing else."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from tiny import (
    FEATURES,
    IMAGES,
    fresh_net,
    methods,
    model_params,
    plan,
    trained,
    training_data,
    training_params,
)
from torch import nn

from selfsame.core.tables import TableInfo
from selfsame.model.nets import build_net, detached_state, for_prediction


def images_of(*shape: int, classes: int = 10) -> TableInfo:
    return TableInfo("any", "classification", tuple(map(str, range(classes))), image_shape=shape)


def layers(net: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [layer for layer in net.modules() if isinstance(layer, kind)]


def mlp(**changes: Any) -> nn.Module:
    keys = {"architecture": "mlp", "widths": [5, 3]} | changes
    return fresh_net(model_params(**keys), info=FEATURES)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 7, 11), (1, 1, 1)])
@pytest.mark.parametrize("architecture", ["cnn", "mlp"])
def test_any_image_gives_one_logit_per_class(shape: tuple[int, ...], architecture: str) -> None:
    own = {"halve_after": [1, 2]} if architecture == "cnn" else {}
    params = model_params(architecture=architecture, batch_norm=True, dropout=0.1, **own)
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


def test_an_mlp_without_hidden_layers_is_a_linear_model() -> None:
    net = mlp(widths=[]).eval()
    (layer,) = layers(net, nn.Linear)
    inputs = torch.randn(6, 4)
    assert torch.equal(net(inputs), layer(inputs)) and layer.weight.shape == (3, 4)


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


def test_halving_after_no_layer_is_refused() -> None:
    with pytest.raises(ValidationError, match="doesn't have"):
        model_params(halve_after=[3])


def test_dense_layers_see_every_position() -> None:
    params = model_params(widths=[4, 6], halve_after=[1, 2], dense=[20, 8], dropout=0.5, batch_norm=True)
    net = fresh_net(params, info=images_of(3, 9, 9))
    assert [tuple(layer.weight.shape) for layer in layers(net, nn.Linear)] == [(20, 6 * 9), (8, 20), (10, 8)]
    assert [norm.num_features for norm in layers(net, nn.BatchNorm1d)] == [20, 8]
    assert net.eval()(torch.zeros(2, 3, 9, 9)).shape == (2, 10)
    straight = fresh_net(model_params(widths=[4], halve_after=[], dense=[]), info=images_of(1, 5, 5))
    assert [tuple(layer.weight.shape) for layer in layers(straight, nn.Linear)] == [(10, 4 * 25)]


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_the_tutorials_cnn_is_a_line_of_parameters() -> None:
    params = model_params(widths=[64, 192], halve_after=[1, 2], dense=[1024, 512], dropout=0.5)
    net = fresh_net(params, info=images_of(1, 28, 28))
    shapes = [tuple(layer.weight.shape)[:2] for layer in (*layers(net, nn.Conv2d), *layers(net, nn.Linear))]
    assert shapes == [(64, 1), (192, 64), (1024, 192 * 49), (512, 1024), (10, 512)]


def test_the_wide_resnet_is_the_published_one() -> None:
    net = fresh_net(model_params(architecture="wrn_28_2"), info=images_of(3, 32, 32))
    assert count(net) == 1_467_610
    convolutions = [layer for layer in layers(net, nn.Conv2d) if layer.kernel_size == (3, 3)]
    assert len(convolutions) == 25  # with three 1×1 shortcuts and the linear layer: depth 28 as it is counted
    assert [layer.negative_slope for layer in layers(net, nn.LeakyReLU)] == [0.1]
    assert [layer.in_features for layer in layers(net, nn.Linear)] == [128]


@pytest.mark.parametrize(("pixels", "sizes"), [(32, [32, 32, 16, 8, 4]), (96, [48, 24, 12, 6, 3])])
def test_resnet_keeps_small_images_whole_at_its_start(pixels: int, sizes: list[int]) -> None:
    net = fresh_net(model_params(architecture="resnet18"), info=images_of(3, pixels, pixels))
    seen: list[int] = []
    for name in ("conv1", "layer1", "layer2", "layer3", "layer4"):
        net.get_submodule(name).register_forward_hook(lambda *given: seen.append(given[2].shape[-1]))
    net.eval()(torch.zeros(1, 3, pixels, pixels))
    assert seen == sizes
    assert count(net) == (11_173_962 if pixels == 32 else 11_181_642)


@pytest.mark.parametrize("architecture", ["resnet18", "wrn_28_2"])
def test_named_nets_drop_hidden_units_take_any_channels_and_learn(architecture: str) -> None:
    net = fresh_net(model_params(architecture=architecture, dropout=0.25), info=images_of(1, 9, 7))
    assert [layer.p for layer in layers(net, nn.Dropout)] == [0.25]
    logits = net(torch.randn(4, 1, 9, 7))
    assert logits.shape == (4, 10)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


@pytest.mark.parametrize("architecture", ["resnet18", "wrn_28_2"])
def test_named_nets_go_through_a_training_with_a_pool(architecture: str) -> None:
    named = model_params(architecture=architecture)
    how = plan(methods()["self_training, following"], max_epochs=1)
    weights, (row,) = trained(training_data((4, 4, 2)), how, training_params(ema_decay=0.5), named)
    before = fresh_net(named).state_dict()
    assert weights.keys() == before.keys()
    assert not any(torch.equal(weights[name], before[name]) for name in before)  # statistics and all
    assert 0 < row["pool_taught"] <= 1 and row["pool_loss"] > 0 and math.isfinite(row["validation_loss"])


def test_a_convolutional_net_of_no_layers_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        model_params(architecture="cnn", widths=[], halve_after=[])


@pytest.mark.parametrize("architecture", ["cnn", "mlp", "resnet18"])
def test_a_net_for_prediction_says_the_same(architecture: str) -> None:
    keys = {"cnn": {"batch_norm": True, "dense": [6], "dropout": 0.5}, "resnet18": {}}
    keys["mlp"] = {"widths": [5, 3], "batch_norm": True}
    net = fresh_net(model_params(architecture=architecture, **keys[architecture]), info=IMAGES)
    rows = torch.randn(9, *IMAGES.input_shape)
    net.train()(rows)  # statistics of its own
    before = detached_state(net)
    merged = for_prediction(net)
    with torch.inference_mode():
        torch.testing.assert_close(merged(rows), net.eval()(rows))
    norms = layers(merged, nn.modules.batchnorm._BatchNorm)
    assert bool(norms) == (architecture == "resnet18")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_detached_state_is_a_copy() -> None:
    net = fresh_net(model_params(batch_norm=True))
    state = detached_state(net)
    before = {name: value.clone() for name, value in state.items()}
    for value in net.state_dict().values():
        value.add_(1)
    assert state.keys() == net.state_dict().keys()
    assert all(torch.equal(value, before[name]) for name, value in state.items())
    assert not any(value.requires_grad for value in state.values())
