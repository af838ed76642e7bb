"""Awkward inputs: each is read right, with every label accounted for, or refused in words that help."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward
import numpy as np
import pytest
import stranger
from awkward import SAME, Case, Write

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo, id_column
from selfsame.params.data import Table
from selfsame.params.split import SplitParams
from selfsame.roles.decide import account, decide
from selfsame.roles.given import Given, halves
from selfsame.sources.opened import open_source
from selfsame.sources.source import Source

READ = awkward.READ | stranger.READ
REFUSED = awkward.REFUSED | {f"{name}, too": row for name, row in stranger.REFUSED.items()}
SPLIT_REFUSED = awkward.SPLIT_REFUSED | stranger.SPLIT_REFUSED
DATA = {"source": "table", "path": "data/inbox", "target_column": "y"}
SPLIT = {"labels_per_class": "all", "validation_per_class": 0.25, "duplicates": "drop"}


def read(place: Path, **changes: Any) -> tuple[Source, Given]:
    source = open_source(Table.model_validate(DATA | changes), place)
    ids, labels, own = [], [], []
    for batch in source.batches:
        ids.append(halves(id_column(batch.inputs)))
        labels.append(source.info.labels.as_given(batch.labels))
        own.append(np.zeros(len(batch.labels), np.int8) if batch.own is None else batch.own)
    return source, Given(np.concatenate(ids), np.concatenate(labels), np.concatenate(own))


def split(source_info: TableInfo, given: Given, **changes: Any) -> dict[str, Any]:
    decision = decide(given, source_info, SplitParams.model_validate(SPLIT | changes), "examples")
    return account(decision, given)


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_what_can_be_read_is_read_and_every_label_accounted_for(case: Case, tmp_path: Path) -> None:
    case.write(tmp_path)
    if case.said:
        with pytest.raises(SelfsameError) as caught:
            read(tmp_path, **case.data)
        assert all(words in str(caught.value) for words in case.said), caught.value
        return
    source, given = read(tmp_path, **case.data)
    if case.features:
        assert source.info.features == tuple(case.features)
    told = split(source.info, given, **case.split)
    assert told["labels"] == case.labels
    assert sum(part["labels"] for part in (*told["roles"].values(), *told["dropped"].values())) == case.labels
    assert told["roles"]["labeled"]["labels"] > 0
    for words in case.noted:
        assert any(words in note for note in source.notes), source.notes


def test_however_a_table_is_written_it_is_the_same(tmp_path: Path) -> None:
    seen = set()
    for name, write in SAME.items():
        folder = tmp_path / name
        folder.mkdir()
        write(folder)
        source, given = read(folder)
        order = np.lexsort(given.ids.T)
        rows = np.column_stack([given.ids[order], np.nan_to_num(given.labels[order], nan=-1)])
        seen.add((replace(source.info, reading=None), rows.tobytes()))
    assert len(seen) == 1  # but for how it was read, which a model's folder keeps


def refuses(place: Path, said: tuple[str, ...], data: dict[str, Any], changes: dict[str, Any]) -> None:
    with pytest.raises(SelfsameError) as caught:
        split((found := read(place, **data))[0].info, found[1], **changes)
    for words in said:
        assert words in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_in_words_that_help(row: tuple[Any, ...], tmp_path: Path) -> None:
    write, said, *data = row
    write(tmp_path)
    refuses(tmp_path, said, data[0] if data else {}, {})


@pytest.mark.parametrize(("write", "said", "changes"), SPLIT_REFUSED.values(), ids=SPLIT_REFUSED)
def test_what_cannot_be_split_is_refused_in_words_that_help(
    write: Write, said: tuple[str, ...], changes: dict[str, Any], tmp_path: Path
) -> None:
    write(tmp_path)
    refuses(tmp_path, said, {}, changes)


def test_there_are_enough_of_them() -> None:
    assert len(READ) + len(REFUSED) + len(SPLIT_REFUSED) >= 260
