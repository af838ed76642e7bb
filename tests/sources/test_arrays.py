"""Images of one's own in idx and npz files."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.params.data import Arrays
from selfsame.sources.arrays import arrays
from selfsame.sources.source import Source

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (48, 50, 50), dtype=np.uint8)
LABELS = np.arange(48, dtype=np.uint8) % 16


def read(place: Path, **changes: Any) -> Source:
    return arrays(place, Arrays.model_validate({"source": "arrays", "path": "-"} | changes))


def idx(path: Path, values: np.ndarray, pack: bool = False) -> None:
    kind = {"uint8": 8, "int32": 12}[values.dtype.name]
    head = bytes([0, 0, kind, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    content = head + values.astype(values.dtype.newbyteorder(">")).tobytes()
    path.write_bytes(gzip.compress(content) if pack else content)


def whole(source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    batches = list(source.batches)
    own = [batch.own for batch in batches if batch.own is not None]
    inputs, labels = (
        np.concatenate([getattr(batch, name) for batch in batches]) for name in ("inputs", "labels")
    )
    return inputs, labels, np.concatenate(own) if own else None


@pytest.mark.parametrize("pack", [False, True])
def test_idx_files_of_any_size_and_number_of_classes(pack: bool, tmp_path: Path) -> None:
    ending = ".gz" if pack else ""
    idx(tmp_path / f"train-images-idx3-ubyte{ending}", PIXELS, pack)
    idx(tmp_path / f"train-labels-idx1-ubyte{ending}", LABELS, pack)
    idx(tmp_path / f"t10k-images-idx3-ubyte{ending}", PIXELS[:5], pack)
    idx(tmp_path / f"t10k-labels-idx1-ubyte{ending}", LABELS[:5].astype(np.int32), pack)
    idx(tmp_path / f"unlabeled-images-idx3-ubyte{ending}", PIXELS[:7], pack)
    source = read(tmp_path)
    inputs, labels, own = whole(source)
    assert source.info.image_shape == (1, 50, 50)
    assert source.info.classes == tuple(map(str, range(16)))
    np.testing.assert_array_equal(inputs, np.concatenate([PIXELS[:5], PIXELS, PIXELS[:7]])[:, None])
    assert labels.tolist() == [*LABELS[:5], *LABELS, *[-1] * 7]
    assert own is not None
    assert own.tolist() == [*[2] * 5, *[0] * 55]


def test_an_npz_with_colors_last_and_words_as_labels(tmp_path: Path) -> None:
    colors = RANDOM.integers(0, 256, (6, 8, 9, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=colors, labels=np.array(["cat", "dog", "", "cat", "dog", "?"]))
    source = read(tmp_path)
    inputs, labels, own = whole(source)
    np.testing.assert_array_equal(inputs, colors.transpose(0, 3, 1, 2))
    assert (labels.tolist(), own) == ([0, 1, -1, 0, 1, -1], None)


def test_minus_one_is_asked_about(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=PIXELS[:4], y=np.array([0, 1, -1, -1]))
    with pytest.raises(SelfsameError, match=r"'-1' .* looks like a mark"):
        read(tmp_path)
    assert whole(read(tmp_path, unlabeled_values=["-1"]))[1].tolist() == [0, 1, -1, -1]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "no file is there"),
    "floats": ({"x": PIXELS / 255, "y": LABELS}, "float64 from 0 to 1, where 8 bits"),
    "a table": ({"x": np.zeros((9, 4)), "y": np.arange(9) % 2}, "is a table"),
    "too few labels": ({"x": PIXELS, "y": LABELS[:9]}, "48 images in 'x' and 9 labels in 'y'"),
    "labels alone": ({"y": LABELS}, "one of each is needed"),
    "one class": ({"x": PIXELS, "y": LABELS * 0}, "two classes or more"),
    "objects": ({"x": np.array([{}]), "y": LABELS}, "neither an idx nor an npz file"),
    "two sizes": (
        {"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS[:, 1:], "y_test": LABELS},
        "images of different shapes",
    ),
    "five dimensions": ({"x": np.zeros((2, 2, 2, 2, 2), np.uint8)}, "neither images nor labels"),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_refused(content: dict[str, Any], said: str, tmp_path: Path) -> None:
    if content:
        np.savez(tmp_path / "a.npz", **content)
    with pytest.raises(SelfsameError, match=re.escape(said)):
        read(tmp_path)


HEADS = {  # the first bytes of an idx file → what the message must say
    "another type": (bytes([0, 0, 7, 1]), "its header says type 7 and 1 dimensions"),
    "200 dimensions": (bytes([0, 0, 8, 200]), "its header says type 8 and 200 dimensions"),
    "another start": (bytes([1, 0, 8, 1]), "it doesn't begin as an idx file does"),
}


@pytest.mark.parametrize(("head", "said"), HEADS.values(), ids=HEADS)
def test_a_header_that_says_what_cannot_be_is_refused(head: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(head + bytes(900))
    with pytest.raises(SelfsameError, match=re.escape(said)):
        read(tmp_path)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello, all of you")
    with pytest.raises(SelfsameError, match=r"a\.txt: neither an idx nor an npz file"):
        read(tmp_path)
