"""MNIST and Fashion-MNIST, from a folder or from mirrors that fail in every way: all of it, or a message."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_mnist import ROWS, Answer, Mirror, digests, idx_files, serve

from selfsame.core.errors import SelfsameError
from selfsame.sources import fetch, idx
from selfsame.sources.fetch import ATTEMPTS
from selfsame.sources.idx import FASHION_MNIST, MNIST, idx_source
from selfsame.sources.source import Source

FILES = idx_files()
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
CLOSED = "http://127.0.0.1:9/mnist"  # the discard port: nobody listens


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the tiny content for MNIST's, and let the only mirror be the one that a test names."""
    monkeypatch.setattr(idx, "_addresses", lambda _, mirror: [mirror])
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serve(FILES) as running:
        yield running


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    (folder / ".gitkeep").touch()
    return folder


def mnist(place: Path, mirror: str | None) -> Source:
    return idx_source(replace(MNIST, sha256=digests(FILES)), place, mirror)


def rows_of(source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    batches = list(source.batches)
    names = ("inputs", "labels", "own")
    return tuple(np.concatenate([getattr(batch, name) for batch in batches]) for name in names)


def assert_whole(source: Source) -> None:
    inputs, labels, holdout = rows_of(source)
    train, test = (np.frombuffer(FILES[f"{part}-images-idx3-ubyte"][16:], np.uint8) for part in ROWS)
    np.testing.assert_array_equal(inputs.reshape(-1), np.concatenate([train, test]))
    assert inputs.shape == (360, 1, 28, 28)
    assert labels.tolist() == [row % 10 for rows in ROWS.values() for row in range(rows)]
    assert holdout.tolist() == [0] * 300 + [2] * 60
    assert source.content == digests(FILES)


def test_a_folder_is_read(folder: Path) -> None:
    assert_whole(mnist(folder, None))


def test_a_folder_of_gzipped_files_is_read(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).unlink()
        (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    assert_whole(mnist(folder, None))


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / LABELS).unlink()
    with pytest.raises(SelfsameError, match=f"neither {LABELS} nor {LABELS}.gz is there") as caught:
        mnist(folder, None)
    assert str(folder) in caught.value.what


def test_other_content_is_refused_with_both_digests(folder: Path) -> None:
    spoiled = FILES[IMAGES][:-1] + b"\0\0"
    (folder / IMAGES).write_bytes(spoiled)
    with pytest.raises(SelfsameError) as caught:
        mnist(folder, None)
    for words in (str(folder / IMAGES), digests({"": spoiled})[""], digests(FILES)[IMAGES]):
        assert words in caught.value.what


def test_a_cut_gzip_file_is_refused(folder: Path) -> None:
    (folder / IMAGES).unlink()
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(FILES[IMAGES])[:-100])
    with pytest.raises(SelfsameError, match=rf"{IMAGES}\.gz: "):
        mnist(folder, None)


def test_a_mirror_is_read(empty: Path, mirror: Mirror) -> None:
    assert_whole(mnist(empty, mirror.url))
    assert sorted(mirror.asked) == sorted(f"{name}.gz" for name in FILES)


PACKED = gzip.compress(FILES[IMAGES])
FAILURES = {  # what a mirror may answer → what the message must say
    "not there": (Answer(404), "404"),
    "server error": (Answer(500), "500"),
    "empty": (Answer(), "its content has the sha256"),
    "another page": (Answer(body=b"<html>sorry</html>"), "its content has the sha256"),
    "connection lost": (Answer(body=PACKED, cut=100), "IncompleteRead"),
    "cut file": (Answer(body=PACKED[:-100]), "end-of-stream"),
    "corrupt file": (Answer(body=PACKED[:10] + b"\xff" * 30), "invalid"),
}


@pytest.mark.parametrize("failure", [failure for failure, _ in FAILURES.values()], ids=FAILURES)
def test_a_failed_download_is_tried_again(empty: Path, failure: Answer, mirror: Mirror) -> None:
    mirror.answers[f"{IMAGES}.gz"].insert(0, failure)
    assert_whole(mnist(empty, mirror.url))
    assert mirror.asked.count(f"{IMAGES}.gz") == 2


@pytest.mark.parametrize(("failure", "why"), FAILURES.values(), ids=FAILURES)
def test_a_download_that_keeps_failing_says_where_and_why(
    empty: Path, failure: Answer, why: str, mirror: Mirror
) -> None:
    mirror.answers[f"{IMAGES}.gz"] = [failure]
    with pytest.raises(SelfsameError) as caught:
        mnist(empty, mirror.url)
    assert mirror.asked.count(f"{IMAGES}.gz") == ATTEMPTS
    assert f"{mirror.url}{IMAGES}.gz: " in caught.value.what
    assert why in caught.value.what
    assert "data.path" in caught.value.fix


def test_every_address_is_tried_and_named(
    empty: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idx, "_addresses", lambda *_: [CLOSED, mirror.url])
    assert_whole(mnist(empty, None))
    mirror.answers.clear()
    with pytest.raises(SelfsameError) as caught:
        mnist(empty, None)
    first, *reasons = caught.value.what.splitlines()
    assert f"after {ATTEMPTS} attempts" in first
    assert [reason.split("/mnist")[0].strip() for reason in reasons] == [
        CLOSED.removesuffix("/mnist"),
        mirror.url.removesuffix("/mnist/"),
    ]
    assert "refused" in reasons[0]
    assert "404" in reasons[1]


def test_attempts_are_spaced(empty: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(fetch.time, "sleep", waited.append)
    mirror.answers.clear()
    with pytest.raises(SelfsameError):
        mnist(empty, mirror.url)
    assert waited == sorted(waited)
    assert waited[0] == 0 < waited[1] < waited[-1]


@pytest.mark.parametrize("data", [MNIST, FASHION_MNIST], ids=lambda data: data.name)
def test_the_mirror_comes_before_torchvisions_own(data: idx.IdxSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    first, *others = idx._addresses(data, "http://here")
    assert first == "http://here"
    assert others == idx._addresses(data, None) != []


def test_fashion_mnist_is_known_by_the_digest_of_its_packed_files(tmp_path: Path) -> None:
    packed = {name: gzip.compress(content, mtime=0) for name, content in FILES.items()}
    data = replace(FASHION_MNIST, sha256=digests(packed))
    for name, content in packed.items():
        (tmp_path / f"{name}.gz").write_bytes(content)
    source = idx_source(data, tmp_path, None)
    assert source.info.classes[:2] == ("T-shirt/top", "Trouser")
    np.testing.assert_array_equal(rows_of(source)[0], rows_of(mnist(tmp_path, None))[0])
    (tmp_path / f"{IMAGES}.gz").write_bytes(gzip.compress(FILES[IMAGES], 1))
    with pytest.raises(SelfsameError, match="Fashion-MNIST's train-images-idx3-ubyte has"):
        idx_source(data, tmp_path, None)
