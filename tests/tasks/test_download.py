"""The stage ``download``: one table of every row, and a manifest that says what it is."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from fake_mnist import digests, idx_files, serve
from project import run_task

import selfsame.sources.opened as opened
from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo
from selfsame.sources import fetch, idx
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
        "license": source.license,
        "source_url": None,
        "description": None,
        "notes": [],
        "content_sha256": source.content,
        "rows": rows,
        "rows_per_class": {source.info.classes[index]: labels.count(index) for index in range(classes)},
        "target": None,
        "unlabeled_rows": 0,
        "files_sha256": {file.name: sha256_file(file) for file in files_under(tmp_path / RAW / "examples")},
    }
    assert table.num_rows == rows == len(set(table["example_id"].to_pylist()))
    assert table["source_row"].to_pylist() == list(range(rows))
    assert table["source_role"].null_count == rows
    assert TableInfo.of(tmp_path / RAW / "examples") == source.info


def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        download(tmp_path / name, "digits")
        files.append([file.read_bytes() for file in files_under(tmp_path / name / RAW)])
    assert files[0] == files[1]


def test_folder_and_mirror_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = idx_files()
    monkeypatch.setattr(opened, "MNIST", replace(idx.MNIST, sha256=digests(files)))
    local = tmp_path / "idx"
    local.mkdir()
    for name, content in files.items():
        (local / name).write_bytes(content)
    with serve(files) as mirror:
        manifests = [
            download(tmp_path / "from-folder", "mnist", path=str(local)),
            download(tmp_path / "from-mirror", "mnist", mirror=mirror.url),
        ]
    assert manifests[0] == manifests[1]
    assert manifests[0]["rows"] == 360
    table = pq.read_table(tmp_path / "from-folder" / RAW / "examples")
    assert table["source_role"].to_pylist() == ["train"] * 300 + ["holdout"] * 60


def test_a_failed_download_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "_addresses", lambda _, mirror: [mirror])
    monkeypatch.setattr(fetch.time, "sleep", lambda _: None)
    with (
        serve(idx_files()) as mirror,  # its content isn't MNIST's
        pytest.raises(SelfsameError, match="download of MNIST failed"),
    ):
        download(tmp_path, "mnist", mirror=mirror.url)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("source", "key", "value"),
    [
        ("digits", "mirror", "http://here"),
        ("breast_cancer", "target_column", "kind"),
        ("digits", "ignore_columns", ["id"]),
        ("mnist", "separator", ";"),
    ],
)
def test_a_key_of_another_source_is_refused(source: str, key: str, value: object, tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match=rf"data\.{key} = .*: means nothing with source = {source}"):
        download(tmp_path, source, **{key: value})


def test_a_table_needs_a_target(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError, match=r"data\.target_column: missing"):
        download(tmp_path, "table")


def test_files_that_an_embedded_source_would_not_read_are_named(tmp_path: Path) -> None:
    inbox = tmp_path / "data" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SelfsameError, match=r"mine\.csv lies there, but data\.source = digits"):
        download(tmp_path, "digits")


def test_rows_without_a_label_are_null_and_counted(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,kind\n1,x\n2,\n3,y\n")
    manifest = download(tmp_path, "table", path="mine.csv", target_column="kind")
    assert manifest["rows"] == 3
    assert manifest["rows_per_class"] == {"x": 1, "y": 1}
    assert manifest["unlabeled_rows"] == 1
    assert manifest["content_sha256"] == {"mine.csv": sha256_file(tmp_path / "mine.csv")}
    assert pq.read_table(tmp_path / RAW / "examples")["label"].to_pylist() == [0, None, 1]


def test_a_regressions_target_is_summarized(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,price\n1,2.5\n2,\n3,4.5\n")
    manifest = download(tmp_path, "table", path="mine.csv", target_column="price", target_kind="regression")
    assert manifest["rows_per_class"] == {}
    assert manifest["target"] == {"mean": 3.5, "std": 1.0, "min": 2.5, "max": 4.5}
    table = pq.read_table(tmp_path / RAW / "examples")
    assert str(table.schema.field("label").type) == "double"
    assert table["label"].to_pylist() == [2.5, None, 4.5]
