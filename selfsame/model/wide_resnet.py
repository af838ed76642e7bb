"""The wide residual network WRN-28-2 as the semi-supervised literature uses it.

Zagoruyko and Komodakis, "Wide Residual Networks", BMVC 2016: depth 28, width factor 2; with the leaky ReLU
of slope 0.1 and the initialization that MixMatch and FixMatch took over (Oliver et al., "Realistic
Evaluation of Deep Semi-Supervised Learning Algorithms", NeurIPS 2018).
"""

from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.1
BLOCKS = 4  # in each of three groups: 3 · 2 · 4 + 4 = 28 layers
STEM, WIDTHS = 16, (32, 64, 128)


class _Block(nn.Module):
    """Normalize, activate, convolve, twice; added to the input, or to a 1×1 convolution of it."""

    def __init__(self, channels: int, width: int, stride: int, activate_shortcut: bool) -> None:
        super().__init__()
        self._activate_shortcut = activate_shortcut
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(width)
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if channels != width else None

    def forward(self, inputs: Tensor) -> Tensor:
        active = functional.leaky_relu(self.norm1(inputs), SLOPE)
        if self._activate_shortcut:
            inputs = active
        out = self.conv2(functional.leaky_relu(self.norm2(self.conv1(active)), SLOPE))
        return out + (inputs if self.shortcut is None else self.shortcut(inputs))


def wrn_28_2(channels: int, head: nn.Module) -> nn.Sequential:
    """Build WRN-28-2 from (N, ``channels``, H, W) images to what ``head`` makes of 128 features."""
    layers: list[nn.Module] = [nn.Conv2d(channels, STEM, 3, padding=1, bias=False)]
    entering = STEM
    for group, width in enumerate(WIDTHS):
        for block in range(BLOCKS):
            stride = 2 if group > 0 and block == 0 else 1
            layers.append(_Block(entering, width, stride, activate_shortcut=group == block == 0))
            entering = width
    layers += [nn.BatchNorm2d(entering), nn.LeakyReLU(SLOPE), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head]
    net = nn.Sequential(*layers)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, SLOPE, mode="fan_out", nonlinearity="leaky_relu")
        elif isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


FEATURES = WIDTHS[-1]
