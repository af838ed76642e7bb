"""CIFAR-10's binary version, from files, archive or mirror, and from class folders."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from fake_mnist import Answer, digests, serve
from PIL import Image

from selfsame.core.errors import SelfsameError
from selfsame.sources import cifar10 as module
from selfsame.sources import fetch
from selfsame.sources.cifar10 import ARCHIVE, CLASSES, ROW_BYTES, TEST, cifar10
from selfsame.sources.source import Source

NAMES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), TEST)
ROWS = 20


def binary_files() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    files = {}
    for name in NAMES:
        rows = random.integers(0, 256, (ROWS, ROW_BYTES), dtype=np.uint8)
        rows[:, 0] = np.arange(ROWS) % 10
        files[name] = rows.tobytes()
    return files


FILES = binary_files()


def archive() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONTENT", digests(FILES))
    monkeypatch.setattr(module, "PUBLISHER", "http://127.0.0.1:9")
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)


def assert_whole(source: Source) -> None:
    batches = list(source.batches)
    pictures = np.concatenate([batch.inputs for batch in batches])
    rows = np.frombuffer(b"".join(FILES.values()), np.uint8).reshape(-1, ROW_BYTES)
    np.testing.assert_array_equal(pictures.reshape(len(rows), -1), rows[:, 1:])
    assert pictures.shape == (6 * ROWS, 3, 32, 32)
    assert np.concatenate([batch.labels for batch in batches]).tolist() == rows[:, 0].tolist()
    assert np.concatenate([batch.own for batch in batches]).tolist() == [0] * 100 + [2] * 20
    assert source.info.classes == CLASSES
    assert source.content == digests(FILES)


def test_files_below_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-bin").mkdir()
    for name, content in FILES.items():
        (tmp_path / "cifar-10-batches-bin" / name).write_bytes(content)
    assert_whole(cifar10(tmp_path, None))


@pytest.mark.parametrize("inside", [True, False], ids=["in a folder", "itself"])
def test_the_archive_is_read(inside: bool, tmp_path: Path) -> None:
    path = tmp_path / ARCHIVE
    path.write_bytes(archive())
    assert_whole(cifar10(tmp_path if inside else path, None))


def test_an_empty_folder_downloads_it(tmp_path: Path) -> None:
    with serve({}) as mirror:
        mirror.answers[ARCHIVE] = [Answer(404), Answer(body=archive())]
        assert_whole(cifar10(tmp_path, mirror.url))
    assert list(tmp_path.iterdir()) == []


def test_a_cut_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / ARCHIVE).write_bytes(archive()[:-5000])
    with pytest.raises(SelfsameError, match=ARCHIVE):
        cifar10(tmp_path, None)


def test_other_content_is_refused(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / TEST).write_bytes(FILES[TEST][::-1])
    with pytest.raises(SelfsameError, match=f"{TEST} has the sha256"):
        cifar10(tmp_path, None)
    (tmp_path / "data_batch_3.bin").unlink()
    with pytest.raises(SelfsameError, match=r"data_batch_3\.bin is missing"):
        cifar10(tmp_path, None)


def test_the_pickled_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(b"\x80\x02}q\x01.")
    with pytest.raises(SelfsameError, match="a pickle runs its code") as caught:
        cifar10(tmp_path, None)
    assert ARCHIVE in caught.value.fix


def test_class_folders_are_read(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for number, name in enumerate(CLASSES):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / "1.png")
    source = cifar10(tmp_path, None)
    (batch,) = source.batches
    assert source.info.source == "cifar10"
    assert batch.labels.tolist() == [*range(10), *range(10)]
    assert batch.inputs[:, 0, 0, 0].tolist() == [*range(10), *range(10)]
    assert batch.own.tolist() == [2] * 10 + [0] * 10
    (tmp_path / "train" / "ship").rename(tmp_path / "train" / "boat")
    (tmp_path / "test" / "ship").rename(tmp_path / "test" / "boat")
    with pytest.raises(SelfsameError, match=r"its classes are airplane, .*boat"):
        cifar10(tmp_path, None)
