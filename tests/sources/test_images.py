"""Photos in class folders: upright RGB squares, the folders' roles, and one message for what is broken."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsame.core.errors import SelfsameError
from selfsame.sources import images as module
from selfsame.sources.images import find_photos, images, read_photo

RED, BLUE = (250, 0, 0), (0, 0, 250)


def photo(path: Path, size: tuple[int, int] = (20, 10), mode: str = "RGB", **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 200 if len(mode) < 3 else (200,) * len(mode)).save(path, **options)
    return path


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    for place in ("lotus/1.png", "lotus/deep/2.jpg", "watch/1.png", "unlabeled/1.png", "unlabeled/2.png"):
        photo(tmp_path / place)
    (tmp_path / ".DS_Store").touch()
    return tmp_path


def test_folders_are_classes_and_one_is_the_pool(garden: Path) -> None:
    source = images(garden, 8)
    assert source.info.classes == ("lotus", "watch")
    assert source.info.image_shape == (3, 8, 8)
    (batch,) = source.batches
    assert batch.inputs.shape == (5, 3, 8, 8)
    assert batch.inputs.dtype == np.uint8
    assert batch.labels.tolist() == [0, 0, -1, -1, 1]
    assert batch.own is None


def test_train_and_test_are_the_own_holdout(tmp_path: Path) -> None:
    for place in (
        "train/a/1.png",
        "train/b/1.png",
        "train/unlabeled/1.png",
        "unlabeled/2.png",
        "test/b/2.png",
    ):
        photo(tmp_path / place)
    (batch,) = images(tmp_path, 8).batches
    assert batch.labels.tolist() == [1, 0, 1, -1, -1]
    assert batch.own is not None
    assert batch.own.tolist() == [2, 0, 0, 0, 0]


def test_batches_keep_the_order_of_the_files(garden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, path in enumerate(sorted(garden.rglob("*.png"))):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    (whole,) = images(garden, 8).batches
    monkeypatch.setattr(module, "BATCH_BYTES", 2 * 3 * 8 * 8)
    parts = list(images(garden, 8).batches)
    assert [len(part.labels) for part in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([part.inputs for part in parts]), whole.inputs)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    grey = Image.new("L", (12, 12), 128 if mode != "1" else 255)
    if mode == "I;16":
        Image.fromarray(np.full((12, 12), 128 << 8, np.uint16)).save(path)
    else:
        grey.convert("RGB").convert(mode).save(path)
    expected = 255 if mode == "1" else 128
    assert np.abs(read_photo(path, 8).astype(int) - expected).max() <= 2


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert (read_photo(tmp_path / "a.png", 8) == 255).all()


def test_the_centre_of_a_wide_photo_is_kept(tmp_path: Path) -> None:
    wide = Image.new("RGB", (40, 10), RED)
    wide.paste(BLUE, (15, 0, 25, 10))
    wide.save(tmp_path / "a.png")
    square = read_photo(tmp_path / "a.png", 10)
    assert (square.transpose(1, 2, 0) == BLUE).all()


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    lying = Image.new("RGB", (16, 16), RED)
    lying.paste(BLUE, (0, 0, 8, 16))  # blue on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned right by 90 degrees: blue comes to the top
    lying.save(tmp_path / "a.png", exif=exif)
    square = read_photo(tmp_path / "a.png", 16).transpose(1, 2, 0)
    assert (square[:7] == BLUE).all()
    assert (square[9:] == RED).all()


def test_a_large_jpeg_is_as_good_when_not_all_of_it_is_decoded(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 640).astype(np.uint8)
    Image.fromarray(np.tile(ramp, (640, 1))).save(tmp_path / "a.jpg", quality=95)
    square = read_photo(tmp_path / "a.jpg", 16)[0].astype(int)
    assert np.abs(square - np.linspace(8, 247, 16)).max() < 4


@pytest.mark.parametrize("content", [b"", b"no image", "cut"], ids=["empty", "text", "cut"])
def test_a_broken_file_is_named(content: bytes | str, garden: Path) -> None:
    path = garden / "watch" / "9.jpg"
    if content == "cut":
        random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(random).save(path)
        content = path.read_bytes()[:-2000]
    assert isinstance(content, bytes)
    path.write_bytes(content)
    with pytest.raises(SelfsameError, match=r"watch/9\.jpg: can't be read as an image") as caught:
        list(images(garden, 8).batches)
    assert caught.value.what.count("9.jpg") == 1


WRONG = {  # files → what the message must say
    "outside": (("a/1.png", "b/1.png", "2.png"), "2.png: a file outside of the class folders"),
    "one class": (("a/1.png", "unlabeled/1.png"), "two classes or more are needed, found: a"),
    "nothing": ((), "two classes or more are needed, found: none"),
    "train alone": (("train/a/1.png", "train/b/1.png"), "two classes or more are needed, found: train"),
    "a class of the holdout alone": (
        ("train/a/1.png", "train/b/1.png", "test/c/1.png"),
        "test/c: a class that the folder to train from",
    ),
    "something beside the parts": (
        ("train/a/1.png", "test/a/1.png", "other/a/1.png"),
        "other: lies beside test, train",
    ),
    "beside train": (("train/a/1.png", "test/a/1.png", "more/a/1.png"), "more: lies beside test, train"),
}


@pytest.mark.parametrize(("files", "said"), WRONG.values(), ids=WRONG)
def test_another_layout_is_refused(files: tuple[str, ...], said: str, tmp_path: Path) -> None:
    for file in files:
        photo(tmp_path / file)
    with pytest.raises(SelfsameError) as caught:
        find_photos(tmp_path)
    assert said in caught.value.what
    assert caught.value.fix


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match="a file, where a folder of photos is expected"):
        images(photo(tmp_path / "a.png"), 8)


def test_the_digest_changes_with_content_and_with_a_name(garden: Path) -> None:
    seen = {str(images(garden, 8).content)}
    (garden / "watch" / "1.png").rename(garden / "watch" / "2.png")
    seen.add(str(images(garden, 8).content))
    photo(garden / "watch" / "2.png", (9, 9))
    seen.add(str(images(garden, 8).content))
    assert len(seen) == 3
