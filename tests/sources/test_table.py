"""One's own tables: every file is read whole, or one message names the file, the column or the value."""

import gzip
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import Column, TableInfo, example_ids
from selfsame.params.data import Table
from selfsame.sources.columns import encode
from selfsame.sources.source import Source
from selfsame.sources.table import table

FLOWERS = "id,width,colour,kind\n7,1.5,red,rose\n8,,blue,iris\n9,2,,rose\n10,3.25,red,\n"
FEATURES = ("colour=blue", "colour=red", "width")
COLUMNS = (Column("colour", "text", ("blue", "red")), Column("width", "number"))
NAN = np.nan
INPUTS = [[0, 1, 1.5], [1, 0, NAN], [NAN, NAN, 2], [0, 1, 3.25]]


def read(place: Path, **changes: object) -> Source:
    settings = {"source": "table", "path": "-", "target_column": "kind", "ignore_columns": ["id"]}
    return table(place, Table.model_validate(settings | changes))


def columns_of(source: Source) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    batches = list(source.batches)
    aside = [batch.own for batch in batches if batch.own is not None]
    return (
        np.concatenate([batch.inputs for batch in batches]),
        np.concatenate([batch.labels for batch in batches]),
        np.concatenate(aside) if aside else None,
    )


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def parquet(path: Path) -> Path:
    pq.write_table(pa_csv.read_csv(pa.py_buffer(FLOWERS.encode()), convert_options=NULLS), path)
    return path


NULLS = pa_csv.ConvertOptions(strings_can_be_null=True)
FORMATS: dict[str, Callable[[Path], Path]] = {
    "csv": lambda folder: write(folder / "a.csv", FLOWERS),
    "semicolons": lambda folder: write(folder / "a.csv", FLOWERS.replace(",", ";")),
    "tabs": lambda folder: write(folder / "a.tsv", FLOWERS.replace(",", "\t")),
    "byte-order mark": lambda folder: write(folder / "a.csv", "\ufeff" + FLOWERS),
    "carriage returns": lambda folder: write(folder / "a.csv", FLOWERS.replace("\n", "\r\n")),
    "utf-16": lambda folder: write(folder / "a.csv", "\ufeff" + FLOWERS, "utf-16-le"),
    "blank lines in front": lambda folder: write(folder / "a.csv", "\n\r\n" + FLOWERS),
    "spaces after commas": lambda folder: write(folder / "a.csv", FLOWERS.replace(",", ", ")),
    "other names for text": lambda folder: write(folder / "a.data", FLOWERS),
    "quotes": lambda folder: write(folder / "a.csv", FLOWERS.replace("red", '"red"')),
    "words for missing": lambda folder: write(folder / "a.csv", FLOWERS.replace(",,", ",NA,")),
    "parquet": lambda folder: parquet(folder / "a.parquet"),
}


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_rows(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = read(make(tmp_path))
    assert source.info.features == FEATURES
    assert source.info.columns == COLUMNS
    assert TableInfo.from_json(json.loads(json.dumps(asdict(source.info)))) == source.info
    assert source.info.classes == ("iris", "rose")
    inputs, labels, aside = columns_of(source)
    np.testing.assert_array_equal(inputs, INPUTS)
    assert labels.tolist() == [1, 0, 1, -1]
    assert aside is None


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(FLOWERS.encode()))
    np.testing.assert_array_equal(columns_of(read(path))[0], INPUTS)


def test_missing_and_zero_have_one_kind_of_bytes() -> None:
    other_nan = np.frombuffer(np.uint64(0xFFF8000000000123).tobytes(), np.float64)[0]
    ids = [
        example_ids(
            encode(
                pa.table({"a": pa.array([value], pa.float64(), from_pandas=False)}), [Column("a", "number")]
            )
        )
        for value in (NAN, other_nan, None, 0.0, -0.0)
    ]
    assert ids[0] == ids[1] == ids[2] != ids[3] == ids[4]


def test_an_unknown_category_is_none_of_the_known(tmp_path: Path) -> None:
    rows = pa.table({"width": [1], "colour": ["green"]})
    np.testing.assert_array_equal(encode(rows, COLUMNS), [[0, 0, 1]])


