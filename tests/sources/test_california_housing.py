"""California housing: scikit-learn's eight features, from a CSV file or from the publisher's archive."""

import hashlib
import io
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from fake_mnist import Answer, serve

from selfsame.core.errors import SelfsameError
from selfsame.sources import california_housing as module
from selfsame.sources import fetch
from selfsame.sources.california_housing import ARCHIVE, CENSUS, FEATURES, FILE, MEMBER, california_housing
from selfsame.sources.source import Batch

ROW = (-122.23, 37.88, 41.0, 880.0, 129.0, 322.0, 126.0, 8.3252, 452600.0)  # the first of the data set
# scikit-learn's own first row: its documentation's describe() rounds them so.
FIRST = [8.3252, 41.0, 6.98412698, 1.02380952, 322.0, 2.55555556, 37.88, -122.23]


@cache  # a gzip header holds the time: two calls would differ where a second begins
def archive() -> bytes:
    text = "\n".join(",".join(map(str, ROW)) for _ in range(2)).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo(MEMBER)
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text))
    return buffer.getvalue()


def only_batch(place: Path) -> Batch:
    source = california_housing(place)
    assert source.info.features == FEATURES
    assert source.info.target == "regression"
    (batch,) = source.batches
    return batch


def test_a_csv_file_gives_scikit_learns_features(tmp_path: Path) -> None:
    header = ",".join([*CENSUS, "ocean_proximity"])
    rows = [[*map(str, ROW), "NEAR BAY"], [*map(str, ROW), "INLAND"]]
    rows[1][CENSUS.index("total_bedrooms")] = ""
    (tmp_path / "housing.csv").write_text("\n".join([header, *map(",".join, rows)]))
    batch = only_batch(tmp_path)
    np.testing.assert_allclose(batch.inputs[0], FIRST, rtol=1e-8)
    assert np.isnan(batch.inputs[1]).tolist() == [name == "AveBedrms" for name in FEATURES]
    assert batch.labels.tolist() == [4.526, 4.526]


def test_another_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "housing.csv").write_text("a,median_house_value\n1,2\n")
    with pytest.raises(SelfsameError, match=r"housing\.csv: no column of numbers is called 'longitude'"):
        california_housing(tmp_path)


def test_the_publishers_archive_is_read_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ARCHIVE).write_bytes(archive())
    with pytest.raises(SelfsameError, match="its content has the sha256"):
        california_housing(tmp_path)
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(archive()).hexdigest())
    np.testing.assert_allclose(only_batch(tmp_path).inputs, [FIRST, FIRST], rtol=1e-8)


def test_an_empty_folder_downloads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)
    with serve({}) as publisher:
        monkeypatch.setattr(module, "PUBLISHER", publisher.url)
        publisher.answers[FILE] = [Answer(body=archive())]
        with pytest.raises(SelfsameError, match="download of California housing failed"):
            california_housing(tmp_path)
        monkeypatch.setattr(module, "SHA256", hashlib.sha256(archive()).hexdigest())
        np.testing.assert_allclose(only_batch(tmp_path).inputs, [FIRST, FIRST], rtol=1e-8)


def test_it_is_what_scikit_learn_downloads() -> None:
    from sklearn.datasets import _california_housing as reference

    known = reference.ARCHIVE
    assert known.url == f"{module.PUBLISHER}/{FILE}"
    assert (known.filename, known.checksum) == (ARCHIVE, module.SHA256)
