"""Tables on disk: what is written comes back, in batches that don't depend on how it was cut."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from selfsame.core import table_writer, tables
from selfsame.core.errors import SelfsameError
from selfsame.core.table_writer import TableWriter
from selfsame.core.tables import (
    TableInfo,
    count_rows,
    example_ids,
    input_columns,
    inputs_of,
    iter_batches,
    open_table,
    read_column,
    same_ids,
)

IMAGES = TableInfo("toy", "classification", ("a", "b"), image_shape=(3, 4, 5))
FEATURES = TableInfo("toy", "classification", ("a", "b"), features=("height", "width"))


def draw(info: TableInfo, rows: int) -> np.ndarray:
    random = np.random.default_rng(0)
    shape = (rows, *info.input_shape)
    return random.integers(0, 256, shape, dtype=np.uint8) if info.image_shape else random.normal(size=shape)


def write(path: Path, info: TableInfo, inputs: np.ndarray, labels: pa.Array, batch_rows: int) -> None:
    schema = info.schema()
    with TableWriter(path, schema) as writer:
        for start in range(0, len(inputs), batch_rows):
            chosen = inputs[start : start + batch_rows]
            columns = [example_ids(chosen), *input_columns(chosen, info), labels[start : start + batch_rows]]
            writer.write(pa.record_batch(columns, schema=schema))
    assert writer.rows == len(inputs)


@pytest.mark.parametrize("info", [IMAGES, FEATURES], ids=["images", "features"])
@pytest.mark.parametrize(("name", "parts"), [("one.parquet", 1), ("many", 7)])
def test_what_is_written_comes_back(
    info: TableInfo, name: str, parts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_writer, "PART_BYTES", 1)  # every batch fills a part
    path = tmp_path / name
    inputs = draw(info, 20)
    labels = pa.array([None if row == 3 else row % 2 for row in range(20)])
    write(path, info, inputs, labels, batch_rows=3)

    assert len(list(tmp_path.rglob("*.parquet"))) == parts
    assert count_rows(path) == 20
    assert TableInfo.of(path) == info
    assert read_column(path, "example_id").tolist() == example_ids(inputs)
    np.testing.assert_array_equal(
        read_column(path, "label"), [np.nan if v is None else v for v in labels.to_pylist()]
    )
    (batch,) = iter_batches(path)
    read = inputs_of(batch, info)
    assert read.dtype == inputs.dtype
    np.testing.assert_array_equal(read, inputs)


def test_batches_do_not_depend_on_how_the_rows_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 8)
    monkeypatch.setattr(table_writer, "PART_BYTES", 1)
    inputs, labels = draw(FEATURES, 53), pa.array([0] * 53)
    ids = []
    for batch_rows in (53, 1, 5, 8, 19):
        path = tmp_path / f"by-{batch_rows}"
        write(path, FEATURES, inputs, labels, batch_rows)
        batches = list(iter_batches(path, ["example_id"]))
        assert [batch.num_rows for batch in batches] == [8, 8, 8, 8, 8, 8, 5]
        ids.append([name for batch in batches for name in batch.column(0).to_pylist()])
    assert all(each == example_ids(inputs) for each in ids)


@pytest.mark.parametrize("name", ["one.parquet", "many"])
def test_an_empty_table_still_has_its_columns(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write(path, IMAGES, draw(IMAGES, 0), pa.array([], pa.int64()), batch_rows=1)
    assert TableInfo.of(path) == IMAGES
    assert (count_rows(path), list(iter_batches(path)), len(read_column(path, "label"))) == (0, [], 0)


def test_an_id_names_the_content_alone() -> None:
    inputs = draw(IMAGES, 30)
    ids = example_ids(inputs)
    order = np.random.default_rng(1).permutation(30)
    assert example_ids(inputs[order]) == [ids[row] for row in order]
    assert example_ids(inputs[::2]) == ids[::2]  # not contiguous in memory
    assert len(set(ids)) == 30
    assert {len(name) for name in ids} == {32}


def test_an_id_tells_shapes_and_types_apart() -> None:
    zeros = np.zeros((1, 1, 2, 8), np.uint8)
    others = [zeros.reshape(1, 1, 4, 4), zeros.reshape(1, 16), zeros.view(np.float64)]
    assert len({example_ids(each)[0] for each in (zeros, *others)}) == 4


def test_the_same_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, IMAGES, draw(IMAGES, 50), pa.array([1] * 50), batch_rows=7)
    one, two = (tmp_path / name / "part-00000.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("info", [IMAGES, FEATURES], ids=["images", "features"])
def test_ids_stand_verbatim_and_floats_are_packed_fast_without_a_dictionary(
    info: TableInfo, tmp_path: Path
) -> None:
    path, inputs = tmp_path / "one.parquet", draw(info, 50)
    write(path, info, inputs, pa.array([1] * 50), batch_rows=7)
    content = path.read_bytes()
    assert all(name.encode() in content for name in example_ids(inputs))
    metadata = pq.read_metadata(path)
    assert metadata.num_row_groups == 8
    for group in range(8):
        leaves = [metadata.row_group(group).column(leaf) for leaf in range(metadata.num_columns)]
        packed = {leaf.path_in_schema: leaf.compression for leaf in leaves}
        others = {"example_id": "UNCOMPRESSED", **dict.fromkeys(info.features, "LZ4")}
        assert packed == dict.fromkeys(packed, "ZSTD") | others
        plain = [leaf.path_in_schema for leaf in leaves if not leaf.has_dictionary_page]
        assert plain == ["example_id", *info.features]


def test_same_ids_means_same_order() -> None:
    left = pa.array(["a", "b"])
    assert same_ids(left, pa.array(["a", "b"]))
    assert not same_ids(left, pa.array(["b", "a"]))
    assert not same_ids(left, pa.array(["a"]))
    assert not same_ids(left, pa.array(["a", None]))
    assert same_ids(pa.array([], pa.string()), pa.array([], pa.string()))


def test_a_pool_is_never_held_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing and reading 64 MB of images takes a few batches' memory, whatever the number of rows."""
    monkeypatch.setattr(tables, "BATCH_ROWS", 256)
    monkeypatch.setattr(table_writer, "PART_BYTES", 8 * 1024 * 1024)
    info = TableInfo("toy", "classification", ("a",), image_shape=(1, 64, 64))
    schema, path, batches = info.schema(), tmp_path / "pool", 64
    batch_bytes = 256 * 64 * 64
    random = np.random.default_rng(0)
    start, peak = pa.total_allocated_bytes(), 0
    with TableWriter(path, schema) as writer:
        for _ in range(batches):
            inputs = random.integers(0, 256, (256, 1, 64, 64), dtype=np.uint8)
            columns = [example_ids(inputs), *input_columns(inputs, info), pa.array([0] * 256)]
            writer.write(pa.record_batch(columns, schema=schema))
            peak = max(peak, pa.total_allocated_bytes() - start)
    assert peak < batches * batch_bytes / 2
    peak, rows = 0, 0
    for batch in iter_batches(path):
        rows += batch.num_rows
        peak = max(peak, pa.total_allocated_bytes() - start)
    assert rows == batches * 256
    assert peak < batches * batch_bytes / 2, f"{peak / batch_bytes:.0f} of {batches} batches at once"


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("none.parquet", "empty"):
        with pytest.raises(SelfsameError, match=name):
            open_table(tmp_path / name)


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    batch = pa.record_batch({"x": [1]})
    with TableWriter(tmp_path / "other.parquet", batch.schema) as writer:
        writer.write(batch)
    with pytest.raises(SelfsameError, match=r"other\.parquet: not a table of examples"):
        TableInfo.of(tmp_path / "other.parquet")