def test_whole_numbers_and_true_and_false_can_be_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,grade,paid\n1,10,true\n2,9,false\n3,,true\n")
    source = read(path, target_column="grade", ignore_columns=[])
    assert source.info.classes == ("9", "10")
    inputs, labels, _ = columns_of(source)
    assert inputs.tolist() == [[1, 1], [0, 2], [1, 3]]
    assert labels.tolist() == [1, 0, -1]
    assert read(path, target_column="paid", ignore_columns=["grade"]).info.classes == ("false", "true")


def test_a_regression_keeps_the_values(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,price\n1,2.5\n2,\n3,4\n")
    source = read(path, target_column="price", target_kind="regression", ignore_columns=[])
    assert (source.info.target, source.info.classes) == ("regression", ())
    np.testing.assert_array_equal(columns_of(source)[1], [2.5, NAN, 4])


def test_the_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "kind,colour,width,id\nrose,blue,5,11\n")
    write(tmp_path / "a.csv", FLOWERS)
    write(tmp_path / "c.csv", "id,width,colour\n12,6,red\n")  # no target: unlabeled rows
    write(tmp_path / ".gitkeep", "")
    source = read(tmp_path)
    inputs, labels, _ = columns_of(source)
    np.testing.assert_array_equal(inputs, [*INPUTS, [1, 0, 5], [0, 1, 6]])
    assert labels.tolist() == [1, 0, 1, -1, 1, -1]
    assert list(source.content) == ["a.csv", "b.csv", "c.csv"]


