"""torchvision's classifiers by name, and one made of its parts, fresh or with trained weights.

Transfer learning: the last layer is replaced by one for our classes; the rest is fine-tuned, or stays as
it came (``freeze_backbone``). A weights file is an input like any other: ``params.yaml`` names its sha256,
so that it stands in every provenance record and another file means another run.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.model import efficientnet_lite as lite
from selfsame.model.inputs import Scaling
from selfsame.params.model import LITE, LITE_WEIGHTS, ModelParams, Torchvision

LOCAL = ".safetensors"
TRAINED_OUTPUTS = 1000  # of torchvision's own classifiers, which ImageNet trained
AUXILIARY = ("AuxLogits", "aux1", "aux2")  # second outputs of GoogLeNet and Inception; not used here


class TorchvisionNet(nn.Module):
    """One of torchvision's classifiers with a head for our classes.

    With a frozen backbone only the head has gradients, and only the head is ever in training mode, so that
    the backbone's batch normalization keeps its statistics.
    """

    def __init__(self, body: nn.Module, head_name: str, head: nn.Module, frozen: bool) -> None:
        super().__init__()
        body.set_submodule(head_name, head)
        self.body, self.head_name, self._frozen = body, head_name, frozen
        if frozen:
            body.requires_grad_(False)
            head.requires_grad_(True)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K)."""
        return self.body(images).flatten(1)  # a convolutional head leaves (N, K, 1, 1)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load plain tensors: MNASNet refuses those without the versions that torch's own files carry."""
        versioned: Any = OrderedDict(state_dict)
        own: Any = self.state_dict()
        versioned._metadata = own._metadata
        return super().load_state_dict(versioned, strict, assign)

    def train(self, mode: bool = True) -> "TorchvisionNet":
        """Switch to training mode what is trained."""
        super().train(mode)
        if self._frozen:
            self.body.train(False)
            self.body.get_submodule(self.head_name).train(mode)
        return self


def torchvision_net(image_shape: tuple[int, int, int], params: Torchvision, outputs: int) -> nn.Module:
    """Build a classifier with fresh weights.

    Raises:
        SelfsameError: there is none of this name, or it can't take images of this size.
    """
    body = _body(params)
    for name in AUXILIARY:
        if hasattr(body, name):
            setattr(body, name, None)
            body.aux_logits = False
    head_name, layer = _last_layer(body)
    if isinstance(layer, nn.Conv2d):
        fresh: nn.Module = nn.Conv2d(layer.in_channels, outputs, kernel_size=1)
    else:
        fresh = nn.Linear(layer.in_features, outputs)
    for dropout in (other for other in body.modules() if isinstance(other, nn.Dropout)):
        dropout.p = 0.0  # model.dropout alone says what is dropped: the last hidden units
    channels = image_shape[0] if params.weights is None else 3  # a grey image is broadcast to three
    if channels != 3:
        first = next(name for name, layer in body.named_modules() if isinstance(layer, nn.Conv2d))
        body.set_submodule(first, _with_channels(body.get_submodule(first), channels))
    head = nn.Sequential(nn.Dropout(params.dropout), fresh)
    net = TorchvisionNet(body, head_name, head, params.freeze_backbone)
    _must_take(net, (channels, *(_size(params) or image_shape[1:])), params)
    return net


def input_scaling(params: ModelParams, fitted: Scaling) -> Scaling:
    """Return how inputs are prepared for this net: as its weights were trained, else as ``fitted``.

    A single channel is broadcast to the three that the weights want. A local file is taken to expect what
    torchvision's own weights of that name expect. Images are resized to ``image_pixels``; where that is
    null, to the size that the weights were trained on.
    """
    if not isinstance(params, Torchvision):
        return fitted
    if params.weights is None:
        return replace(fitted, size=_size(params))
    if params.torchvision_name == LITE:
        mean, std = (lite.MEAN,) * 3, (lite.STD,) * 3
    else:
        preset = _entry(params).DEFAULT.transforms()
        mean, std = (tuple(255 * value for value in values) for values in (preset.mean, preset.std))
    return Scaling(mean, std, _size(params), fitted.target)


def load_weights(net: TorchvisionNet, params: Torchvision) -> None:
    """Put the weights that ``params`` names into all of ``net`` but its head.

    Raises:
        SelfsameError: there is no such file or name, its bytes are not those of ``weights_sha256``, or they
            belong to another architecture.
    """
    state = _given_state(params)
    left_out = tuple(f"body.{name}." for name in (net.head_name, *AUXILIARY))
    given = {f"body.{name}": value for name, value in state.items()}
    state = {name: value for name, value in given.items() if not name.startswith(left_out)}
    own = {name for name in net.state_dict() if not name.startswith(left_out)}
    try:
        if own != state.keys():
            raise RuntimeError(
                f"{len(own - state.keys())} of its tensors are missing, {len(state.keys() - own)} unknown"
            )
        net.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise SelfsameError(
            f"{params.weights}: these are no weights of {params.torchvision_name}: "
            f"{str(error).splitlines()[-1].strip()}",
            "correct model.weights or model.torchvision_name",
        ) from None


