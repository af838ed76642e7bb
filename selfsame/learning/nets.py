"""The architectures."""

from math import prod

import torch
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.learning.params import ModelParams


def build_net(params: ModelParams, info: TableInfo) -> nn.Module:
    """Build an untrained net from inputs of ``info.input_shape`` to one logit per class, or to one value.

    Raises:
        SelfsameError: the architecture doesn't take this kind of input.
    """
    outputs = len(info.classes) if info.target == "classification" else 1
    if params.architecture == "mlp":
        return _mlp(prod(info.input_shape), params, outputs)
    if not info.image_shape:
        raise SelfsameError(
            f"params.yaml: model.architecture = 'cnn', but {info.source} has no images",
            "set model.architecture to mlp",
        )
    # channels_last: measured twice as fast on a CPU, and what tensor cores want on a GPU
    return _cnn(info.image_shape[0], params, outputs).to(memory_format=torch.channels_last)


def _cnn(channels: int, params: ModelParams, outputs: int) -> nn.Module:
    """Convolve, halve the image where ``halve_after`` says so, average over what is left of it.

    With few labels the global average generalizes better than a dense layer over positions: on digits
    with 5 labels a class, 0.92 against 0.90 holdout accuracy of the baseline.
    """
    layers: list[nn.Module] = []
    for position, width in enumerate(params.widths, start=1):
        norm = [nn.BatchNorm2d(width)] if params.batch_norm else []
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=not norm), *norm, nn.ReLU()]
        if position in params.halve_after:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(params.dropout), nn.Linear(channels, outputs)]
    return nn.Sequential(*layers, *head)


def _mlp(inputs: int, params: ModelParams, outputs: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for width in params.widths:
        norm = [nn.BatchNorm1d(width)] if params.batch_norm else []
        layers += [nn.Linear(inputs, width, bias=not norm), *norm, nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Dropout(params.dropout), nn.Linear(inputs, outputs))


def detached_state(net: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the net's weights and buffers."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}
