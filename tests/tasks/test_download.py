"""The stage ``download``: one table of every row, and a manifest that says what it is."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fake_mnist import digests, idx_files, serve
from project import run_task
from pydantic import ValidationError

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.sources import mnist
from selfsame.sources.embedded import breast_cancer, digits

RAW = Path("data/raw")


def download(root: Path, source: str, **changes: object) -> dict[str, object]:
    run_task("download", root, data={"source": source, **changes})
    return json.loads((root / RAW / "manifest.json").read_text())


@pytest.mark.parametrize(("name", "rows", "classes"), [("digits", 1797, 10), ("breast_cancer", 569, 2)])
def test_the_manifest_says_what_the_table_holds(name: str, rows: int, classes: int, tmp_path: Path) -> None:
    manifest = download(tmp_path, name)
    source = {"digits": digits, "breast_cancer": breast_cancer}[name]()
    table = pq.read_table(tmp_path / RAW / "examples")
    labels = table["label"].to_pylist()
    assert manifest == {
        "source": name,
        "origin": source.origin,
        "licence": source.licence,
        "content_sha256": source.content,
        "rows": rows,
        "rows_per_class": {source.info.classes[index]: labels.count(index) for index in range(classes)},
        "files_sha256": {file.name: sha256_file(file) for file in files_under(tmp_path / RAW / "examples")},
    }
    assert table.num_rows == rows == len(set(table["example_id"].to_pylist()))
    assert table["source_row"].to_pylist() == list(range(rows))
    assert table["source_holdout"].null_count == rows
    assert TableInfo.of(tmp_path / RAW / "examples") == source.info


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        download(tmp_path / name, "digits")
        files.append([file.read_bytes() for file in files_under(tmp_path / name / RAW)])
    assert files[0] == files[1]


def test_folder_and_mirror_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = idx_files()
    monkeypatch.setattr(mnist, "CONTENT", digests(files))
    local = tmp_path / "idx"
    local.mkdir()
    for name, content in files.items():
        (local / name).write_bytes(content)
    with serve(files) as mirror:
        manifests = [
            download(tmp_path / "from-folder", "mnist", folder=str(local)),
            download(tmp_path / "from-mirror", "mnist", mirror=mirror.url),
        ]
    assert manifests[0] == manifests[1]
    assert manifests[0]["rows"] == 360
    table = pq.read_table(tmp_path / "from-folder" / RAW / "examples")
    assert table["source_holdout"].to_pylist() == [False] * 300 + [True] * 60


def test_a_failed_download_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "_addresses", lambda mirror: [mirror])
    monkeypatch.setattr(mnist.time, "sleep", lambda _: None)
    with (
        serve(idx_files()) as mirror,  # its content isn't MNIST's
        pytest.raises(SelfsameError, match="download of MNIST failed"),
    ):
        download(tmp_path, "mnist", mirror=mirror.url)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["folder", "mirror"])
def test_a_place_for_an_embedded_source_is_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="folder and mirror belong to the source mnist, not to digits"):
        download(tmp_path, "digits", **{key: "somewhere"})