def _body(params: Torchvision) -> Any:
    from torchvision import models  # a second to import

    if params.torchvision_name == LITE:
        return lite.efficientnet_lite0()
    _entry(params)  # an unknown name stops here
    options: dict[str, Any] = {}
    if params.torchvision_name in ("googlenet", "inception_v3"):
        # What comes with weights expects ImageNet's scaling and converts it to its own.
        options = {"init_weights": True, "transform_input": params.weights is not None}
    return models.get_model(params.torchvision_name, weights=None, **options)


def _entry(params: Torchvision) -> Any:
    """Return torchvision's enumeration of published weights for the named classifier."""
    from torchvision import models

    names = models.list_models(module=models)
    if params.torchvision_name not in names:
        raise SelfsameError(
            f"params.yaml: model.torchvision_name = '{params.torchvision_name}': torchvision has no such net",
            f"choose one of {', '.join([*names, LITE])}",
        )
    return models.get_model_weights(params.torchvision_name)


def _size(params: Torchvision) -> tuple[int, int] | None:
    """Return the height and width that images are resized to, if they are."""
    pixels = params.image_pixels
    if pixels is None and params.weights is not None:
        is_lite = params.torchvision_name == LITE
        pixels = lite.PIXELS if is_lite else _entry(params).DEFAULT.transforms().crop_size[0]
    return None if pixels is None else (pixels, pixels)


def _last_layer(body: nn.Module) -> tuple[str, Any]:
    return [
        (name, layer)
        for name, layer in body.named_modules()
        if TRAINED_OUTPUTS in (getattr(layer, "out_features", None), getattr(layer, "out_channels", None))
    ][-1]


def _with_channels(layer: Any, channels: int) -> nn.Conv2d:
    """Return a fresh convolution like ``layer`` for another number of channels."""
    return nn.Conv2d(
        channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        bias=layer.bias is not None,
    )


@torch.no_grad()
def _must_take(net: nn.Module, shape: tuple[int, ...], params: Torchvision) -> None:
    net.eval()
    try:
        net(torch.zeros(1, *shape))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise SelfsameError(
            f"params.yaml: model.torchvision_name = '{params.torchvision_name}' takes no images of "
            f"{shape[1]}×{shape[2]} pixels: {str(error).splitlines()[0]}",
            "choose another net, or set model.image_pixels to the size it wants (often 224)",
        ) from None


def _given_state(params: Torchvision) -> dict[str, Tensor]:
    if str(params.weights).endswith(LOCAL):
        return _local_state(params)
    if params.torchvision_name != LITE:
        return _published_state(params)
    if params.weights != LITE_WEIGHTS:
        raise SelfsameError(
            f"params.yaml: model.weights = '{params.weights}': unknown for {LITE}",
            f"write {LITE_WEIGHTS}, or a file that ends in {LOCAL}",
        )
    path = lite.weights_file()
    _must_match(path, params)
    return lite.read_weights(path)


def _local_state(params: Torchvision) -> dict[str, Tensor]:
    path = Path(str(params.weights))
    if not path.is_file():
        raise SelfsameError(f"params.yaml: model.weights = '{path}': no such file", "correct the path")
    _must_match(path, params)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise SelfsameError(
            f"{path}: not a safetensors file: {error}", "save the state dict as safetensors"
        ) from None


def _published_state(params: Torchvision) -> dict[str, Tensor]:
    """Download the weights, or take them from torch's cache, and check them before they are read."""
    known = _entry(params)
    if params.weights not in known.__members__:
        raise SelfsameError(
            f"params.yaml: model.weights = '{params.weights}': unknown for {params.torchvision_name}",
            f"choose one of {', '.join(known.__members__)}, or a file that ends in {LOCAL}",
        )
    chosen = known[params.weights]
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlsplit(chosen.url).path).name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(chosen.url, str(path), progress=False)
        except OSError as error:
            raise SelfsameError(
                f"the download of {chosen} from {chosen.url} failed: {error}",
                f"put the file at {path}, or name a local {LOCAL} file in model.weights",
            ) from None
    _must_match(path, params)
    return dict(chosen.get_state_dict(progress=False))


def _must_match(path: Path, params: Torchvision) -> None:
    found = sha256_file(path)
    if found != params.weights_sha256:
        raise SelfsameError(
            f"params.yaml: model.weights_sha256 = {params.weights_sha256}, but {path} has {found}",
            "write the digest that you trust; it will stand in the provenance record",
        )
