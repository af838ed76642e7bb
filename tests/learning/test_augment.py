"""Augmentation: what every draw does to an example, read off images whose pixels are coordinates."""

import math

import numpy as np
import pytest
import torch
from tiny import STRONG, limits
from torch import Tensor

from selfsame.model.augment import augment
from selfsame.params.augmentation import AugmentationParams, ImageAugmentation

HEIGHT, WIDTH, COUNT = 24, 40, 400
SHAPES = [(16, 1, 8, 8), (16, 3, 12, 20), (16, 9)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_inputs(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=generator(5))


def repeated(shape: tuple[int, ...]) -> Tensor:
    """One example, ``shape[0]`` times."""
    return random_inputs((1, *shape[1:])).expand(shape).clone()


@pytest.mark.parametrize("shape", SHAPES)
def test_no_limits_change_nothing(shape: tuple[int, ...]) -> None:
    inputs = random_inputs(shape)
    assert torch.equal(augment(inputs, limits(), generator()), inputs)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_example_has_a_draw_of_its_own(shape: tuple[int, ...]) -> None:
    views = augment(repeated(shape), STRONG, generator())
    assert views.shape == shape and views.dtype == torch.float32
    assert len(views.flatten(1).unique(dim=0)) == len(views)


@pytest.mark.parametrize("key", [key for key in ImageAugmentation.model_fields if key != "name"])
def test_each_key_alone_changes_each_image_differently(key: str) -> None:
    shape = (16, 3, 12, 20)
    views = augment(repeated(shape), limits(**{key: 0.4}), generator())
    # Two squares may fall on the same pixels; and an image is mirrored or it isn't.
    assert len(views.flatten(1).unique(dim=0)) >= (2 if key == "flip_fraction" else 12)
    assert not torch.equal(views, repeated(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_seed_decides(shape: tuple[int, ...]) -> None:
    inputs = random_inputs(shape)
    first, second, other = (augment(inputs, STRONG, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second) and not torch.equal(first, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_given_examples_stay_as_they_are(shape: tuple[int, ...]) -> None:
    inputs = random_inputs(shape)
    before = inputs.clone()
    augment(inputs, STRONG, generator())
    assert torch.equal(inputs, before)


def test_contrast_scales_each_image_about_the_mean() -> None:
    images = random_inputs((400, 1, 8, 8))
    factors = augment(images, limits(contrast_fraction=0.3), generator()) / images
    one_each = factors.flatten(1)[:, 0]
    torch.testing.assert_close(factors.flatten(1), one_each[:, None].expand(400, 64))
    assert 0.7 <= one_each.min() < 0.72 and 1.28 < one_each.max() <= 1.3
    assert abs(one_each.mean() - 1) < 0.03


def test_color_moves_each_channel_of_each_image_on_its_own_within_its_limits() -> None:
    images = random_inputs((1, 3, 8, 8)).expand(400, 3, 8, 8)
    views = augment(images, limits(color_fraction=0.3), generator())
    # A channel keeps its pattern: view = factor · image + move, of which the pattern tells the two.
    x, y = images.flatten(2).double(), views.flatten(2).double()
    x_away = x - x.mean(dim=2, keepdim=True)
    factors = (x_away * y).sum(dim=2) / (x_away**2).sum(dim=2)
    offsets = y.mean(dim=2) - factors * x.mean(dim=2)
    torch.testing.assert_close(factors[:, :, None] * x + offsets[:, :, None], y, atol=1e-5, rtol=0)
    drawn = torch.cat([factors, offsets], dim=1).numpy()
    for column, centre in zip(drawn.T, (1, 1, 1, 0, 0, 0), strict=True):
        assert_uniform(column, 0.3, centre)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(6)).max() < 0.2


def moves(params: AugmentationParams) -> dict[str, np.ndarray]:
    """Recover each example's move from images that hold their own pixel coordinates.

    Interpolation of a straight slope is exact, so inside the image the view is the affine map itself.
    """
    y, x = torch.meshgrid(
        torch.arange(HEIGHT) - (HEIGHT - 1) / 2, torch.arange(WIDTH) - (WIDTH - 1) / 2, indexing="ij"
    )
    images = torch.stack([x, y]).expand(COUNT, 2, HEIGHT, WIDTH).clone()
    views = augment(images, params, generator())
    inside = (x.abs() < WIDTH / 4) & (y.abs() < HEIGHT / 4)
    places = torch.stack([x[inside], y[inside], torch.ones(int(inside.sum()))], dim=1).double()
    maps = torch.linalg.pinv(places) @ views[:, :, inside].double().transpose(1, 2)
    (xx, yx), (xy, yy), (x_shift, y_shift) = (maps[:, row].unbind(dim=1) for row in range(3))
    return {
        "degrees": torch.atan2(yx, xx).rad2deg().numpy(),
        "scale": 1 / (xx * yy - xy * yx).sqrt().numpy(),
        "x_shift": x_shift.numpy(),
        "y_shift": y_shift.numpy(),
        "shear": torch.stack([xx - yy, xy + yx]).abs().amax(dim=0).numpy(),
    }


def assert_uniform(values: np.ndarray, limit: float, centre: float = 0.0) -> None:
    away = (values - centre) / limit
    assert np.abs(away).max() <= 1.001
    assert away.min() < -0.95 and away.max() > 0.95
    assert away.mean() == pytest.approx(0, abs=0.12)
    assert away.std() == pytest.approx(1 / math.sqrt(3), abs=0.06)


def test_rotation_alone_is_rigid_and_within_its_limit() -> None:
    made = moves(limits(rotate_degrees=15.0))
    assert_uniform(made["degrees"], 15.0)
    np.testing.assert_allclose(made["scale"], 1, atol=1e-3)
    assert max(np.abs(made[name]).max() for name in ("x_shift", "y_shift", "shear")) < 1e-3


def test_scale_alone_is_within_its_limit() -> None:
    made = moves(limits(scale_fraction=0.2))
    assert_uniform(made["scale"], 0.2, centre=1.0)
    assert max(np.abs(made[name]).max() for name in ("x_shift", "y_shift", "shear", "degrees")) < 1e-2


def test_shift_alone_is_in_pixels_and_within_its_limit() -> None:
    made = moves(limits(shift_pixels=3.0))
    assert_uniform(made["x_shift"], 3.0)
    assert_uniform(made["y_shift"], 3.0)
    assert abs(np.corrcoef(made["x_shift"], made["y_shift"])[0, 1]) < 0.2
    np.testing.assert_allclose(made["scale"], 1, atol=1e-3)
    assert max(np.abs(made[name]).max() for name in ("degrees", "shear")) < 1e-2


def test_together_they_stay_a_similarity_within_all_limits() -> None:
    made = moves(limits(rotate_degrees=10.0, scale_fraction=0.1, shift_pixels=1.5))
    assert_uniform(made["degrees"], 10.0)
    assert_uniform(made["scale"], 0.1, centre=1.0)
    assert_uniform(made["x_shift"], 1.5)
    assert made["shear"].max() < 1e-3


def test_shear_alone_moves_rows_sideways_and_within_its_limit() -> None:
    made = moves(limits(shear_fraction=0.3))
    assert made["shear"].max() <= 0.3 + 1e-3 and made["shear"].max() > 0.28
    np.testing.assert_allclose(made["scale"], 1, atol=1e-3)
    assert max(np.abs(made[name]).max() for name in ("x_shift", "y_shift", "degrees")) < 1e-2


@pytest.mark.parametrize("shape", SHAPES)
def test_alike_is_one_draw_for_all_whoever_else_is_there(shape: tuple[int, ...]) -> None:
    views = augment(repeated(shape), STRONG, generator(), alike=True)
    torch.testing.assert_close(views, views[:1].expand(shape))
    assert not torch.equal(views, repeated(shape))
    alone = augment(repeated(shape)[:1], STRONG, generator(), alike=True)
    torch.testing.assert_close(alone, views[:1])


def test_what_moves_in_repeats_the_border() -> None:
    images = torch.full((50, 1, 8, 12), 2.5)
    views = augment(images, limits(rotate_degrees=45, scale_fraction=0.5, shift_pixels=4), generator())
    torch.testing.assert_close(views, images)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_an_image_loses_one_box_of_the_said_size(fraction: float) -> None:
    height, width = 8, 16
    views = augment(torch.ones(20_000, 2, height, width), limits(erase_fraction=fraction), generator())
    assert torch.equal(views[:, 0], views[:, 1])  # the same place in every channel
    erased = views[:, 0] == 0
    assert torch.equal(views[:, 0], (~erased).float())  # everything else as it was
    rows, columns = erased.any(dim=2), erased.any(dim=1)
    assert torch.equal(erased, rows[:, :, None] & columns[:, None, :])  # a box
    for hit, size in ((rows, height), (columns, width)):
        side = fraction * size
        assert hit.sum(dim=1).max() == side
        assert (hit.int().diff(dim=1).abs().sum(dim=1) <= 2).all()  # in one piece
        # Its centre is anywhere in the image, so that at the border a part of it falls outside.
        centres = torch.arange(size) + 0.5
        chances = ((centres + side / 2).clamp(max=size) - (centres - side / 2).clamp(min=0)) / size
        torch.testing.assert_close(hit.float().mean(dim=0), chances, atol=0.02, rtol=0)


def test_a_row_loses_the_said_share_of_features() -> None:
    inputs = random_inputs((5_000, 10)) + 10
    views = augment(inputs, limits(erase_fraction=0.3), generator())
    erased = views == 0
    assert torch.equal(views[~erased], inputs[~erased])
    torch.testing.assert_close(erased.float().mean(dim=0), torch.full((10,), 0.3), atol=0.03, rtol=0)
    assert erased.sum(dim=1).float().var().item() == pytest.approx(10 * 0.3 * 0.7, rel=0.1)  # each on its own


@pytest.mark.parametrize("shape", [(500, 1, 8, 10), (5_000, 10)])
def test_noise_has_the_said_deviation(shape: tuple[int, ...]) -> None:
    inputs = random_inputs(shape)
    noise = (augment(inputs, limits(noise_std=0.2), generator()) - inputs).flatten()
    assert noise.mean().item() == pytest.approx(0, abs=0.005)
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    assert (noise.abs() < 0.2).float().mean().item() == pytest.approx(0.6827, abs=0.02)  # a normal one


def test_features_are_not_moved() -> None:
    inputs = random_inputs((16, 9))
    moved = limits(shift_pixels=2, rotate_degrees=20, scale_fraction=0.5)
    assert torch.equal(augment(inputs, moved, generator()), inputs)


@pytest.mark.parametrize("shape", SHAPES)
def test_alike_changes_a_row_as_it_does_alone(shape: tuple[int, ...]) -> None:
    inputs = random_inputs(shape)
    alone = [augment(row, STRONG, generator(), alike=True) for row in inputs.split(1)]
    assert torch.equal(augment(inputs, STRONG, generator(), alike=True), torch.cat(alone))
