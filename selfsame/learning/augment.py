"""Augmentation of whole batches: a few tensor operations, a draw of its own for every example.

All draws are made on the CPU, so that they are the same on every device.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.learning.params import AugmentationParams


def augment(inputs: Tensor, params: AugmentationParams, generator: torch.Generator) -> Tensor:
    """Return a randomly changed view of every example.

    Args:
        inputs: scaled float32; (N, C, H, W) images are moved, flipped, changed in contrast, erased and made
            noisy, (N, F) features are erased and made noisy.
    """
    if inputs.dim() == 4:
        inputs = _flip(_move(inputs, params, generator), params.flip_fraction, generator)
        inputs = _change_contrast(inputs, params.contrast_fraction, generator)
    if params.erase_fraction:
        inputs = _erase(inputs, params.erase_fraction, generator)
    if params.noise_std:
        noise = torch.randn(inputs.shape, generator=generator).to(inputs.device)
        inputs = inputs + params.noise_std * noise
    return inputs


def _move(images: Tensor, params: AugmentationParams, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift: each uniform up to its limit in either direction.

    What moves in from outside repeats the border.
    """
    if not (params.shift_pixels or params.rotate_degrees or params.scale_fraction):
        return images
    count, _, height, width = images.shape
    draws = 2 * torch.rand(4, count, generator=generator) - 1
    angle = draws[0] * math.radians(params.rotate_degrees)
    scale = 1 + draws[1] * params.scale_fraction
    # affine_grid works in half extents: the image spans -1 … 1, so a pixel is 2 / width.
    x_shift, y_shift = draws[2] * params.shift_pixels * 2 / width, draws[3] * params.shift_pixels * 2 / height
    cos, sin = angle.cos() / scale, angle.sin() / scale
    aspect = height / width  # keeps a rotation rigid where the image isn't square
    maps = torch.stack(
        [
            torch.stack([cos, -sin * aspect, x_shift], dim=1),
            torch.stack([sin / aspect, cos, y_shift], dim=1),
        ],
        dim=1,
    ).to(images.device)
    grid = functional.affine_grid(maps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _flip(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Mirror a share of the images left to right."""
    if not fraction:
        return images
    flipped = torch.rand(len(images), 1, 1, 1, generator=generator) < fraction
    return torch.where(flipped.to(images.device), images.flip(3), images)


def _change_contrast(images: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Multiply each image's distance from zero, the labeled rows' mean, by 1 ± up to ``fraction``."""
    if not fraction:
        return images
    draws = 2 * torch.rand(len(images), 1, 1, 1, generator=generator) - 1
    return images * (1 + fraction * draws).to(images.device)


def _erase(inputs: Tensor, fraction: float, generator: torch.Generator) -> Tensor:
    """Set a part of every example to zero, the labeled rows' mean.

    In an image it is a box, ``fraction`` of the image high and wide (Cutout, DeVries and Taylor,
    2017); in a row of features, each feature with the probability ``fraction``.
    """
    if inputs.dim() == 2:
        return inputs * (torch.rand(inputs.shape, generator=generator) >= fraction).to(inputs.device)
    count, _, height, width = inputs.shape
    centre = torch.rand(2, count, 1, generator=generator)
    away_y = (torch.arange(height) + 0.5 - centre[0] * height).abs() >= fraction * height / 2
    away_x = (torch.arange(width) + 0.5 - centre[1] * width).abs() >= fraction * width / 2
    kept = (away_y[:, :, None] | away_x[:, None, :])[:, None]
    return inputs * kept.to(inputs.device)
