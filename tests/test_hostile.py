"""Files made to do harm: no code in them runs, nothing is written outside, and no bomb goes off."""

import gzip
import io
import os
import pickle
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, PngImagePlugin

from selfsame.audit.stored import parse_yaml
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import CONFIG, WEIGHTS
from selfsame.core.tables import open_table
from selfsame.dag.workspace import LOCK_FILE, set_cut_lock_file_aside
from selfsame.learning.resume import Checkpoints
from selfsame.model.efficientnet_lite import read_weights
from selfsame.model.models import load_model
from selfsame.model.torchvision_nets import _local_state as local_state
from selfsame.params.check import check_params
from selfsame.params.data import Arrays, Images, Table
from selfsame.params.model import read_model
from selfsame.params.overrides import parse_overrides
from selfsame.sources import cifar10, fetch
from selfsame.sources.arrays import arrays
from selfsame.sources.images import find_photos, images
from selfsame.sources.table import table
from selfsame.start.guess import guess

MEGABYTE = 1 << 20


class Planted:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a planted pickle makes; that it would is shown here."""
    place = tmp_path / "ran"
    pickle.loads(pickle.dumps(Planted(place)))
    assert place.is_dir()
    place.rmdir()
    return place


@pytest.mark.parametrize("kind", ["pickle", "torch"])
@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_pickle_in_the_place_of_a_model(kind: str, name: str, mark: Path, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text("{}")
    if kind == "pickle":
        (tmp_path / name).write_bytes(pickle.dumps(Planted(mark)))
    else:
        torch.save(Planted(mark), tmp_path / name)
    with pytest.raises(SelfsameError):
        load_model(tmp_path)
    assert not mark.exists()


def test_a_pickle_among_arrays(mark: Path, tmp_path: Path) -> None:
    place = tmp_path / "own"
    place.mkdir()
    objects = np.array([Planted(mark)], dtype=object)
    np.savez(place / "own.npz", x_train=objects, y_train=np.array([1]))
    with pytest.raises(SelfsameError, match="neither an idx nor an npz file of numbers"):
        arrays(place, Arrays.model_validate({"source": "arrays", "path": "-"}))
    assert not mark.exists()


def test_a_pickle_in_the_place_of_a_checkpoint(mark: Path, tmp_path: Path) -> None:
    content = pickle.dumps(Planted(mark))
    folder = tmp_path / "training"
    folder.mkdir()
    (folder / f"{sha256(content).hexdigest()}.safetensors").write_bytes(content)  # named as a whole one is
    assert Checkpoints(folder, 0).restore({}) == []
    assert not mark.exists()


def test_a_pickle_in_the_place_of_published_weights(mark: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save(Planted(mark), path)
    params = read_model(
        {
            "architecture": "torchvision",
            "torchvision_name": "resnet18",
            "weights": str(path),
            "weights_sha256": sha256(path.read_bytes()).hexdigest(),
        }
    )
    with pytest.raises(SelfsameError, match="not a safetensors file"):
        local_state(params)
    assert not mark.exists()


@pytest.mark.parametrize("legacy", [True, False])
def test_a_pickle_in_the_place_of_packaged_weights(legacy: bool, mark: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(Planted(mark), path, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(SelfsameError, match="no weights"):
        read_weights(path)
    assert not mark.exists()


def test_a_pickle_in_the_schema_of_a_table(mark: Path, tmp_path: Path) -> None:
    """As pyarrow once kept a type of one's own, and unpickled it when the file was read."""
    kind = {b"ARROW:extension:name": b"arrow.py_extension_type"}
    field = pa.field(
        "a", pa.int64(), metadata=kind | {b"ARROW:extension:metadata": pickle.dumps(Planted(mark))}
    )
    rows = pa.table([pa.array([row * 7 % 5 for row in range(20)])], schema=pa.schema([field]))
    place = tmp_path / "own"
    place.mkdir()
    pq.write_table(rows.append_column("y", pa.array(["u", "v"] * 10)), place / "t.parquet")
    params = Table.model_validate({"source": "table", "path": "-", "target_column": "y"})
    with suppress(SelfsameError):
        list(table(place, params).batches)
    with suppress(SelfsameError):
        open_table(place / "t.parquet").to_table()
    assert not mark.exists()


YAML_READERS: dict[str, Callable[[Path], Any]] = {
    "params.yaml or dvc.yaml": read_yaml,
    "a setting of the command line": lambda path: parse_overrides([f"data={path.read_text()[6:]}"]),
    "dvc.lock of a commit": lambda path: parse_yaml(path.read_bytes()),
}


@pytest.mark.parametrize("read", YAML_READERS.values(), ids=YAML_READERS)
@pytest.mark.parametrize(
    "tag", ["python/object/apply:os.mkdir", "python/object/new:os.mkdir", "python/name:os.mkdir"]
)
def test_a_tag_in_yaml(read: Callable[[Path], Any], tag: str, mark: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"data: !!{tag} ['{mark}']\n")
    with pytest.raises((SelfsameError, ValueError)):
        read(path)
    assert not mark.exists()


