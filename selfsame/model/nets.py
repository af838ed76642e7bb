"""The architectures."""

from collections.abc import Callable
from copy import deepcopy
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from selfsame.core.tables import TableInfo
from selfsame.model.families import build_family
from selfsame.model.torchvision_nets import torchvision_net
from selfsame.model.wide_resnet import FEATURES, wrn_28_2
from selfsame.params.model import Cnn, FittedParams, Layered, Mlp, ModelParams, NetParams

MERGED = "is_merged"  # the attribute of a net that is made for prediction
SMALL_PIXELS = 64  # up to here a ResNet keeps the image's size at its start


def build_net(params: ModelParams, info: TableInfo) -> nn.Module:
    """Build an untrained net from inputs of ``info.input_shape`` to one logit per class, or to one value."""
    outputs = info.labels.outputs
    if isinstance(params, FittedParams):
        return build_family(params.architecture, params.families, outputs, values=not info.labels.logits)
    if isinstance(params, Mlp):
        return _mlp(prod(info.input_shape), params, outputs)
    channels, height, width = info.image_shape
    net = _IMAGE_NETS[params.architecture]((channels, height, width), params, outputs)
    # channels_last: measured twice as fast on a CPU, and what tensor cores want on a GPU
    return net.to(memory_format=torch.channels_last)


def _cnn(image_shape: tuple[int, int, int], params: Cnn, outputs: int) -> nn.Module:
    """Convolve, halve the image where ``halve_after`` says so, end in an average or in dense layers.

    What is best depends on how large the image still is: a dense layer over 2×2 positions of a digit was
    better than their average, one over 4×4 worse.
    """
    channels, height, width = image_shape
    layers: list[nn.Module] = []
    for position, filters in enumerate(params.widths, start=1):
        norm = [nn.BatchNorm2d(filters)] if params.batch_norm else []
        layers += [nn.Conv2d(channels, filters, 3, padding=1, bias=not norm), *norm]
        if position in params.halve_after:
            # Before the ReLU, which leaves the largest value the largest: the same bits, and a CPU predicts
            # MNIST twice as fast.
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
            height, width = -(-height // 2), -(-width // 2)
        layers.append(nn.ReLU())
        channels = filters
    if params.dense is None:
        average = nn.AdaptiveAvgPool2d(1)
        return nn.Sequential(*layers, average, nn.Flatten(), *_head(channels, params, outputs))
    dense, entering = _dense(channels * height * width, params.dense, params)
    return nn.Sequential(*layers, nn.Flatten(), *dense, *_head(entering, params, outputs))


def _mlp(inputs: int, params: Mlp, outputs: int) -> nn.Module:
    layers, entering = _dense(inputs, params.widths, params)
    return nn.Sequential(nn.Flatten(), *layers, *_head(entering, params, outputs))


def _resnet18(image_shape: tuple[int, int, int], params: NetParams, outputs: int) -> nn.Module:
    """Build torchvision's ResNet-18 (He et al., CVPR 2016).

    On images of up to 64 pixels the first convolution is 3×3 with stride 1 and nothing is pooled after
    it, as is usual for CIFAR-10: the original stem would leave 8×8 of 32×32 pixels.
    """
    from torchvision.models import resnet18  # a second to import

    net = resnet18(weights=None)
    small = max(image_shape[1:]) <= SMALL_PIXELS
    size, stride = (3, 1) if small else (7, 2)
    net.conv1 = nn.Conv2d(image_shape[0], 64, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    if small:
        net.maxpool = nn.Identity()
    net.fc = nn.Sequential(*_head(net.fc.in_features, params, outputs))
    return net


def _wrn_28_2(image_shape: tuple[int, int, int], params: NetParams, outputs: int) -> nn.Module:
    return wrn_28_2(image_shape[0], nn.Sequential(*_head(FEATURES, params, outputs)))


_IMAGE_NETS: dict[str, Callable[[tuple[int, int, int], Any, int], nn.Module]] = {
    "cnn": _cnn,
    "resnet18": _resnet18,
    "wrn_28_2": _wrn_28_2,
    "torchvision": torchvision_net,
}


def _dense(inputs: int, widths: list[int], params: Layered) -> tuple[list[nn.Module], int]:
    """Return fully connected hidden layers, and how many units the last has."""
    layers: list[nn.Module] = []
    for width in widths:
        norm = [nn.BatchNorm1d(width)] if params.batch_norm else []
        layers += [nn.Linear(inputs, width, bias=not norm), *norm, nn.ReLU()]
        inputs = width
    return layers, inputs


def _head(features: int, params: NetParams, outputs: int) -> list[nn.Module]:
    return [nn.Dropout(params.dropout), nn.Linear(features, outputs)]


def for_prediction(net: nn.Module) -> nn.Module:
    """Return a net that gives the outputs of ``net`` in evaluation mode, up to rounding, in less time.

    In a row of layers a batch normalization is merged with the convolution or dense layer before it; the
    others are those of ``net``. MNIST is predicted up to twice as fast: no layer writes fresh memory only to
    scale what is there. Dense layers become ``Aligned``. A net that was made so is returned as it is.
    """
    if getattr(net, MERGED, False):
        return net
    net.eval()
    if not isinstance(net, nn.Sequential):
        tensors = {id(tensor): tensor for tensor in (*net.parameters(), *net.buffers())}
        return _merged(deepcopy(net, tensors))  # other modules, the same tensors
    layers: list[nn.Module] = []
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d) and isinstance(layers[-1], nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        elif isinstance(layer, nn.BatchNorm1d) and isinstance(layers[-1], nn.Linear):
            layers[-1] = fuse_linear_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return _merged(nn.Sequential(*layers).eval())


def _merged(net: nn.Module) -> nn.Module:
    made = _aligned(net)
    setattr(made, MERGED, True)
    return made


class Aligned(nn.Linear):
    """A dense layer in which a row gets the same bits wherever in a batch it stands.

    A CPU's matrix product takes what is left over of its blocks by other instructions, which add up in
    another order. With inputs and outputs filled up to a multiple of 16 nothing is left over.
    """

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self._inputs, self._outputs = (-size % 16 for size in (self.in_features, self.out_features))
        with torch.no_grad():
            self._weight = functional.pad(layer.weight, (0, self._inputs, 0, self._outputs))
            self._bias = None if layer.bias is None else functional.pad(layer.bias, (0, self._outputs))

    def forward(self, rows: Tensor) -> Tensor:
        """Return what the layer that this was made of returns, up to rounding."""
        if self._inputs:
            rows = functional.pad(rows, (0, self._inputs))
        return functional.linear(rows, self._weight, self._bias)[..., : self.out_features]


def _aligned(net: nn.Module) -> nn.Module:
    for name, layer in net.named_children():
        # Of this very type: attention in torchvision has layers whose weights it uses without calling them.
        setattr(net, name, Aligned(layer) if type(layer) is nn.Linear else _aligned(layer))
    return net


def last_layer_name(net: nn.Module) -> str:
    """Return the name of the net's last dense layer, which gives its outputs."""
    return [name for name, layer in net.named_modules() if isinstance(layer, nn.Linear)][-1]


def without_last_layer(net: nn.Module) -> nn.Module:
    """Return a copy of the net that gives what its last layer sees."""
    copy = deepcopy(net)
    parent, _, name = last_layer_name(net).rpartition(".")
    setattr(copy.get_submodule(parent), name, nn.Identity())
    return copy


def detached_state(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the net's weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
