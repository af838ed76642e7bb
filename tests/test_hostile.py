"""Files made to do harm: no code in them runs, nothing is written outside, and no bomb goes off."""

import gzip
import io
import os
import pickle
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import CONFIG, WEIGHTS
from selfsame.model.models import load_model
from selfsame.params.data import Arrays
from selfsame.sources import cifar10, fetch
from selfsame.sources.arrays import arrays

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


def test_a_tag_in_yaml(mark: Path, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(f"data: !!python/object/apply:os.mkdir ['{mark}']\n")
    with pytest.raises(SelfsameError, match="not valid YAML"):
        read_yaml(path)
    assert not mark.exists()


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
