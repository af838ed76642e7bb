"""Augmentation of whole batches: a few tensor operations, a draw of its own for every example.

All draws are made on the CPU, so that they are the same on every device.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.model.device import sent
from selfsame.params.augmentation import AugmentationParams, ImageAugmentation


def augment(
    inputs: Tensor, params: AugmentationParams, generator: torch.Generator, alike: bool = False
) -> Tensor:
    """Return a randomly changed view of every example.

    Args:
        inputs: scaled float32; (N, C, H, W) images are moved, flipped, changed in contrast, erased and made
            noisy, (N, F) features are erased and made noisy.
        alike: one draw for all examples, so that a view doesn't depend on what else is in the batch.
    """
    draws = 1 if alike else len(inputs)
    if inputs.dim() == 4:
        assert isinstance(params, ImageAugmentation)
        inputs = _flip(_move(inputs, params, draws, generator), params.flip_fraction, draws, generator)
        inputs = _change_contrast(inputs, params.contrast_fraction, draws, generator)
        inputs = _change_color(inputs, params.color_fraction, draws, generator)
    if params.erase_fraction:
        inputs = _erase(inputs, params.erase_fraction, draws, generator)
    if params.noise_std:
        noise = torch.randn((draws, *inputs.shape[1:]), generator=generator)
        inputs = inputs + params.noise_std * sent(noise, inputs.device)
    return inputs


def _move(images: Tensor, params: ImageAugmentation, draws: int, generator: torch.Generator) -> Tensor:
    """Rotate, scale, shear and shift: each uniform up to its limit in either direction.

    What moves in from outside repeats the border.
    """
    if not (params.shift_pixels or params.rotate_degrees or params.scale_fraction or params.shear_fraction):
        return images
    count, channels, height, width = images.shape
    drawn = 2 * torch.rand(5, draws, generator=generator) - 1
    angle = drawn[0] * math.radians(params.rotate_degrees)
    scale = 1 + drawn[1] * params.scale_fraction
    # affine_grid works in half extents: the image spans -1 … 1, so a pixel is 2 / width.
    x_shift, y_shift = drawn[2] * params.shift_pixels * 2 / width, drawn[3] * params.shift_pixels * 2 / height
    shear = drawn[4] * params.shear_fraction
    cos, sin = angle.cos() / scale, angle.sin() / scale
    aspect = height / width  # keeps a rotation rigid where the image isn't square
    maps = torch.stack(
        [
            torch.stack([cos, (cos * shear - sin) * aspect, x_shift], dim=1),
            torch.stack([sin / aspect, sin * shear + cos, y_shift], dim=1),
        ],
        dim=1,
    )
    # Images that move alike are taken for channels of one: where each pixel comes from is worked out once.
    together = images if draws == count else images.reshape(1, count * channels, height, width)
    grid = functional.affine_grid(sent(maps, images.device), list(together.shape), align_corners=False)
    return functional.grid_sample(together, grid, padding_mode="border", align_corners=False).view_as(images)


def _flip(images: Tensor, fraction: float, draws: int, generator: torch.Generator) -> Tensor:
    """Mirror a share of the images left to right."""
    if not fraction:
        return images
    flipped = torch.rand(draws, 1, 1, 1, generator=generator) < fraction
    return torch.where(sent(flipped, images.device), images.flip(3), images)


def _change_contrast(images: Tensor, fraction: float, draws: int, generator: torch.Generator) -> Tensor:
    """Multiply each image's distance from zero, the labeled rows' mean, by 1 ± up to ``fraction``."""
    if not fraction:
        return images
    drawn = 2 * torch.rand(draws, 1, 1, 1, generator=generator) - 1
    return images * sent(1 + fraction * drawn, images.device)


def _change_color(images: Tensor, fraction: float, draws: int, generator: torch.Generator) -> Tensor:
    """Move each channel of each image by up to ``fraction`` standard deviations, and its contrast likewise.

    The channels' moves are drawn on their own: together they change brightness, apart the cast.
    """
    if not fraction:
        return images
    drawn = 2 * torch.rand(2, draws, images.shape[1], 1, 1, generator=generator) - 1
    factor, move = sent(fraction * drawn, images.device)
    return images * (1 + factor) + move


def _erase(inputs: Tensor, fraction: float, draws: int, generator: torch.Generator) -> Tensor:
    """Set a part of every example to zero, the labeled rows' mean.

    In an image it is a box, ``fraction`` of the image high and wide (Cutout, DeVries and Taylor,
    2017); in a row of features, each feature with the probability ``fraction``.
    """
    if inputs.dim() == 2:
        kept = torch.rand((draws, inputs.shape[1]), generator=generator) >= fraction
        return inputs * sent(kept, inputs.device)
    _, _, height, width = inputs.shape
    centre, device = sent(torch.rand(2, draws, 1, generator=generator), inputs.device), inputs.device
    away_y = (torch.arange(height, device=device) + 0.5 - centre[0] * height).abs() >= fraction * height / 2
    away_x = (torch.arange(width, device=device) + 0.5 - centre[1] * width).abs() >= fraction * width / 2
    kept = (away_y[:, :, None] | away_x[:, None, :])[:, None]
    return inputs * kept
