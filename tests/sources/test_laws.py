"""Laws over random tables: no label is lost, no order matters, and how a table is written can't be seen.

``SELFSAME_FUZZ`` says how many tables each law tries, and that they are others than last time (15, the same).
"""

import os
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from awkward import text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_awkward import read

from selfsame.core.digests import files_under, sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import id_column
from selfsame.params.data import Table
from selfsame.params.split import SplitParams
from selfsame.roles.decide import account, decide
from selfsame.roles.given import Part, gather, halves
from selfsame.sources.opened import open_source
from selfsame.sources.words import UNLABELED_WORDS
from tasks.download import describe_labels, write_examples

Columns = dict[str, list[str]]
FEW = settings(
    max_examples=int(os.environ.get("SELFSAME_FUZZ", "15")),
    deadline=None,
    derandomize="SELFSAME_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
CLASSES = ("cat", "dog", "Mäuse")
LABELS = st.sampled_from([*CLASSES, *CLASSES, "", " ", " cat ", "NaN", "?", "unlabeled"])
NUMBERS = st.one_of(
    st.integers(-3, 3).map(str),
    st.floats(-1e6, 1e6, allow_nan=False).map(repr),
    st.sampled_from(["", "NA", "0.5", "1e3", "-0.0"]),
)
WORDS = st.text("abcéßñ -;,|\t\"'", min_size=1, max_size=4)


@st.composite
def tables(draw: Any) -> Columns:
    """A table of 8 to 40 rows: two columns of numbers, one of words, and the target y."""
    rows = draw(st.integers(8, 40))

    def column(values: st.SearchStrategy[str]) -> list[str]:
        return draw(st.lists(values, min_size=rows, max_size=rows))

    words = draw(st.lists(WORDS, min_size=1, max_size=4))
    made = {
        "one": column(NUMBERS),
        "two": column(NUMBERS),
        "word": column(st.sampled_from(words)),
        "y": column(LABELS),
    }
    made["y"][:6] = [*CLASSES, *CLASSES]
    made["word"][0] = "ab"
    made["one"][:2] = ["1", "2.5"]  # a column without any value is refused
    made["two"][:2] = ["3", "4.5"]
    return made


def files(folder: Path, columns: Columns, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(columns["y"])]
    for number, (start, end) in enumerate(pairwise(edges)):
        if start < end:
            part = {name: values[start:end] for name, values in columns.items()}
            (folder / f"{number}.csv").write_text(text(part), encoding="utf-8")


def reordered(columns: Columns, order: list[int]) -> Columns:
    return {name: [values[row] for row in order] for name, values in columns.items()}


@FEW
@given(
    tables(),
    st.lists(st.integers(1, 40), max_size=2),
    st.sampled_from(["all", 1, 0.3]),
    st.sampled_from(["drop", "drop_contradicting"]),
)
def test_labels_in_are_labels_accounted_for(
    columns: Columns, cuts: list[int], wanted: object, duplicates: str
) -> None:
    with tempfile.TemporaryDirectory() as name:
        files(Path(name), columns, [min(cut, len(columns["y"])) for cut in cuts])
        source, found = read(Path(name))
        labels = sum(word.strip().casefold() not in UNLABELED_WORDS for word in columns["y"])
        told = describe_labels(np.nan_to_num(found.labels, nan=-1).astype(np.int64), source.info)
        assert sum(told["rows_per_class"].values()) == labels == len(columns["y"]) - told["unlabeled_rows"]
        params = SplitParams(labels_per_class=wanted, validation_per_class=1, duplicates=duplicates)
        try:
            accounted = account(decide(found, source.info, params, "examples"), found)
        except SelfsameError:  # too few rows of a class, no pool, contradictions: said, not lost
            return
        for what in ("rows", "labels"):
            parts = (*accounted["roles"].values(), *accounted["dropped"].values())
            assert sum(part[what] for part in parts) == accounted[what]
        assert accounted["labels"] == labels


def roles_of(columns: Columns, cuts: list[int], split: Mapping[str, object]) -> dict[bytes, int] | str:
    """Return the role of every row's content, or what was refused."""
    params = SplitParams.model_validate({"duplicates": "drop_contradicting", "empty_pool": "allow", **split})
    with tempfile.TemporaryDirectory() as name:
        files(Path(name), columns, [min(cut, len(columns["y"])) for cut in cuts])
        data = {"source": "table", "path": "x", "target_column": "y", "ignore_columns": ["day", "person"]}
        source = open_source(Table.model_validate(data), Path(name))
        parts = []
        for batch in source.batches:
            ids = halves(id_column(batch.inputs))
            own = np.zeros(len(ids), np.int8)
            parts.append(Part(ids, source.info.labels.as_given(batch.labels), own, batch.kept, batch.inputs))
        found = gather(parts, source.info, params)
        try:
            decision = decide(found, source.info, params, "examples")
        except SelfsameError as error:
            return error.fix
        kept = decision.roles[~decision.repeats.dropped]
        return dict(zip((each.tobytes() for each in found.ids[~decision.repeats.dropped]), kept, strict=True))


SPLITS = {
    "classes": {"labels_per_class": "all", "validation_per_class": 0.25},
    "calibration": {"labels_per_class": 1, "validation_per_class": 0.5, "calibration_fraction": 0.3},
    "groups": {"labels_per_class": "all", "validation_per_class": 0.25, "group_column": "person"},
    "time": {"labels_per_class": "all", "validation_per_class": 0.2, "time_column": "day"},
}


@pytest.mark.parametrize("split", SPLITS.values(), ids=SPLITS)
def test_any_order_of_files_and_rows_gives_the_same_roles(split: dict[str, object]) -> None:
    drawn = []

    @FEW
    @given(tables(), st.data())
    def law(columns: Columns, data: Any) -> None:
        rows = len(columns["y"])
        numbers = data.draw(st.lists(st.integers(0, 9), min_size=rows, max_size=rows))
        marked = columns | {"person": [f"p{each}" for each in numbers], "day": list(map(str, numbers))}
        order = data.draw(st.permutations(range(rows)))
        cuts = data.draw(st.lists(st.integers(1, rows), max_size=3))
        first = roles_of(marked, [], split)
        assert roles_of(reordered(marked, order), cuts, split) == first
        drawn.append(isinstance(first, dict))

    law()
    assert sum(drawn) > 0.2 * len(drawn)  # the law is of roles, not of refusals


def written(folder: Path, columns: Columns, data: Any) -> dict[str, object]:
    """Write a table in some other way; return the keys that it is read by."""
    separator = data.draw(st.sampled_from([",", ";", "\t", "|"]))
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1"]))
    decimal = data.draw(st.sampled_from([".", ","]))
    names = data.draw(st.permutations(list(columns)))
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    made = {
        name: [each.replace(".", decimal) if name in ("one", "two") else each for each in columns[name]]
        for name in names
    }
    (folder / "t.csv").write_bytes(text(made, separator, end).encode(encoding))
    keys = {"decimal": decimal, "separator": data.draw(st.sampled_from([None, separator]))}
    return keys | ({"encoding": encoding} if encoding in ("cp1252", "latin-1") else {})


def digest(place: Path, keys: Mapping[str, object]) -> list[str]:
    source = open_source(
        Table.model_validate({"source": "table", "path": "x", "target_column": "y", **keys}), place
    )
    with tempfile.TemporaryDirectory() as name:
        write_examples(source, Path(name) / "examples")
        return [sha256_file(path) for path in files_under(Path(name) / "examples")]


@FEW
@given(tables(), st.data())
def test_however_a_table_is_written_its_digest_is_the_same(columns: Columns, data: Any) -> None:
    seen = set()
    for _ in range(2):
        with tempfile.TemporaryDirectory() as name:
            keys = written(Path(name), columns, data)
            seen.add(str(digest(Path(name), keys)))
    assert len(seen) == 1
