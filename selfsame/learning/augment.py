"""Augmentation of whole batches: one tensor operation, a draw of its own for every example."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from selfsame.learning.params import AugmentationParams


def augment(images: Tensor, params: AugmentationParams, generator: torch.Generator) -> Tensor:
    """Rotate, scale and shift every image by its own random affine map.

    Each of rotation, scale and the two shifts is uniform up to its limit in either direction; what
    moves in from outside repeats the border. The draws are made on the CPU, so that they are the same
    on every device.

    Args:
        images: (N, C, H, W) float32, scaled.

    Returns:
        (N, C, H, W) float32; ``images`` itself if all limits are zero.
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
