"""Photos in class folders: upright RGB squares, the folders' roles, and one message for what is broken."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from selfsame.core.errors import SelfsameError
from selfsame.params.data import Images
from selfsame.sources import images as module
from selfsame.sources.faults import stop_if_any
from selfsame.sources.images import find_photos, images
from selfsame.sources.photo import read_photo


def photos_params(**changes: object) -> Images:
    return Images.model_validate({"source": "images", "path": "-", "image_size": 8} | changes)


PHOTOS = photos_params()
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
    source = images(garden, PHOTOS)
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
    (batch,) = images(tmp_path, PHOTOS).batches
    assert batch.labels.tolist() == [1, 0, 1, -1, -1]
    assert batch.own is not None
    assert batch.own.tolist() == [2, 0, 0, 0, 0]


def test_batches_keep_the_order_of_the_files(garden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, path in enumerate(sorted(garden.rglob("*.png"))):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    (whole,) = images(garden, PHOTOS).batches
    monkeypatch.setattr(module, "BATCH_BYTES", 2 * 3 * 8 * 8)
    parts = list(images(garden, PHOTOS).batches)
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


@pytest.mark.parametrize(
    "content", [b"", b"no image", "cut", "no size"], ids=["empty", "text", "cut", "no size"]
)
def test_a_broken_file_is_named(content: bytes | str, garden: Path) -> None:
    path = garden / "watch" / "9.jpg"
    if content == "cut":
        random = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(random).save(path)
        content = path.read_bytes()[:-2000]
    if content == "no size":  # a TIFF whose second page says nothing of itself
        Image.new("L", (9, 9)).save(path, "tiff")
        whole = path.read_bytes()
        first = int.from_bytes(whole[4:8], "little")
        end = first + 2 + 12 * int.from_bytes(whole[first : first + 2], "little")
        content = whole[:end] + len(whole).to_bytes(4, "little") + whole[end + 4 :] + bytes(6)
    assert isinstance(content, bytes)
    path.write_bytes(content)
    with pytest.raises(SelfsameError, match=r"watch/9\.jpg: can't be read as an image") as caught:
        list(images(garden, PHOTOS).batches)
    assert caught.value.what.count("9.jpg") == 1


WRONG = {  # files → what the message must say
    "outside": (("a/1.png", "b/1.png", "2.png"), "1 file outside of the class folders: '2.png'"),
    "one class": (("a/1.png", "unlabeled/1.png"), "two classes or more are needed, found: 'a'"),
    "nothing": ((), "no photo is there"),
    "one class in train": (("train/a/1.png",), "two classes or more are needed, found: 'a'"),
    "a class of the holdout alone": (
        ("train/a/1.png", "train/b/1.png", "test/c/1.png"),
        "the folder to train from doesn't have the class 'c'",
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
        stop_if_any(find_photos(tmp_path, PHOTOS).faults)
    assert said in caught.value.what
    assert caught.value.fix


def test_photos_to_judge_by_without_class_folders_go_to_the_pool(tmp_path: Path) -> None:
    for file in ("train/a/1.png", "train/b/1.png", "test/1.png", "test/2.png"):
        photo(tmp_path / file)
    album = find_photos(tmp_path, PHOTOS)
    assert (album.classes.unlabeled, album.faults) == ({"": 2}, [])
    assert album.notes == ["test has no class folders: its photos go to the pool"]


def test_a_table_lies_beside_parts_and_a_class_may_have_a_space_too_many(tmp_path: Path) -> None:
    for file in ("train/1.png", "train/2.png", "test/1.png", "test/2.png"):
        photo(tmp_path / file)
    (tmp_path / "labels.csv").write_text(
        "file,label\n"
        + "".join(
            f"{part}/{number}.png,{'xy'[number - 1]}\n" for part in ("train", "test") for number in (1, 2)
        )
    )
    album = find_photos(tmp_path, PHOTOS)
    assert album.faults == []
    assert [(each.word, each.own) for each in album.photos] == [("x", 2), ("y", 2), ("x", 0), ("y", 0)]
    photo(tmp_path / "own" / "cat " / "1.png")
    photo(tmp_path / "own" / "cat" / "2.png")
    photo(tmp_path / "own" / "dog" / "1.png")
    assert find_photos(tmp_path / "own", PHOTOS).classes.names == ("cat", "dog")


LISTED = {  # how labels.csv calls the photos a/1.png, b/1.png, b/2.png
    "with the other slash": ("a\\1.png", "b\\1.png", "b\\2.png"),
    "with another computer's folders": ("C:\\me\\a\\1.png", "/home/me/b/1.png", "/home/me/2.png"),
    "by the bare place": ("a/1", "b/1", "2"),
    "in another case": ("A/1.PNG", "B/1.Png", "2.PNG"),
    "with another ending": ("a/1.jpg", "b/1.jpeg", "2.tif"),
}


@pytest.mark.parametrize("names", LISTED.values(), ids=LISTED)
def test_a_table_may_call_photos_otherwise(names: tuple[str, ...], tmp_path: Path) -> None:
    for file in ("a/1.png", "b/1.png", "b/2.png", "b/3.png"):
        photo(tmp_path / "images" / file)
    rows = [f"{name},{word}\n" for name, word in zip(names, ("x", "y", "x"), strict=True)]
    (tmp_path / "labels.csv").write_text("file,label\n" + "".join(rows))
    album = find_photos(tmp_path, PHOTOS)
    assert album.faults == []
    found = [(each.path.relative_to(tmp_path / "images").as_posix(), each.word) for each in album.photos]
    assert found == [("a/1.png", "x"), ("b/1.png", "y"), ("b/2.png", "x"), ("b/3.png", "")]
    otherwise = any("by another ending or case" in note for note in album.notes)
    assert otherwise == any(name.lower() != name or ".jp" in name or ".tif" in name for name in names[1:])


TABLES = {  # what stands in labels.csv beside a/1.png and b/1.png → what the message must say
    "a name of two photos": ("file,label\n1.png,x\n1.png,y\n", "none of its columns names them"),
    "no header": ("a/1.png,x\nb/1.png,y\n", "its first line, 'a/1.png', 'x', names a photo, not columns"),
    "no table": ("some words\n", "no rows below the header; it lies beside photos"),
    "Latin-1": ("file,label\na/1.png,b\xe4r\n", "is not UTF-8 text"),
    "two classes": ("file,label\na/1.png,x\na/1.png,y\nb/1.png,y\n", "1 photo with two different classes"),
}


@pytest.mark.parametrize(("content", "said"), TABLES.values(), ids=TABLES)
def test_a_table_that_does_not_say_what_photos_show_is_refused(
    content: str, said: str, tmp_path: Path
) -> None:
    for file in ("a/1.png", "b/1.png"):
        photo(tmp_path / file)
    (tmp_path / "labels.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(SelfsameError) as caught:
        stop_if_any(find_photos(tmp_path, PHOTOS).faults)
    assert said in caught.value.what and "data.encoding" not in caught.value.fix


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match="a file, where a folder of photos is expected"):
        images(photo(tmp_path / "a.png"), PHOTOS)


def test_the_digest_changes_with_content_and_with_a_name(garden: Path) -> None:
    seen = {str(images(garden, PHOTOS).content)}
    (garden / "watch" / "1.png").rename(garden / "watch" / "2.png")
    seen.add(str(images(garden, PHOTOS).content))
    photo(garden / "watch" / "2.png", (9, 9))
    seen.add(str(images(garden, PHOTOS).content))
    assert len(seen) == 3


def faults_of(root: Path, **options: object) -> str:
    return "\n".join(fault.what for fault in find_photos(root, photos_params(**options)).faults)


@pytest.mark.parametrize(
    "name", ["unlabeled", "Unlabeled", "unlabelled", "UNSORTED", "Un-labeled", "no_label"]
)
def test_a_folder_for_the_pool_may_be_called_otherwise(name: str, tmp_path: Path) -> None:
    for place in ("a/1.png", "b/1.png", f"{name}/1.png"):
        photo(tmp_path / place)
    album = find_photos(tmp_path, PHOTOS)
    assert (album.classes.names, album.classes.unlabeled, album.faults) == (("a", "b"), {"": 1}, [])


def test_folders_that_look_like_a_mark_or_like_each_other_are_asked_about(tmp_path: Path) -> None:
    for place in ("a/1.png", "b/1.png", "Unknown/1.png", "Big cat/1.png", "big-cat/1.png"):
        photo(tmp_path / place)
    said = faults_of(tmp_path)
    assert "'Unknown' (1 photo) would be a class of its own" in said
    assert "'Big cat' (1 photo) and 'big-cat' (1 photo) differ in spelling alone" in said
    assert faults_of(tmp_path, classes=["a", "b", "Unknown", "Big cat", "big-cat"]) == ""
    album = find_photos(tmp_path, photos_params(unlabeled_values=["Unknown"]))
    assert album.classes.unlabeled == {"Unknown": 1}


def test_a_folder_without_a_photo_is_named(tmp_path: Path) -> None:
    for place in ("a/1.png", "b/1.png"):
        photo(tmp_path / place)
    (tmp_path / "c").mkdir()
    assert "c: a folder without a photo" in faults_of(tmp_path)


def test_train_val_and_test_of_any_case_are_parts(tmp_path: Path) -> None:
    for part in ("Train", "VAL", "Test"):
        for place in ("a/1.png", "b/1.png"):
            photo(tmp_path / "wrapping" / part / place)
    (batch,) = images(tmp_path, PHOTOS).batches
    assert batch.own is not None
    assert dict(zip(batch.kept["file"].to_pylist(), batch.own.tolist(), strict=True)) == {
        f"wrapping/{part}/{name}/1.png": own
        for part, own in (("Test", 2), ("Train", 0), ("VAL", 1))
        for name in ("a", "b")
    }


def test_a_table_beside_the_photos_says_what_they_show(tmp_path: Path) -> None:
    for place in ("1.png", "2.png", "more/3.png", "4.png"):
        photo(tmp_path / place)
    lines = "Image,label,patient\n1.png,cat,p1\n2,dog,p1\n3.png, cat ,p2\n"
    (tmp_path / "labels.csv").write_text(lines)
    source = images(tmp_path, PHOTOS)
    (batch,) = source.batches
    assert source.info.classes == ("cat", "dog")
    assert batch.kept["file"].to_pylist() == ["1.png", "2.png", "4.png", "more/3.png"]
    assert batch.labels.tolist() == [0, 1, -1, 0]
    assert batch.kept["patient"].to_pylist() == ["p1", "p1", None, "p2"]
    assert "3 of 4 photos stand in labels.csv; the classes are its" in source.notes


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("name,kind,age\n1.png,a,3\n2.png,b,4\n", "which column has the class"),
        (
            "file,label\n1.png,a\n2.png,b\n9.png,b\n",
            "1 row of it name no photo that is there: '9.png', first at line 4",
        ),
        ("file,label\n1.png,a\n2.png,b\n1.png,b\n", "1 photo with two different classes: 1.png: 'a' and 'b'"),
        ("x,y\n1,2\n3,4\n5,6\n", "none of its columns names them"),
    ],
)
def test_a_table_that_does_not_fit_the_photos_is_refused(lines: str, said: str, tmp_path: Path) -> None:
    for place in ("1.png", "2.png"):
        photo(tmp_path / place)
    (tmp_path / "labels.csv").write_text(lines)
    with pytest.raises(SelfsameError, match=re.escape(said)):
        images(tmp_path, PHOTOS)


def grey(path: Path, pixels: np.ndarray) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (
            lambda path: grey(path, np.array([[0, 4095]], np.uint16)),
            "16-bit pixels are at most 4095 of 65535",
        ),
        (
            lambda path: grey(path, np.array([[0, 0.5]], np.float32)),
            "floating-point numbers of 32 bits, from 0 to 0.5",
        ),
        (
            lambda path: grey(path, np.array([[0, 70_000]], np.int32)),
            "whole numbers of 32 bits, from 0 to 70000",
        ),
        (
            lambda path: Image.new("L", (4, 4)).save(
                path, save_all=True, append_images=[Image.new("L", (4, 4), 9)]
            ),
            "has 2 pictures or pages",
        ),
    ],
    ids=["12 bits", "floats", "32 bits", "pages"],
)
def test_a_picture_that_would_come_out_wrong_is_refused(write: object, said: str, tmp_path: Path) -> None:
    assert callable(write)
    write(tmp_path / "a.tiff")
    with pytest.raises(SelfsameError, match=said):
        read_photo(tmp_path / "a.tiff", 8)


def test_a_phones_photo_with_a_preview_is_one_photo(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), RED).save(
        tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.new("RGB", (4, 4))]
    )
    assert read_photo(tmp_path / "a.jpg", 8)[0].mean() > 200


def test_all_broken_files_are_named_at_once(garden: Path) -> None:
    for name in ("7.heic", "8.jpg"):
        (garden / "watch" / name).write_bytes(b"no image")
    with pytest.raises(SelfsameError) as caught:
        list(images(garden, PHOTOS).batches)
    assert "2 things are wrong" in caught.value.what
    assert "convert it to JPEG" in caught.value.what
    assert "8.jpg" in caught.value.what


def test_a_name_that_is_no_utf8_is_refused(garden: Path) -> None:
    (garden / "watch" / "1.png").rename(garden / "watch" / os.fsdecode(b"caf\xe9.png"))
    with pytest.raises(SelfsameError, match=r"caf\\xe9\.png: its name is not UTF-8"):
        find_photos(garden, PHOTOS)