def test_a_tag_in_a_lock_file(mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    LOCK_FILE.write_text(f"schema: '2.0'\nstages: !!python/object/apply:os.mkdir ['{mark}']\n")
    set_cut_lock_file_aside(tmp_path, lambda _: None)
    assert not mark.exists() and not LOCK_FILE.exists()


def test_a_yaml_bomb(tmp_path: Path) -> None:
    """Nine levels of nine aliases each: 400 million values if they were copied."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (tmp_path / "params.yaml").write_text("\n".join(levels))
    start = time.process_time()
    with pytest.raises(SelfsameError):
        check_params(read_yaml(tmp_path / "params.yaml"))
    assert time.process_time() - start < 5


def test_a_table_of_labels_that_names_what_lies_outside(tmp_path: Path) -> None:
    place = tmp_path / "own"
    for path in (tmp_path / "secret.png", place / "a.png", place / "b.png"):
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (9, 9)).save(path)
    (place / "labels.csv").write_text(
        f"file,label\na.png,u\nb.png,v\n../secret.png,u\n{tmp_path}/secret.png,v\n"
    )
    album = find_photos(place, Images.model_validate({"source": "images", "path": "-"}))
    assert "2 rows of it name no photo that is there" in album.faults[0].what
    assert all(photo.path.is_relative_to(place) for photo in album.photos)


def test_an_archive_that_points_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)
    place = tmp_path / "own"
    place.mkdir()
    with tarfile.open(place / cifar10.ARCHIVE, "w:gz") as tar:
        for name in ("../outside", "/tmp/outside", f"../{cifar10.TEST}"):
            member = tarfile.TarInfo(name)
            member.size = 3
            tar.addfile(member, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("data_batch_1.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SelfsameError):
        cifar10.cifar10(place, None)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bomb(tmp_path: Path) -> None:
    """Half a gigabyte of zeros in half a megabyte, whose header says one row of 28×28."""
    head = bytes([0, 0, 8, 3]) + np.array([1, 28, 28], ">u4").tobytes()
    with gzip.open(tmp_path / "train-images-idx3-ubyte.gz", "wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(512):
            file.write(bytes(MEGABYTE))
    tracemalloc.start()
    with pytest.raises(SelfsameError, match="its header says 784 bytes of values"):
        arrays(tmp_path, Arrays.model_validate({"source": "arrays", "path": "-"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MEGABYTE


def zeros(path: Path, megabytes: int) -> None:
    """Write what unpacks to zeros alone."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(megabytes):
            file.write(bytes(MEGABYTE))


def test_a_bomb_in_place_of_a_table(tmp_path: Path) -> None:
    zeros(tmp_path / "t.csv.gz", 256)
    params = Table.model_validate({"source": "table", "path": "-", "target_column": "y"})
    tracemalloc.start()
    with pytest.raises(SelfsameError, match="zero bytes"):
        table(tmp_path, params)
    with pytest.raises(SelfsameError):
        guess(tmp_path, "y")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MEGABYTE


def test_a_bomb_in_an_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of zeros, packed: refused by what the archive says of itself, here beyond 64 MB."""
    monkeypatch.setattr("selfsame.sources.arrays.BOMB_BYTES", 64 * MEGABYTE)
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "|u1", "fortran_order": False, "shape": (128, 1024, 1024)}
    )
    with (
        zipfile.ZipFile(tmp_path / "own.npz", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as file,
    ):
        file.write(head.getvalue())
        for _ in range(8):
            file.write(bytes(16 * MEGABYTE))
    tracemalloc.start()
    with pytest.raises(SelfsameError, match="it would unpack to"):
        arrays(tmp_path, Arrays.model_validate({"source": "arrays", "path": "-"}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * MEGABYTE


def test_a_bomb_among_photos(tmp_path: Path) -> None:
    """400 million pixels by what its head says, and two megabytes of text in a few bytes."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / name / "a.png")
    content = bytearray((tmp_path / "cat" / "a.png").read_bytes())
    content[16:24] = np.array([20_000, 20_000], ">u4").tobytes()
    content[29:33] = np.array([zlib.crc32(content[12:29])], ">u4").tobytes()
    (tmp_path / "cat" / "b.png").write_bytes(content)
    text = PngImagePlugin.PngInfo()
    text.add_text("t", "a" * 2 * MEGABYTE, zip=True)
    Image.new("RGB", (9, 9)).save(tmp_path / "dog" / "c.png", pnginfo=text)
    params = Images.model_validate({"source": "images", "path": "-", "image_size": 8})
    tracemalloc.start()
    with pytest.raises(SelfsameError, match="2 things are wrong") as caught:
        list(images(tmp_path, params).batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "cat/b.png" in caught.value.what and "dog/c.png" in caught.value.what
    assert peak < 20 * MEGABYTE