def test_train_and_test_folders_are_the_own_holdout(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a.csv", FLOWERS)
    write(tmp_path / "test" / "a.csv", "id,width,colour,kind\n11,5,blue,iris\n")
    write(tmp_path / "unlabeled" / "a.csv", "id,width,colour\n12,6,red\n")
    inputs, labels, aside = columns_of(read(tmp_path))
    assert aside is not None
    assert aside.tolist() == [2, *[0] * 5]
    assert labels.tolist() == [0, 1, 0, 1, -1, -1]
    assert inputs[0].tolist() == [1, 0, 5]


def test_a_long_table_comes_in_batches(tmp_path: Path) -> None:
    rows = 20_000
    path = write(tmp_path / "a.csv", "x,kind\n" + "".join(f"{row},{row % 2}\n" for row in range(rows)))
    source = read(path, ignore_columns=[])
    batches = list(source.batches)
    assert len(batches) > 1
    assert np.concatenate([batch.inputs[:, 0] for batch in batches]).tolist() == list(range(rows))


WRONG = {  # what is in a.csv, what is asked of it → what the message must say
    "no such target": (
        FLOWERS,
        {"target_column": "kinds"},
        ("data.target_column = 'kinds'", "a.csv", "'kind'?"),
    ),
    "no such column to ignore": (
        FLOWERS,
        {"ignore_columns": ["ids"]},
        ("data.ignore_columns = 'ids'", "'id'?"),
    ),
    "another separator": (FLOWERS, {"separator": ";"}, ("data.ignore_columns", "no such column")),
    "empty file": ("", {}, ("a.csv: the file is empty",)),
    "header alone": ("id,kind\n", {}, ("a.csv", "no rows")),
    "ragged": (
        FLOWERS + "1,2\n",
        {"separator": ","},
        ("a.csv", "its header has 4 values, separated by ','; line 6 has 2"),
    ),
    "ragged, unknown separator": (
        "a,kind\n1,2\n3\n",
        {"ignore_columns": []},
        ("a.csv", "line 3 has 1", "data.separator"),
    ),
    "one column": ("kind\nrose\n", {}, ("'id'", "data.separator")),
    "two columns of one name": ("kind,kind\n1,2\n", {}, ("a.csv", "two columns are called 'kind'")),
    "no name": (
        ",kind\n1,rose\n2,iris\n",
        {"ignore_columns": []},
        ("column '' has the name", "data.ignore_columns"),
    ),
    "a name that is taken": ("label,kind\n1,rose\n2,iris\n", {"ignore_columns": []}, ("'label'",)),
    "dates": (
        "day,kind\n2026-01-01,a\n2026-01-02,b\n",
        {"ignore_columns": []},
        ("'day' has dates or times", "data.date_columns"),
    ),
    "an empty column": ("x,kind\n,a\n,b\n", {"ignore_columns": []}, ("'x' has no values",)),
    "infinite": (
        "x,kind\n1,a\ninf,b\n",
        {"ignore_columns": []},
        ("'x' is infinite in 1 row, first 'inf' in line 3",),
    ),
    "one class": (
        "x,kind\n1,a\n2,a\n",
        {"ignore_columns": []},
        ("data.target_column = 'kind'", "two classes"),
    ),
    "fractions as classes": (
        "x,kind\n1,0.5\n2,1\n",
        {"ignore_columns": []},
        ("no whole numbers", "regression"),
    ),
    "text as numbers": (
        "x,kind\n1,2\n2,lots\n",
        {"ignore_columns": [], "target_kind": "regression"},
        ("data.target_column = 'kind': 'lots' in 1 row", "line 3"),
    ),
    "no target value": (
        "x,kind\n1,\n2,\n",
        {"ignore_columns": [], "target_kind": "regression"},
        ("'kind': no row has a value",),
    ),
    "no input": ("id,kind\n1,a\n2,b\n", {}, ("no column is left beside the target",)),
    "free text": (
        "x,kind\n" + "".join(f"word{row},{row % 2}\n" for row in range(200)),
        {"ignore_columns": []},
        ("'x' is text with 200 different values", "data.ignore_columns"),
    ),
    "a word among numbers": (
        "x,kind\n" + "".join(f"{row},{row % 2}\n" for row in range(200)) + "oops,1\n",
        {"ignore_columns": []},
        ("'x' is numbers but for 'oops' in 1 row, first 'oops' in line 202",),
    ),
    "features of one name": (
        "a,a=b,kind\nb,1,x\nc,2,y\n",
        {"ignore_columns": []},
        ("two features would be called 'a=b'",),
    ),
}


@pytest.mark.parametrize(("text", "changes", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used_is_named(
    text: str, changes: dict[str, object], said: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(SelfsameError) as caught:
        columns_of(read(write(tmp_path / "a.csv", text), **changes))
    for words in said:
        assert words in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    "content",
    [FLOWERS.replace("red", "röd").encode("latin-1"), FLOWERS.encode("utf-16-le"), b"PAR1" + bytes(20)],
    ids=["latin-1", "utf-16 without a mark", "not text"],
)
def test_another_encoding_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(SelfsameError, match=r"a\.csv[:,] .*"):
        read(tmp_path / "a.csv")


def test_another_encoding_far_into_the_file_is_named(tmp_path: Path) -> None:
    text = FLOWERS + "1,2,red,rose\n" * 10_000 + "2,2,röd,rose\n"
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SelfsameError, match=r"a\.csv, line 10006: the byte 0xf6 is not UTF-8"):
        read(tmp_path / "a.csv")


def test_a_broken_parquet_file_is_named(tmp_path: Path) -> None:
    whole = parquet(tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SelfsameError, match=r"a\.parquet: can't be read"):
        read(tmp_path / "a.parquet")


def test_a_column_of_lists_is_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [[1], [2]], "kind": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(SelfsameError, match="'x' is of the type list"):
        read(tmp_path, ignore_columns=[])


def test_a_file_of_another_kind_is_never_overlooked(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", FLOWERS)
    write(tmp_path / "notes.md", "read me")
    with pytest.raises(SelfsameError, match=r"notes\.md: no table"):
        read(tmp_path)


def test_files_of_other_columns_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", FLOWERS)
    write(tmp_path / "b.csv", FLOWERS.replace("width", "height"))
    with pytest.raises(SelfsameError, match=r"'height' is in b\.csv alone, 'width' is in a\.csv alone"):
        read(tmp_path)


def test_a_number_in_one_file_and_text_in_another_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", FLOWERS)
    write(tmp_path / "b.csv", "id,width,colour,kind\n1,wide,red,rose\n")
    with pytest.raises(SelfsameError, match=r"'width' is numbers but for 'wide' .* in b\.csv, line 2"):
        read(tmp_path)


def test_an_empty_folder_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(SelfsameError) as caught:
        read(tmp_path)
    assert "put a CSV, TSV or Parquet file there" in caught.value.fix


def test_features_do_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    head, *rows = FLOWERS.splitlines()
    turned = write(tmp_path / "b" / "a.csv", "\n".join([head, *rows[::-1]]))
    assert read(turned).info == read(write(tmp_path / "a" / "a.csv", FLOWERS)).info
